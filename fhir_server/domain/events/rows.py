"""One row for each kind of event: its codes in the audit log, whether it is a choice, who may know, who is told.

A field has no default where a kind must not be forgotten: a kind without a rule cannot be declared.
Source: docs/adr/0073-one-row-for-each-kind-of-event.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import Choice, NoticeKind, NoticeRule, Recipients, Secrecy
from fhir_server.domain.values import Interaction
from fhir_server.registry import AccessRule, types_under

_READ, _CREATE, _UPDATE = Interaction.READ, Interaction.CREATE, Interaction.UPDATE
_PATCH, _DELETE, _TRANSACTION, _CALL = (
    Interaction.PATCH,
    Interaction.DELETE,
    Interaction.TRANSACTION,
    Interaction.OPERATION,
)
_CALLED = (_CALL,)
_SAYS, _REVISES = (_CREATE, _UPDATE, _PATCH), (_UPDATE, _PATCH)
_DOCUMENT, _CONSENT, _PATIENT, _TASK = "DocumentReference", "Consent", "Patient", "Task"
_NEVER, _ALWAYS, _OF_THE_SIDE, _IN_A_SPACE = Choice.NEVER, Choice.ALWAYS, Choice.OF_THE_SIDE, Choice.IN_A_SPACE
_DOCUMENTS, _OPEN, _HOLDER = Secrecy.DOCUMENTS, Secrecy.OPEN, Secrecy.HOLDER
_CHOICE_TYPES = types_under(AccessRule.DIRECTIVE)


@dataclass(frozen=True, slots=True)
class EventRow:
    """What the server knows of one kind of event.

    interactions: by which the act is done, the usual one first. resource_type: None for any type or for no type.
    notices: which the event may owe, the usual one first; empty when it owes none.
    operation: "" for an interaction that is no operation.
    """

    interactions: tuple[Interaction, ...]
    resource_type: str | None
    choice: Choice
    secrecy: Secrecy
    notices: tuple[NoticeRule, ...]
    operation: str = ""


def _told(kind: NoticeKind, to: Recipients = Recipients.HOLDERS) -> tuple[NoticeRule, ...]:
    return (NoticeRule(kind, to),)


_UNTOLD: tuple[NoticeRule, ...] = ()
_ACCESS = (*_told(NoticeKind.FIRST_ACCESS), *_told(NoticeKind.ACCESS))
_FILED = (*_told(NoticeKind.FILED), *_told(NoticeKind.WAITING))
_CHANGED = _told(NoticeKind.CHANGED)

ROWS: Mapping[EventKind, EventRow] = MappingProxyType(
    {
        EventKind.RESOURCE_READ: EventRow((_READ,), None, _NEVER, _DOCUMENTS, _ACCESS),
        EventKind.RESOURCE_VERSION_READ: EventRow((Interaction.VREAD,), None, _NEVER, _DOCUMENTS, _ACCESS),
        EventKind.RESOURCE_HISTORY_READ: EventRow((Interaction.HISTORY,), None, _NEVER, _DOCUMENTS, _ACCESS),
        EventKind.RESOURCES_SEARCHED: EventRow((Interaction.SEARCH,), None, _NEVER, _DOCUMENTS, _ACCESS),
        EventKind.RESOURCE_CREATED: EventRow((_CREATE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.RESOURCE_UPDATED: EventRow((_UPDATE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.RESOURCE_PATCHED: EventRow((_PATCH,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.RESOURCE_DELETED: EventRow((_DELETE,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.REQUESTS_SENT: EventRow((_TRANSACTION, Interaction.BATCH), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.OPERATION_CALLED: EventRow((_CALL,), None, _NEVER, _DOCUMENTS, _UNTOLD),
        EventKind.DOCUMENT_OPENED: EventRow((_READ,), "Binary", _NEVER, _DOCUMENTS, _ACCESS),
        EventKind.DOCUMENTS_PUBLISHED: EventRow((_TRANSACTION,), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        EventKind.DOCUMENT_PUBLISHED: EventRow((_CREATE,), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        EventKind.DOCUMENT_REPLACED: EventRow((_TRANSACTION, _CREATE), _DOCUMENT, _NEVER, _DOCUMENTS, _FILED),
        EventKind.DOCUMENT_CHANGED: EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_VISIBILITY_CHANGED: EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_HIDDEN: EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_SHOWN: EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_RELEASED: EventRow((_PATCH,), _DOCUMENT, _ALWAYS, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_ARCHIVED: EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_UNARCHIVED: EventRow((_PATCH,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_WITHDRAWN: EventRow((_DELETE,), _DOCUMENT, _NEVER, _DOCUMENTS, _CHANGED),
        EventKind.DOCUMENT_AUDIENCE_READ: EventRow(_CALLED, _DOCUMENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "audience"),
        EventKind.CHOICE_RECORDED: EventRow((_CREATE,), _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CHOICE_CHANGED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CHOICE_REVOKED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CONSENT_GIVEN: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.PROFESSIONAL_BLOCKED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.PROFESSIONAL_UNBLOCKED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.DOCUMENTS_WITHHELD: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.PHYSICIAN_DECLARED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.ADMINISTRATOR_NAMED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.GUARDIAN_RECORDED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CARER_NAMED: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.SWITCH_SET: EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CONSENT_REVOKED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.PHYSICIAN_UNDECLARED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.ADMINISTRATOR_REMOVED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.GUARDIAN_REMOVED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CARER_REMOVED: EventRow(_REVISES, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),
        EventKind.CHOICES_REPAIRED: EventRow(
            _CALLED, _CONSENT, _ALWAYS, _DOCUMENTS, _told(NoticeKind.CHOICE_CLOSED), "repair-choices"
        ),
        EventKind.SPACE_CREATED: EventRow((_CREATE,), _PATIENT, _NEVER, _OPEN, _told(NoticeKind.ANNOUNCED)),
        EventKind.SPACE_ANNOUNCED: EventRow(
            _CALLED, _PATIENT, _NEVER, _OPEN, _told(NoticeKind.ANNOUNCED), "announce-space"
        ),
        EventKind.SPACE_OPPOSED: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.OPPOSED), "oppose-space"),
        EventKind.SPACE_OPENED: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.OPENED), "open-space"),
        EventKind.SPACE_SUSPENDED: EventRow(
            _CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.SUSPENDED), "suspend-space"
        ),
        EventKind.SPACE_CLOSED: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.CLOSED), "close-space"),
        EventKind.ERASURE_REQUESTED: EventRow(
            _CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.ERASURE_ASKED), "request-erasure"
        ),
        EventKind.SPACE_ERASED: EventRow(_CALLED, _PATIENT, _NEVER, _OPEN, _UNTOLD, "erase-space"),
        EventKind.DEATH_RECORDED: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _told(NoticeKind.CLOSED), "record-death"),
        EventKind.SPACE_STATUS_READ: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "space-status"),
        EventKind.ERASURE_DUE: EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, "erasure-due"),
        EventKind.SEAL_ENDED: EventRow(_CALLED, _DOCUMENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "end-seal"),
        EventKind.REVIEW_OVERDUE: EventRow(_CALLED, _PATIENT, _ALWAYS, _DOCUMENTS, _UNTOLD, "review-overdue"),
        EventKind.GLASS_BROKEN: EventRow(
            _CALLED, _PATIENT, _NEVER, _DOCUMENTS, _told(NoticeKind.BREAK_GLASS, Recipients.PHYSICIANS), "break-glass"
        ),
        EventKind.REGULATION_OPENED: EventRow(
            _CALLED,
            _PATIENT,
            _NEVER,
            _DOCUMENTS,
            _told(NoticeKind.REGULATION, Recipients.PHYSICIANS),
            "regulation-access",
        ),
        EventKind.ACCESS_CONTESTED: EventRow(_CALLED, _TASK, _ALWAYS, _DOCUMENTS, _UNTOLD, "contest-emergency"),
        EventKind.ACCESS_REVIEWED: EventRow(
            _CALLED, _TASK, _NEVER, _DOCUMENTS, _told(NoticeKind.REVIEWED), "review-emergency"
        ),
        EventKind.REVIEW_QUEUE_READ: EventRow(_CALLED, _TASK, _NEVER, _DOCUMENTS, _UNTOLD, "review-queue"),
        EventKind.REVIEW_STATUS_READ: EventRow(_CALLED, _TASK, _OF_THE_SIDE, _DOCUMENTS, _UNTOLD, "review-status"),
        EventKind.DECISION_EXPLAINED: EventRow(_CALLED, _PATIENT, _NEVER, _DOCUMENTS, _UNTOLD, "explain"),
        EventKind.SIGNED_IN: EventRow((Interaction.LOGIN,), None, _NEVER, _OPEN, _UNTOLD),
        EventKind.SIGNED_OUT: EventRow((Interaction.LOGOUT,), None, _NEVER, _OPEN, _UNTOLD),
        EventKind.SIGN_IN_LINKED: EventRow((Interaction.LOGIN,), None, _NEVER, _OPEN, _UNTOLD),
        EventKind.APP_LET_IN: EventRow((Interaction.AUTHORIZE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        EventKind.APP_TURNED_AWAY: EventRow((Interaction.AUTHORIZE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        EventKind.APP_CUT: EventRow((Interaction.REVOKE,), None, _OF_THE_SIDE, _OPEN, _UNTOLD),
        EventKind.TOKEN_ISSUED: EventRow((Interaction.TOKEN,), None, _NEVER, _OPEN, _UNTOLD),
        EventKind.EMERGENCY_TOKEN_ISSUED: EventRow((Interaction.TOKEN,), None, _NEVER, _OPEN, _UNTOLD),
        EventKind.ACCOUNT_ADDED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "add-user"),
        EventKind.ACCOUNT_CHANGED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "edit-user"),
        EventKind.ACCOUNT_DISABLED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "disable-user"),
        EventKind.ACCOUNT_ENABLED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "enable-user"),
        EventKind.ACCOUNT_INVITED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "invite-user"),
        EventKind.PASSWORD_SET: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.PASSWORD, Recipients.HOLDER), "set-password"
        ),
        EventKind.CODE_GENERATOR_SET: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, Recipients.HOLDER), "set-code-generator"
        ),
        EventKind.PASSKEY_ADDED: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, Recipients.HOLDER), "add-passkey"
        ),
        EventKind.PASSKEY_REMOVED: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, Recipients.HOLDER), "remove-passkey"
        ),
        EventKind.FACTORS_RESET: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _told(NoticeKind.FACTORS, Recipients.HOLDER), "reset-factors"
        ),
        EventKind.ENROLMENT_CODE_ISSUED: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "issue-enrolment-code"),
        EventKind.NOTICE_ADDRESS_PROPOSED: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "propose-notice-address"
        ),
        EventKind.NOTICE_ADDRESS_SET: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "set-notice-address"),
        EventKind.NOTICE_ADDRESS_REMOVED: EventRow(
            _CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "remove-notice-address"
        ),
        EventKind.NOTICES_CHOSEN: EventRow(_CALLED, None, _IN_A_SPACE, _HOLDER, _UNTOLD, "choose-notices"),
        EventKind.CLIENT_REGISTERED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "register-client"),
        EventKind.CLIENT_CHANGED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "edit-client"),
        EventKind.CLIENT_REMOVED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "remove-client"),
        EventKind.CLIENT_DISABLED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "disable-client"),
        EventKind.CLIENT_ENABLED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "enable-client"),
        EventKind.CLIENT_REKEYED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rekey-client"),
        EventKind.DATA_KEY_ROTATED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rotate-keys"),
        EventKind.SIGNING_KEY_ROTATED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "rotate-signing"),
        EventKind.SERVICE_BACKED_UP: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "backup"),
        EventKind.SERVICE_RESTORED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "restore"),
        EventKind.MESSAGE_RETRIED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "retry-message"),
        EventKind.MESSAGE_DROPPED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "drop-message"),
        EventKind.LOCKDOWN_BEGUN: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "emergencies-only-on"),
        EventKind.LOCKDOWN_ENDED: EventRow(_CALLED, None, _NEVER, _OPEN, _UNTOLD, "emergencies-only-off"),
    }
)


def _by_codes() -> dict[tuple[Interaction, str, str], EventKind]:
    """Return the kind that codes alone tell: the first row with these codes."""
    found: dict[tuple[Interaction, str, str], EventKind] = {}
    for kind, row in ROWS.items():
        of = "" if row.operation else row.resource_type or ""
        for interaction in row.interactions:
            found.setdefault((interaction, of, row.operation), kind)
    return found


_BY_CODES = _by_codes()


def kind_by_codes(interaction: Interaction, resource_type: str, operation: str) -> EventKind:
    """Return the kind that the codes of an event tell, for events that name no kind.

    An operation is known by its name, whatever type it was called on; an unknown operation is `OPERATION_CALLED`.
    """
    of = "" if operation else resource_type
    return _BY_CODES.get((interaction, of, operation)) or _BY_CODES[interaction, "", ""]


def is_choice(kind: EventKind, resource_type: str, *, of_the_side: bool, in_a_space: bool) -> bool:
    """Tell whether an event is a choice of the patient.

    Whatever is done to a Consent or a relation is one. of_the_side: whether the patient or somebody for the patient
    acts. in_a_space: whether the event belongs to a space.
    """
    rule = ROWS[kind].choice
    return (
        rule is Choice.ALWAYS
        or resource_type in _CHOICE_TYPES
        or (rule is Choice.OF_THE_SIDE and of_the_side)
        or (rule is Choice.IN_A_SPACE and in_a_space)
    )
