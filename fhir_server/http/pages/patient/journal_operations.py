"""Words of the journal for operations: what was done, what somebody tried to do, and why some requests were refused."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

from consent_rules.vocabulary import Reason
from fhir_server.domain.problem import Category

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
    "erasure-due": (
        lazy_gettext("noted that the space is to be erased"),
        lazy_gettext("note that the space is to be erased"),
    ),
    "end-seal": (
        lazy_gettext("ended the time in which a document was not shown to the patient"),
        lazy_gettext("end the time in which a document was not shown to the patient"),
    ),
    "review-overdue": (
        lazy_gettext("noted that an emergency access was not reviewed in time"),
        lazy_gettext("note that an emergency access was not reviewed in time"),
    ),
    "erase-space": (lazy_gettext("erased the space"), lazy_gettext("erase the space")),
    "record-death": (lazy_gettext("recorded the patient’s death"), lazy_gettext("record the patient’s death")),
    "space-status": (lazy_gettext("looked at how the space stands"), lazy_gettext("look at how the space stands")),
    "break-glass": (
        lazy_gettext("opened the space in an emergency (break-glass)"),
        lazy_gettext("open the space in an emergency (break-glass)"),
    ),
    "regulation-access": (
        lazy_gettext("opened the space for an emergency call"),
        lazy_gettext("open the space for an emergency call"),
    ),
    "set-password": (
        lazy_gettext("changed the password of the account"),
        lazy_gettext("change the password of the account"),
    ),
    "set-code-generator": (
        lazy_gettext("set up an authenticator app for the account"),
        lazy_gettext("set up an authenticator app for the account"),
    ),
    "add-passkey": (
        lazy_gettext("added a passkey to the account"),
        lazy_gettext("add a passkey to the account"),
    ),
    "remove-passkey": (
        lazy_gettext("removed a passkey from the account"),
        lazy_gettext("remove a passkey from the account"),
    ),
    "reset-factors": (
        lazy_gettext("made the second factors of the account worthless"),
        lazy_gettext("make the second factors of the account worthless"),
    ),
    "issue-enrolment-code": (
        lazy_gettext("made a code for a first second factor of the account"),
        lazy_gettext("make a code for a first second factor of the account"),
    ),
    "invite-user": (
        lazy_gettext("made a code that links another sign-in to the account"),
        lazy_gettext("make a code that links another sign-in to the account"),
    ),
    "propose-notice-address": (
        lazy_gettext("gave an address for mails about notices"),
        lazy_gettext("give an address for mails about notices"),
    ),
    "set-notice-address": (
        lazy_gettext("confirmed an address for mails about notices"),
        lazy_gettext("confirm an address for mails about notices"),
    ),
    "remove-notice-address": (
        lazy_gettext("removed the address for mails about notices"),
        lazy_gettext("remove the address for mails about notices"),
    ),
    "choose-notices": (
        lazy_gettext("chose which notices are mailed"),
        lazy_gettext("choose which notices are mailed"),
    ),
    "add-user": (lazy_gettext("opened the account"), lazy_gettext("open the account")),
    "edit-user": (lazy_gettext("changed what the account may do"), lazy_gettext("change what the account may do")),
    "disable-user": (lazy_gettext("stopped the account"), lazy_gettext("stop the account")),
    "enable-user": (lazy_gettext("opened the account again"), lazy_gettext("open the account again")),
    "review-queue": (
        lazy_gettext("looked at the emergency accesses that wait for review"),
        lazy_gettext("look at the emergency accesses that wait for review"),
    ),
    "review-status": (
        lazy_gettext("looked at the review of an emergency access"),
        lazy_gettext("look at the review of an emergency access"),
    ),
    "review-emergency": (lazy_gettext("reviewed an emergency access"), lazy_gettext("review an emergency access")),
    "contest-emergency": (lazy_gettext("contested an emergency access"), lazy_gettext("contest an emergency access")),
    "audience": (lazy_gettext("looked at who may read a document"), lazy_gettext("look at who may read a document")),
    "repair-choices": (
        lazy_gettext("withdrew a choice that cannot be applied"),
        lazy_gettext("withdraw a choice that cannot be applied"),
    ),
    "explain": (
        lazy_gettext("asked why access is given or refused"),
        lazy_gettext("ask why access is given or refused"),
    ),
}

REFUSALS: Mapping[str, Any] = {
    Reason.ANNOUNCED: lazy_gettext("the space is not open yet"),
    Reason.OPPOSED: lazy_gettext("the opening of the space was opposed"),
    Reason.SUSPENDED: lazy_gettext("access to the space is suspended"),
    Reason.ERASED: lazy_gettext("the space was erased"),
    Reason.TOO_YOUNG: lazy_gettext("too young for an account of one’s own"),
    Category.FORBIDDEN: lazy_gettext("this was not theirs to do"),
    Category.DUPLICATE: lazy_gettext("this is there already"),
    Category.NOT_FOUND: lazy_gettext("it is unknown or not open to this person"),
    Category.BUSINESS_RULE: lazy_gettext("a rule does not allow this now"),
    Category.INSUFFICIENT_SCOPE: lazy_gettext("the app was not given the right to do this"),
    Category.CONSENT_REQUIRED: lazy_gettext("you have not agreed to this access"),
}
"""Reasons beside those of the decision; a category stands for a refusal by the application after a permit."""
