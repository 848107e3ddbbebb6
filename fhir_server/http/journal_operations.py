"""Operations in the words of the journal: what was done, and the same as a wish."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

OPERATIONS: Mapping[str, tuple[Any, Any]] = {
    "announce-space": (lazy_gettext("announced the space"), lazy_gettext("announce the space")),
    "oppose-space": (
        lazy_gettext("recorded the opposition to the space"),
        lazy_gettext("record an opposition to the space"),
    ),
    "open-space": (lazy_gettext("opened the space again"), lazy_gettext("open the space again")),
    "suspend-space": (lazy_gettext("suspended access to the space"), lazy_gettext("suspend access to the space")),
    "close-space": (lazy_gettext("closed the space"), lazy_gettext("close the space")),
    "request-erasure": (
        lazy_gettext("asked for the erasure of the space"),
        lazy_gettext("ask for the erasure of the space"),
    ),
    "erase-space": (lazy_gettext("erased the space"), lazy_gettext("erase the space")),
    "record-death": (lazy_gettext("recorded the holder’s death"), lazy_gettext("record the holder’s death")),
    "space-status": (lazy_gettext("looked at how the space stands"), lazy_gettext("look at how the space stands")),
    "break-glass": (
        lazy_gettext("opened the space in an emergency (break-glass)"),
        lazy_gettext("open the space in an emergency (break-glass)"),
    ),
    "regulation-access": (
        lazy_gettext("opened the space for an emergency call"),
        lazy_gettext("open the space for an emergency call"),
    ),
    "audience": (lazy_gettext("looked at who may read a document"), lazy_gettext("look at who may read a document")),
    "explain": (
        lazy_gettext("asked why access is given or refused"),
        lazy_gettext("ask why access is given or refused"),
    ),
}
