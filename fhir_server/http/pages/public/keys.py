"""Who holds the keys, and what each of them could read: the attackers of the threat model, in words for everybody.

A test compares the rows with the table of docs/threat-model.md, so that neither can say more than the other.
Source: docs/threat-model.md, "Attackers".
"""

from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template
from flask_babel import lazy_gettext

from fhir_server.http.pages.base import site


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a part of the service. model: the `who` of the threat model. who, reads: in words."""

    model: str
    who: Any
    reads: Any


HOLDERS = (
    Holder(
        "a thief of the database or of a backup",
        lazy_gettext("Somebody who steals the database or a backup, without the key file"),
        lazy_gettext(
            "who has a space, how many documents of which sort, when they changed and who filed them; no text, no "
            "content, no name"
        ),
    ),
    Holder(
        "a thief of the contents folder",
        lazy_gettext("Somebody who steals the stored contents of documents"),
        lazy_gettext("how many contents a space has, and how large they are; none of what is in them"),
    ),
    Holder(
        "a thief of all backups after an erasure",
        lazy_gettext("Somebody who steals every backup after a space was erased"),
        lazy_gettext("nothing of the erased space: its key is destroyed"),
    ),
    Holder(
        "an operator who can write to the database",
        lazy_gettext("Somebody of the operator who may write to the database, without the key file"),
        lazy_gettext("the same as a thief of the database; what is moved to another place does not open"),
    ),
    Holder(
        "a caller while a faulty release shows too much",
        lazy_gettext("Somebody with access, while a faulty version of the program shows too much"),
        lazy_gettext("nothing any more once the operator has stopped everything but emergencies"),
    ),
    Holder(
        "another site, in the browser of somebody who uses `/api/try`",
        lazy_gettext("Another web site, in the browser of somebody who tries the interface for programs"),
        lazy_gettext("nothing: forms of other sites are refused"),
    ),
    Holder(
        "somebody who has both data and key file",
        lazy_gettext("Somebody who has both the data and the key file"),
        lazy_gettext("everything; so the operator keeps the two apart"),
    ),
)


@site.get("/keys")
def keys() -> Response:
    """Show who holds what, and what it opens."""
    return make_response(render_template("pages/keys.html", holders=HOLDERS))
