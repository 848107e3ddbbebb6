"""The kinds of events: what can happen to a space, a document, a choice, an account, an app, or the service.

An act has a kind of its own where a person would call it by a name of its own. Reading, searching and writing
resources has one kind for each interaction; the type of the resource is beside it. A kind stands with its row (its
codes in the audit log, whether it is a choice, who may know, who is told) and with its words: none may be forgotten.
Source: docs/adr/0073-one-row-for-each-kind-of-event.md; https://hl7.org/fhir/R4/http.html for the interactions.
"""

from typing import Self

from consent_rules.vocabulary import Code
from fhir_server.domain.events.rules import Choice, EventRow, NoticeKind, NoticeRule, Recipients, Secrecy
from fhir_server.domain.values import Interaction

_READ, _CREATE, _UPDATE = Interaction.READ, Interaction.CREATE, Interaction.UPDATE
_PATCH, _DELETE = Interaction.PATCH, Interaction.DELETE
_TRANSACTION, _CALL = Interaction.TRANSACTION, Interaction.OPERATION
_CALLED = (_CALL,)
_SAYS, _REVISES = (_CREATE, _UPDATE, _PATCH), (_UPDATE, _PATCH)
_DOCUMENT, _CONSENT, _PATIENT, _TASK = "DocumentReference", "Consent", "Patient", "Task"
_NEVER, _ALWAYS, _OF_THE_SIDE, _IN_A_SPACE = Choice.NEVER, Choice.ALWAYS, Choice.OF_THE_SIDE, Choice.IN_A_SPACE
_DOCUMENTS, _OPEN, _HOLDER = Secrecy.DOCUMENTS, Secrecy.OPEN, Secrecy.HOLDER


def _told(kind: NoticeKind, to: Recipients = Recipients.HOLDERS) -> tuple[NoticeRule, ...]:
    return (NoticeRule(kind, to),)


_PHYSICIANS, _ALONE = Recipients.PHYSICIANS, Recipients.HOLDER
_UNTOLD: tuple[NoticeRule, ...] = ()
_ACCESS = (*_told(NoticeKind.FIRST_ACCESS), *_told(NoticeKind.ACCESS))
_FILED = (*_told(NoticeKind.FILED), *_told(NoticeKind.WAITING))
_CHANGED = _told(NoticeKind.CHANGED)


