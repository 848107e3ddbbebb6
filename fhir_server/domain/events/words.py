"""The words for each kind of event, in English; the French ones are in `translations/fr/LC_MESSAGES/events.po`.

This is the one list of words for what happened: the audit event, the journal and the notices read it by
`domain.events.sentences`. `python -m tests.domain.event_texts` renews the French catalogue.
French uses the verb `avoir` and the active voice, so that no participle shows the gender of who acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent_rules.vocabulary import ReviewOutcome
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody did, and what somebody wanted to do.

    %(thing)s, %(of_thing)s and %(things)s stand for the words of the resource type, %(app)s for the name of the app.
    """

    did: str
    wish: str


WORDS: Mapping[EventKind, Words] = MappingProxyType(
    {
        EventKind.RESOURCE_READ: Words("looked at %(thing)s", "look at %(thing)s"),
        EventKind.RESOURCE_VERSION_READ: Words(
            "looked at an earlier version %(of_thing)s", "look at an earlier version %(of_thing)s"
        ),
        EventKind.RESOURCE_HISTORY_READ: Words(
            "looked at the history %(of_thing)s", "look at the history %(of_thing)s"
        ),
        EventKind.RESOURCES_SEARCHED: Words("looked at %(things)s", "look at %(things)s"),
        EventKind.RESOURCE_CREATED: Words("recorded %(thing)s", "record %(thing)s"),
        EventKind.RESOURCE_UPDATED: Words("changed %(thing)s", "change %(thing)s"),
        EventKind.RESOURCE_PATCHED: Words("changed %(thing)s", "change %(thing)s"),
        EventKind.RESOURCE_DELETED: Words("withdrew %(thing)s", "withdraw %(thing)s"),
        EventKind.REQUESTS_SENT: Words("sent several requests at once", "send several requests at once"),
        EventKind.OPERATION_CALLED: Words("called an operation", "call an operation"),
        EventKind.DOCUMENT_OPENED: Words("opened a document", "open a document"),
        EventKind.DOCUMENTS_PUBLISHED: Words("filed documents", "file documents"),
        EventKind.DOCUMENT_PUBLISHED: Words("filed a document", "file a document"),
        EventKind.DOCUMENT_REPLACED: Words("replaced a document", "replace a document"),
        EventKind.DOCUMENT_CHANGED: Words(
            "changed the visibility or the state of a document", "change the visibility or the state of a document"
        ),
        EventKind.DOCUMENT_VISIBILITY_CHANGED: Words(
            "changed the visibility of a document", "change the visibility of a document"
        ),
        EventKind.DOCUMENT_HIDDEN: Words("hid a document", "hide a document"),
        EventKind.DOCUMENT_SHOWN: Words("showed a hidden document again", "show a hidden document again"),
        EventKind.DOCUMENT_RELEASED: Words(
            "opened a waiting result to the patient", "open a waiting result to the patient"
        ),
        EventKind.DOCUMENT_ARCHIVED: Words("archived a document", "archive a document"),
        EventKind.DOCUMENT_UNARCHIVED: Words(
            "took a document out of the archive", "take a document out of the archive"
        ),
        EventKind.DOCUMENT_WITHDRAWN: Words("withdrew a document", "withdraw a document"),
        EventKind.DOCUMENT_AUDIENCE_READ: Words("looked at who may read a document", "look at who may read a document"),
        EventKind.CHOICE_RECORDED: Words("recorded a choice about access", "record a choice about access"),
        EventKind.CHOICE_CHANGED: Words("changed a choice about access", "change a choice about access"),
        EventKind.CHOICE_REVOKED: Words("ended a choice about access", "end a choice about access"),
        EventKind.CONSENT_GIVEN: Words("recorded an agreement to an access", "record an agreement to an access"),
        EventKind.CONSENT_REVOKED: Words("ended an agreement to an access", "end an agreement to an access"),
        EventKind.PROFESSIONAL_BLOCKED: Words(
            "blocked somebody’s access to the space", "block somebody’s access to the space"
        ),
        EventKind.PROFESSIONAL_UNBLOCKED: Words("lifted a block of access", "lift a block of access"),
        EventKind.DOCUMENTS_WITHHELD: Words(
            "closed a part of the documents to somebody", "close a part of the documents to somebody"
        ),
        EventKind.PHYSICIAN_DECLARED: Words("declared an attending physician", "declare an attending physician"),
        EventKind.PHYSICIAN_UNDECLARED: Words(
            "ended the declaration of an attending physician", "end the declaration of an attending physician"
        ),
        EventKind.ADMINISTRATOR_NAMED: Words(
            "gave a professional the rights of the attending physician",
            "give a professional the rights of the attending physician",
        ),
        EventKind.ADMINISTRATOR_REMOVED: Words(
            "took back the rights of the attending physician from a professional",
            "take back the rights of the attending physician from a professional",
        ),
        EventKind.GUARDIAN_RECORDED: Words(
            "recorded the authority of a legal representative", "record the authority of a legal representative"
        ),
        EventKind.GUARDIAN_REMOVED: Words(
            "ended the authority of a legal representative", "end the authority of a legal representative"
        ),
        EventKind.CARER_NAMED: Words("named a carer", "name a carer"),
        EventKind.CARER_REMOVED: Words("ended the access of a carer", "end the access of a carer"),
        EventKind.SWITCH_SET: Words("changed a setting of the space", "change a setting of the space"),
        EventKind.CHOICES_REPAIRED: Words(
            "withdrew a choice that cannot be applied", "withdraw a choice that cannot be applied"
        ),
        EventKind.SPACE_CREATED: Words("recorded the patient and the space", "record the patient and the space"),
        EventKind.SPACE_ANNOUNCED: Words("announced the opening of the space", "announce the opening of the space"),
        EventKind.SPACE_OPPOSED: Words(
            "recorded the opposition to the opening of the space", "record the opposition to the opening of the space"
        ),
        EventKind.SPACE_OPENED: Words("opened the space", "open the space"),
        EventKind.SPACE_SUSPENDED: Words("suspended access to the space", "suspend access to the space"),
        EventKind.SPACE_CLOSED: Words("closed the space", "close the space"),
        EventKind.ERASURE_REQUESTED: Words("asked for the erasure of the space", "have the space erased"),
        EventKind.SPACE_ERASED: Words("erased the space", "erase the space"),
        EventKind.DEATH_RECORDED: Words("recorded the patient’s death", "record the patient’s death"),
        EventKind.SPACE_STATUS_READ: Words("looked at the state of the space", "look at the state of the space"),
        EventKind.ERASURE_DUE: Words("noted that the space is to be erased", "note that the space is to be erased"),
        EventKind.SEAL_ENDED: Words(
            "ended the time in which a document was not shown to the patient",
            "end the time in which a document was not shown to the patient",
        ),
        EventKind.REVIEW_OVERDUE: Words(
            "noted that an emergency access was not reviewed in time",
            "note that an emergency access was not reviewed in time",
        ),
        EventKind.GLASS_BROKEN: Words(
            "opened the space in an emergency (break-glass)", "open the space in an emergency (break-glass)"
        ),
        EventKind.REGULATION_OPENED: Words(
            "opened the space for an emergency call", "open the space for an emergency call"
        ),
        EventKind.ACCESS_CONTESTED: Words("contested an emergency access", "contest an emergency access"),
        EventKind.ACCESS_REVIEWED: Words("reviewed an emergency access", "review an emergency access"),
        EventKind.REVIEW_QUEUE_READ: Words(
            "looked at the emergency accesses that wait for review",
            "look at the emergency accesses that wait for review",
        ),
        EventKind.REVIEW_STATUS_READ: Words(
            "looked at the review of an emergency access", "look at the review of an emergency access"
        ),
        EventKind.DECISION_EXPLAINED: Words(
            "asked why access is given or refused", "know why access is given or refused"
        ),
        EventKind.SIGNED_IN: Words("signed in", "sign in"),
        EventKind.SIGNED_OUT: Words("signed out", "sign out"),
        EventKind.SIGN_IN_LINKED: Words("linked another sign-in to the account", "link another sign-in to the account"),
        EventKind.APP_LET_IN: Words("let the app %(app)s act for them", "let the app %(app)s act for them"),
        EventKind.APP_TURNED_AWAY: Words(
            "refused to let the app %(app)s act for them", "refuse to let the app %(app)s act for them"
        ),
        EventKind.APP_CUT: Words(
            "ended the right of the app %(app)s to act", "end the right of the app %(app)s to act"
        ),
        EventKind.TOKEN_ISSUED: Words("received an access token", "receive an access token"),
        EventKind.EMERGENCY_TOKEN_ISSUED: Words(
            "received access for a declared emergency", "receive access for a declared emergency"
        ),
        EventKind.ACCOUNT_ADDED: Words("recorded an account", "record an account"),
        EventKind.ACCOUNT_CHANGED: Words("changed what the account may do", "change what the account may do"),
        EventKind.ACCOUNT_DISABLED: Words("stopped the account", "stop the account"),
        EventKind.ACCOUNT_ENABLED: Words("opened the account again", "open the account again"),
        EventKind.ACCOUNT_INVITED: Words(
            "made a code that links another sign-in to the account",
            "make a code that links another sign-in to the account",
        ),
        EventKind.PASSWORD_SET: Words("changed the password of the account", "change the password of the account"),
        EventKind.CODE_GENERATOR_SET: Words(
            "set up an authenticator app for the account", "set up an authenticator app for the account"
        ),
        EventKind.PASSKEY_ADDED: Words("added a passkey to the account", "add a passkey to the account"),
        EventKind.PASSKEY_REMOVED: Words("removed a passkey from the account", "remove a passkey from the account"),
        EventKind.FACTORS_RESET: Words(
            "erased the second factors of the account", "erase the second factors of the account"
        ),
        EventKind.ENROLMENT_CODE_ISSUED: Words(
            "made a code to enrol a second factor of the account", "make a code to enrol a second factor of the account"
        ),
        EventKind.NOTICE_ADDRESS_PROPOSED: Words(
            "gave an address for mails about notices", "give an address for mails about notices"
        ),
        EventKind.NOTICE_ADDRESS_SET: Words(
            "confirmed an address for mails about notices", "confirm an address for mails about notices"
        ),
        EventKind.NOTICE_ADDRESS_REMOVED: Words(
            "removed the address for mails about notices", "remove the address for mails about notices"
        ),
        EventKind.NOTICES_CHOSEN: Words("chose which notices are mailed", "choose which notices are mailed"),
        EventKind.CLIENT_REGISTERED: Words("registered an app", "register an app"),
        EventKind.CLIENT_CHANGED: Words("changed an app", "change an app"),
        EventKind.CLIENT_REMOVED: Words("removed an app", "remove an app"),
        EventKind.CLIENT_DISABLED: Words("stopped an app", "stop an app"),
        EventKind.CLIENT_ENABLED: Words("let an app work again", "let an app work again"),
        EventKind.CLIENT_REKEYED: Words("replaced the keys of an app", "replace the keys of an app"),
        EventKind.DATA_KEY_ROTATED: Words("replaced the key of the data", "replace the key of the data"),
        EventKind.SIGNING_KEY_ROTATED: Words("replaced the signing key", "replace the signing key"),
        EventKind.SERVICE_BACKED_UP: Words("made a backup of the service", "make a backup of the service"),
        EventKind.SERVICE_RESTORED: Words(
            "restored the service to an earlier state", "restore the service to an earlier state"
        ),
        EventKind.MESSAGE_RETRIED: Words(
            "sent a failed message to the worker again", "send a failed message to the worker again"
        ),
        EventKind.MESSAGE_DROPPED: Words("dropped a failed message", "drop a failed message"),
        EventKind.LOCKDOWN_BEGUN: Words("stopped everything but emergencies", "stop everything but emergencies"),
        EventKind.LOCKDOWN_ENDED: Words("opened the service to everybody again", "open the service to everybody again"),
    }
)
NOTICES: Mapping[NoticeKind, str | EventKind] = MappingProxyType(
    {
        NoticeKind.ANNOUNCED: "A health space will be opened six weeks after this message, unless it is opposed.",
        NoticeKind.OPPOSED: "The opposition to the opening of the space is recorded. This message is the proof.",
        NoticeKind.OPENED: "The space is open.",
        NoticeKind.SUSPENDED: "Access to the space is suspended. It closes after six weeks unless this is opposed.",
        NoticeKind.CLOSED: "The space is closed. Its data are archived; it can be opened again.",
        NoticeKind.ERASURE_ASKED: "The erasure of the closed space was asked for; it happens within three months.",
        NoticeKind.WAITING: "The space was updated; it is advisable to talk about it with a health professional, in "
        "particular the attending physician.",
        NoticeKind.FIRST_ACCESS: "%(who)s looked at the space for the first time.",
        NoticeKind.ACCESS: "%(who)s looked at the space.",
        NoticeKind.BREAK_GLASS: EventKind.GLASS_BROKEN,
        NoticeKind.REGULATION: EventKind.REGULATION_OPENED,
        NoticeKind.REVIEWED: "The opening of the space in an emergency by %(who)s was reviewed.",
        NoticeKind.FILED: EventKind.DOCUMENTS_PUBLISHED,
        NoticeKind.CHANGED: "%(who)s changed a document of the space.",
        NoticeKind.CHOICE_CLOSED: "A choice recorded in the space cannot be applied as it is written. It gives nobody "
        "access; record it again if it is still wanted.",
        NoticeKind.PASSWORD: EventKind.PASSWORD_SET,
        NoticeKind.FACTORS: "%(who)s changed the second factor of the account.",
    }
)
"""The sentence of each kind of notice; a kind of event stands for “who did what” in the words of that kind."""
REVIEWS: Mapping[ReviewOutcome, str] = MappingProxyType(
    {
        ReviewOutcome.JUSTIFIED: "Result of the review: the access was justified.",
        ReviewOutcome.NOT_JUSTIFIED: "Result of the review: the access was not justified.",
        ReviewOutcome.DISCIPLINARY: "Result of the review: the access was not justified, and disciplinary steps "
        "follow.",
    }
)
WANTED = "wanted to %(act)s"
SOFTWARE = "A program"
TO_REVIEW = "To be reviewed by %(when)s."
OPENED_ON = "It was opened on %(when)s."