class EventKind(Code):
    """What happened, or what somebody wanted to do when the outcome is a refusal or a failure.

    did, wish: what somebody did and wanted to do, in English; `words.Words` says what may stand in it.
    """

    _value_: str
    row: EventRow
    did: str
    wish: str

    def __new__(cls, value: str, row: EventRow, did: str, wish: str) -> Self:
        """Make a member, which equals its code."""
        made = str.__new__(cls, value)
        made._value_, made.row, made.did, made.wish = value, row, did, wish
        return made

    # fmt: off
    RESOURCE_READ = ("resource-read", EventRow((_READ,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "looked at %(thing)s", "look at %(thing)s")
    RESOURCE_VERSION_READ = ("resource-version-read", EventRow((Interaction.VREAD,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "looked at an earlier version %(of_thing)s", "look at an earlier version %(of_thing)s")
    RESOURCE_HISTORY_READ = ("resource-history-read",
        EventRow((Interaction.HISTORY,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "looked at the history %(of_thing)s", "look at the history %(of_thing)s")
    RESOURCES_SEARCHED = ("resources-searched", EventRow((Interaction.SEARCH,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "looked at %(things)s", "look at %(things)s")
    EVERYTHING_READ = ("everything-read", EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _ACCESS, "everything"),
        "looked at everything in the space that is open to them",
        "look at everything in the space that is open to them")
    DATA_EXPORTED = ("data-exported", EventRow((Interaction.SEARCH,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "took a copy of %(things)s along in an export", "take a copy of %(things)s along in an export")
    SPACE_COPIED = ("space-copied",
        EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _UNTOLD, "export-space"),
        "took a copy of everything in the space that is open to them",
        "take a copy of everything in the space that is open to them")
    SPACE_BROUGHT = ("space-brought", EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _UNTOLD, "import-space"),
        "brought a copy of the space from another server", "bring a copy of the space from another server")
    SUMMARY_READ = ("summary-read", EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _ACCESS, "summary"),
        "looked at a summary of the space", "look at a summary of the space")
    PATIENT_LOOKED_UP = ("patient-looked-up",
        EventRow((_CALL, Interaction.SEARCH), _PATIENT, _NEVER, _DOCUMENTS, _UNTOLD, "match"),
        "looked the patient up by traits of identity", "look a patient up by traits of identity")
    RESOURCE_CREATED = ("resource-created", EventRow((_CREATE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "recorded %(thing)s", "record %(thing)s")
    AUDIT_EVENT_RECEIVED = ("audit-event-received", EventRow((_CREATE,), "AuditEvent", _NEVER, _OPEN, _UNTOLD),
        "told of an event of another system", "tell of an event of another system")
    RESOURCE_UPDATED = ("resource-updated", EventRow((_UPDATE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "changed %(thing)s", "change %(thing)s")
    RESOURCE_PATCHED = ("resource-patched", EventRow((_PATCH,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "changed %(thing)s", "change %(thing)s")
    RESOURCE_DELETED = ("resource-deleted", EventRow((_DELETE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "withdrew %(thing)s", "withdraw %(thing)s")
    REQUESTS_SENT = ("requests-sent", EventRow((_TRANSACTION, Interaction.BATCH), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "sent several requests at once", "send several requests at once")
    OPERATION_CALLED = ("operation-called", EventRow((_CALL,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        "called an operation", "call an operation")
    EXPORT_ASKED = ("export-asked", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "export"),
        "asked for an export", "ask for an export")
    EXPORT_LOOKED_AT = ("export-looked-at", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "export-status"),
        "looked at the progress of an export", "look at the progress of an export")
    EXPORT_FETCHED = ("export-fetched", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "export-file"),
        "fetched a file of an export", "fetch a file of an export")
    EXPORT_ENDED = ("export-ended", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "end-export"),
        "ended an export", "end an export")
    EVENT_NOTIFIED = ("event-notified", EventRow((Interaction.SEARCH,), None, _NEVER, _DOCUMENTS, _ACCESS),
        "was notified of %(things)s", "be notified of %(things)s")
    SUBSCRIPTION_MADE = ("subscription-made", EventRow((_CREATE,), "Subscription", _NEVER, _OPEN, _UNTOLD),
        "subscribed to notifications", "subscribe to notifications")
    SUBSCRIPTION_CHANGED = ("subscription-changed", EventRow((_UPDATE,), "Subscription", _NEVER, _OPEN, _UNTOLD),
        "changed a subscription to notifications", "change a subscription to notifications")
    SUBSCRIPTION_ENDED = ("subscription-ended", EventRow((_DELETE,), "Subscription", _NEVER, _OPEN, _UNTOLD),
        "ended a subscription to notifications", "end a subscription to notifications")
    SUBSCRIPTION_LOOKED_AT = ("subscription-looked-at",
        EventRow((_READ, Interaction.SEARCH), "Subscription", _NEVER, _OPEN, _UNTOLD),
        "looked at a subscription to notifications", "look at a subscription to notifications")
    SUBSCRIPTION_TRIED = ("subscription-tried", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "handshake"),
        "was sent a first notification, which says nothing", "be sent a first notification, which says nothing")
    SUBSCRIPTION_EVENTS_READ = ("subscription-events-read",
        EventRow(_CALLED, "Subscription", _NEVER, _OPEN, _UNTOLD, "events"),
        "looked at earlier notifications", "look at earlier notifications")
    DOCUMENT_OPENED = ("document-opened", EventRow((_READ,), "Binary", _NEVER, _DOCUMENTS, _ACCESS),
        "opened a document", "open a document")
    DOCUMENTS_PUBLISHED = ("documents-published", EventRow((_TRANSACTION,), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        "filed documents", "file documents")
    DOCUMENT_PUBLISHED = ("document-published", EventRow((_CREATE,), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        "filed a document", "file a document")
    DOCUMENT_REPLACED = ("document-replaced", EventRow((_TRANSACTION, _CREATE), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        "replaced a document", "replace a document")
    DOCUMENT_CHANGED = ("document-changed", EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        "changed the visibility or the state of a document", "change the visibility or the state of a document")
    DOCUMENT_VISIBILITY_CHANGED = ("document-visibility-changed",
        EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        "changed the visibility of a document", "change the visibility of a document")
    DOCUMENT_HIDDEN = ("document-hidden", EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        "hid a document", "hide a document")
    DOCUMENT_SHOWN = ("document-shown", EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        "showed a hidden document again", "show a hidden document again")
    DOCUMENT_RELEASED = ("document-released", EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        "made a waiting result visible to the patient", "make a waiting result visible to the patient")
    DOCUMENT_ARCHIVED = ("document-archived", EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        "archived a document", "archive a document")
    DOCUMENT_UNARCHIVED = ("document-unarchived", EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        "took a document out of the archive", "take a document out of the archive")
    DOCUMENT_WITHDRAWN = ("document-withdrawn", EventRow((_DELETE,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        "withdrew a document", "withdraw a document")
    DOCUMENT_AUDIENCE_READ = ("document-audience-read",
        EventRow(_CALLED, _DOCUMENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "audience"),
        "looked at who may read a document", "look at who may read a document")
    CHOICE_RECORDED = ("choice-recorded", EventRow((_CREATE,), _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "recorded a choice about access", "record a choice about access")
    CHOICE_CHANGED = ("choice-changed", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "changed a choice about access", "change a choice about access")
    CHOICE_REVOKED = ("choice-revoked", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "ended a choice about access", "end a choice about access")
    CONSENT_GIVEN = ("consent-given", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _told(NoticeKind.DECLARED)),
        "recorded an agreement to an access", "record an agreement to an access")
    CONSENT_REVOKED = ("consent-revoked", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "ended an agreement to an access", "end an agreement to an access")
    INVITATION_MADE = ("invitation-made", EventRow(_CALLED, _PATIENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "invite"),
        "made a one-time code for a professional", "make a one-time code for a professional")
    INVITATION_CANCELLED = ("invitation-cancelled",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "cancel-invitation"),
        "cancelled the one-time codes for professionals", "cancel the one-time codes for professionals")
    INVITATIONS_LOOKED_AT = ("invitations-looked-at",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "invitations"),
        "looked at the one-time codes in force", "look at the one-time codes in force")
    INVITATION_REDEEMED = ("invitation-redeemed",
        EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _told(NoticeKind.LET_IN), "redeem"),
        "used a code that the patient showed", "use a code that the patient showed")
    CARD_PRESENTED = ("card-presented",
        EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _told(NoticeKind.CARD_READ), "present-card"),
        "used the patient’s card, which registered software has read",
        "use the patient’s card, which registered software has read")
    ADMISSION_RECORDED = ("admission-recorded",
        EventRow((_CREATE,), "Encounter", _ALWAYS, _OPEN, _told(NoticeKind.ADMITTED)),
        "said that the patient is in its care", "say that the patient is in its care")
    ADMISSION_CHANGED = ("admission-changed", EventRow((_UPDATE,), "Encounter", _ALWAYS, _OPEN, _UNTOLD),
        "changed what it had said about the patient’s care", "change what it had said about the patient’s care")
    PROFESSIONAL_BLOCKED = ("professional-blocked", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "blocked somebody’s access to the space", "block somebody’s access to the space")
    PROFESSIONAL_UNBLOCKED = ("professional-unblocked", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "lifted a block of access", "lift a block of access")
    DOCUMENTS_WITHHELD = ("documents-withheld", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "closed a part of the documents to somebody", "close a part of the documents to somebody")
    PHYSICIAN_DECLARED = ("physician-declared", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "declared an attending physician", "declare an attending physician")
    PHYSICIAN_UNDECLARED = ("physician-undeclared", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "ended the declaration of an attending physician", "end the declaration of an attending physician")
    ADMINISTRATOR_NAMED = ("administrator-named", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "gave a professional the rights of the attending physician",
        "give a professional the rights of the attending physician")
    ADMINISTRATOR_REMOVED = ("administrator-removed", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "took back the rights of the attending physician from a professional",
        "take back the rights of the attending physician from a professional")
    GUARDIAN_RECORDED = ("guardian-recorded", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "recorded the authority of a legal representative", "record the authority of a legal representative")
    GUARDIAN_REMOVED = ("guardian-removed", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "ended the authority of a legal representative", "end the authority of a legal representative")
    CARER_NAMED = ("carer-named", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "named a carer", "name a carer")
    CARER_REMOVED = ("carer-removed", EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "ended the access of a carer", "end the access of a carer")
    CARER_ENDS = ("carer-ends", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.CARER_ENDS), "carer-ends"),
        "noted that the access of a carer ends soon", "note that the access of a carer ends soon")
    RELATIVE_INVITED = ("relative-invited", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "invite-relative"),
        "invited a relative to act for the patient", "invite a relative to act for the patient")
    RELATIVE_JOINED = ("relative-joined", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "accept-invitation"),
        "accepted an invitation to act for the patient", "accept an invitation to act for the patient")
    SWITCH_SET = ("switch-set", EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        "changed a setting of the space", "change a setting of the space")
    CHOICES_REPAIRED = ("choices-repaired",
        EventRow(_CALLED, _CONSENT, _ALWAYS, _DOCUMENTS, _told(NoticeKind.CHOICE_CLOSED), "repair-choices"),
        "withdrew a choice that cannot be applied", "withdraw a choice that cannot be applied")
    SPACE_CREATED = ("space-created", EventRow((_CREATE,), _PATIENT, _NEVER, _OPEN, _told(NoticeKind.ANNOUNCED)),
        "recorded the patient and the space", "record the patient and the space")
    SPACE_ANNOUNCED = ("space-announced",
        EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _told(NoticeKind.ANNOUNCED), "announce-space"),
        "announced the opening of the space", "announce the opening of the space")
    SPACE_OPPOSED = ("space-opposed",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.OPPOSED), "oppose-space"),
        "recorded the opposition to the opening of the space", "record the opposition to the opening of the space")
    SPACE_OPENED = ("space-opened", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.OPENED), "open-space"),
        "opened the space", "open the space")
    SPACE_SUSPENDED = ("space-suspended",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.SUSPENDED), "suspend-space"),
        "suspended access to the space", "suspend access to the space")
    SPACE_CLOSED = ("space-closed",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.CLOSED), "close-space"),
        "closed the space", "close the space")
    SPACE_CLOSED_FOR_ERASURE = ("space-closed-for-erasure",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, (*_told(NoticeKind.CLOSED), *_told(NoticeKind.ERASURE_ASKED)),
            "close-space"),
        "closed the space and asked for its erasure", "close the space and have it erased")
    ERASURE_REQUESTED = ("erasure-requested",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.ERASURE_ASKED), "request-erasure"),
        "asked for the erasure of the space", "have the space erased")
    SPACE_ERASED = ("space-erased", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "erase-space"),
        "erased the space", "erase the space")
    DEATH_RECORDED = ("death-recorded",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.CLOSED), "record-death"),
        "recorded the patient’s death", "record the patient’s death")
    IDENTITIES_MERGED = ("identities-merged",
        EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _told(NoticeKind.MERGED), "merge"),
        "merged this identity with another", "merge this identity with another")
    MERGE_PREVIEWED = ("merge-previewed", EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _UNTOLD, "merge"),
        "checked whether this identity can be merged with another",
        "check whether this identity can be merged with another")
    IDENTITIES_UNMERGED = ("identities-unmerged",
        EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _told(NoticeKind.UNMERGED), "unmerge"),
        "undid the merge of this identity with another", "undo the merge of this identity with another")
    ERASURE_DUE = ("erasure-due", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "erasure-due"),
        "noted that the space is to be erased", "note that the space is to be erased")
    SEAL_ENDED = ("seal-ended", EventRow(_CALLED, _DOCUMENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "end-seal"),
        "noted the end of the time in which a document was not shown to the patient",
        "note the end of the time in which a document was not shown to the patient")
    SPACE_STATUS_READ = ("space-status-read", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "space-status"),
        "looked at the state of the space", "look at the state of the space")
    SPACE_SETTINGS_READ = ("space-settings-read",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "space-settings"),
        "looked at the settings of the space", "look at the settings of the space")
    GLASS_BROKEN = ("glass-broken",
        EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _told(NoticeKind.BREAK_GLASS, _PHYSICIANS), "break-glass"),
        "opened the space in an emergency (break-glass)", "open the space in an emergency (break-glass)")
    REGULATION_OPENED = ("regulation-opened",
        EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _told(NoticeKind.REGULATION, _PHYSICIANS), "regulation-access"),
        "opened the space for an emergency call", "open the space for an emergency call")
    ACCESS_CONTESTED = ("access-contested", EventRow(_CALLED, _TASK, _ALWAYS, _DOCUMENTS, _UNTOLD, "contest-emergency"),
        "contested an emergency access", "contest an emergency access")
    ACCESS_REVIEWED = ("access-reviewed",
        EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _told(NoticeKind.REVIEWED), "review-emergency"),
        "reviewed an emergency access", "review an emergency access")
    REVIEW_OVERDUE = ("review-overdue", EventRow(_CALLED, _PATIENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "review-overdue"),
        "noted that an emergency access was not reviewed in time",
        "note that an emergency access was not reviewed in time")
    REVIEW_QUEUE_READ = ("review-queue-read", EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _UNTOLD, "review-queue"),
        "looked at the emergency accesses that wait for review", "look at the emergency accesses that wait for review")
    REVIEW_STATUS_READ = ("review-status-read",
        EventRow(_CALLED, _TASK, _OF_THE_SIDE, _DOCUMENTS, _UNTOLD, "review-status"),
        "looked at the review of an emergency access", "look at the review of an emergency access")
    CONTESTED = ("contested", EventRow(_CALLED, None, _ALWAYS, _DOCUMENTS, _UNTOLD, "contest"),
        "contested what a professional did or declared", "contest what a professional did or declared")
    CONTEST_WITHDRAWN = ("contest-withdrawn", EventRow(_CALLED, None, _ALWAYS, _DOCUMENTS, _UNTOLD, "withdraw-contest"),
        "withdrew a contest", "withdraw a contest")
    CASE_DECIDED = ("case-decided",
        EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _told(NoticeKind.DECIDED), "decide-case"),
        "decided a case of the data-protection officer", "decide a case of the data-protection officer")
    CASE_OVERDUE = ("case-overdue", EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _UNTOLD, "case-overdue"),
        "noted that a case was not decided in time", "note that a case was not decided in time")
    CASE_QUEUE_READ = ("case-queue-read", EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _UNTOLD, "case-queue"),
        "looked at the cases that wait for a decision", "look at the cases that wait for a decision")
    CASE_READ = ("case-read", EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _UNTOLD, "case"),
        "looked at a case of the data-protection officer", "look at a case of the data-protection officer")
    ACCESS_UNEXPLAINED = ("access-unexplained",
        EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.UNEXPLAINED), "tell-unexplained"),
        "noted an access that nothing explains", "note an access that nothing explains")
    DECISION_EXPLAINED = ("decision-explained", EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _UNTOLD, "explain"),
        "asked why access is given or refused", "know why access is given or refused")
    SIGNED_IN = "signed-in", EventRow((Interaction.LOGIN,), None, _NEVER, _OPEN, _UNTOLD), "signed in", "sign in"
    SIGNED_OUT = "signed-out", EventRow((Interaction.LOGOUT,), None, _NEVER, _OPEN, _UNTOLD), "signed out", "sign out"
    SIGNED_OUT_EVERYWHERE = ("signed-out-everywhere",
        EventRow((Interaction.LOGOUT,), None, _NEVER, _OPEN, _UNTOLD),
        "signed out on every device", "sign out on every device")
    SIGN_IN_LINKED = ("sign-in-linked", EventRow((Interaction.LOGIN,), None, _NEVER, _OPEN, _UNTOLD),
        "linked another sign-in to the account", "link another sign-in to the account")
    APP_LET_IN = ("app-let-in", EventRow((Interaction.AUTHORIZE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        "let the app %(app)s act for them", "let the app %(app)s act for them")
    APP_TURNED_AWAY = ("app-turned-away", EventRow((Interaction.AUTHORIZE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        "refused to let the app %(app)s act for them", "refuse to let the app %(app)s act for them")
    APP_CUT = ("app-cut", EventRow((Interaction.REVOKE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        "ended the right of the app %(app)s to act", "end the right of the app %(app)s to act")
    TOKEN_ISSUED = ("token-issued", EventRow((Interaction.TOKEN,), None, _NEVER, _OPEN, _UNTOLD),
        "received an access token", "receive an access token")
    EMERGENCY_TOKEN_ISSUED = ("emergency-token-issued", EventRow((Interaction.TOKEN,), None, _NEVER, _OPEN, _UNTOLD),
        "received access for a declared emergency", "receive access for a declared emergency")

    ACCOUNT_ADDED = ("account-added", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "add-user"),
        "recorded an account", "record an account")
    ACCOUNT_CHANGED = ("account-changed", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "edit-user"),
        "changed what the account may do", "change what the account may do")
    ACCOUNT_DISABLED = ("account-disabled", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "disable-user"),
        "disabled the account", "disable the account")
    ACCOUNT_ENABLED = ("account-enabled", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "enable-user"),
        "enabled the account again", "enable the account again")
    ACCOUNT_INVITED = ("account-invited", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "invite-user"),
        "made a code that links another sign-in to the account",
        "make a code that links another sign-in to the account")
    PASSWORD_SET = ("password-set",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.PASSWORD, _ALONE), "set-password"),
        "changed the password of the account", "change the password of the account")
    CODE_GENERATOR_SET = ("code-generator-set",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, _ALONE), "set-code-generator"),
        "set up an authenticator app for the account", "set up an authenticator app for the account")
    PASSKEY_ADDED = ("passkey-added",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, _ALONE), "add-passkey"),
        "added a passkey to the account", "add a passkey to the account")
    PASSKEY_REMOVED = ("passkey-removed",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, _ALONE), "remove-passkey"),
        "removed a passkey from the account", "remove a passkey from the account")
    FACTORS_RESET = ("factors-reset",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, _ALONE), "reset-factors"),
        "erased the second factors of the account", "erase the second factors of the account")
    ENROLMENT_CODE_ISSUED = ("enrolment-code-issued",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "issue-enrolment-code"),
        "made a code for setting up a second factor of the account",
        "make a code for setting up a second factor of the account")
    NOTICE_ADDRESS_PROPOSED = ("notice-address-proposed",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "propose-notice-address"),
        "gave an address for mails about notices", "give an address for mails about notices")
    NOTICE_ADDRESS_SET = ("notice-address-set",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "set-notice-address"),
        "confirmed an address for mails about notices", "confirm an address for mails about notices")
    NOTICE_ADDRESS_REMOVED = ("notice-address-removed",
        EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "remove-notice-address"),
        "removed the address for mails about notices", "remove the address for mails about notices")
    NOTICES_CHOSEN = ("notices-chosen", EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "choose-notices"),
        "chose which notices are mailed", "choose which notices are mailed")

    CLIENT_REGISTERED = ("client-registered", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "register-client"),
        "registered an app", "register an app")
    CLIENT_CHANGED = ("client-changed", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "edit-client"),
        "changed an app", "change an app")
    CLIENT_REMOVED = ("client-removed", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "remove-client"),
        "removed an app", "remove an app")
    CLIENT_DISABLED = ("client-disabled", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "disable-client"),
        "disabled an app", "disable an app")
    CLIENT_ENABLED = ("client-enabled", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "enable-client"),
        "enabled an app again", "enable an app again")
    CLIENT_REKEYED = ("client-rekeyed", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rekey-client"),
        "replaced the keys of an app", "replace the keys of an app")

    DATA_KEY_ROTATED = ("data-key-rotated", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rotate-keys"),
        "replaced the encryption key of the data", "replace the encryption key of the data")
    SIGNING_KEY_ROTATED = ("signing-key-rotated", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rotate-signing"),
        "replaced the signing key", "replace the signing key")
    INDEX_RENEWED = ("index-renewed", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "reindex"),
        "had the search index computed anew", "have the search index computed anew")
    SERVICE_BACKED_UP = ("service-backed-up", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "backup"),
        "made a backup of the service", "make a backup of the service")
    SERVICE_RESTORED = ("service-restored", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "restore"),
        "restored the service to an earlier state", "restore the service to an earlier state")
    MESSAGE_RETRIED = ("message-retried", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "retry-message"),
        "had a failed task of the service tried again", "have a failed task of the service tried again")
    MESSAGE_DROPPED = ("message-dropped", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "drop-message"),
        "dropped a failed task of the service", "drop a failed task of the service")
    LOCKDOWN_BEGUN = ("lockdown-begun", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "emergencies-only-on"),
        "stopped everything but emergencies", "stop everything but emergencies")
    LOCKDOWN_ENDED = ("lockdown-ended", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "emergencies-only-off"),
        "opened the service to everybody again", "open the service to everybody again")
    CEILING_REACHED = ("ceiling-reached", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "reach-ceiling"),
        "reported that a ceiling was reached", "report that a ceiling was reached")
    WORD_SUSPENDED = ("word-suspended", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "suspend-word"),
        "suspended somebody’s declarations: they open no more spaces", "suspend somebody’s declarations")
    WORD_RESUMED = ("word-resumed", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "resume-word"),
        "let somebody’s declarations open spaces again", "let somebody’s declarations open spaces again")
    SUSPENSIONS_READ = ("suspensions-read", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "suspensions"),
        "looked at whose declarations are suspended", "look at whose declarations are suspended")
    EXCEPTION_REGISTERED = ("exception-registered",
        EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "register-exception"),
        "registered other ceilings for a role", "register other ceilings for a role")
    EXCEPTION_ENDED = ("exception-ended", EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "end-exception"),
        "ended the other ceilings of a role", "end the other ceilings of a role")
    # fmt: on
