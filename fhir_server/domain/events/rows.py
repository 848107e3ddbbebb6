"""One row for each kind of event: by which codes the audit log writes it.

Source: docs/adr/0073-one-row-for-each-kind-of-event.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction

_CREATE, _UPDATE, _PATCH, _DELETE = Interaction.CREATE, Interaction.UPDATE, Interaction.PATCH, Interaction.DELETE
_CHANGES = (_UPDATE, _PATCH)


@dataclass(frozen=True, slots=True)
class EventRow:
    """What the server knows of one kind of event.

    interactions: by which the act is done, the usual one first. resource_type: None for any type. operation: "" for an
    interaction that is no operation.
    """

    interactions: tuple[Interaction, ...]
    resource_type: str | None = None
    operation: str = ""


def _rest(*interactions: Interaction, of: str | None = None) -> EventRow:
    return EventRow(interactions, of)


def _operation(name: str, of: str = "") -> EventRow:
    return EventRow((Interaction.OPERATION,), of, name)


ROWS: Mapping[EventKind, EventRow] = MappingProxyType({
    EventKind.RESOURCE_READ: _rest(Interaction.READ),
    EventKind.RESOURCE_VERSION_READ: _rest(Interaction.VREAD),
    EventKind.RESOURCE_HISTORY_READ: _rest(Interaction.HISTORY),
    EventKind.RESOURCES_SEARCHED: _rest(Interaction.SEARCH),
    EventKind.RESOURCE_CREATED: _rest(_CREATE),
    EventKind.RESOURCE_UPDATED: _rest(_UPDATE),
    EventKind.RESOURCE_PATCHED: _rest(_PATCH),
    EventKind.RESOURCE_DELETED: _rest(_DELETE),
    EventKind.REQUESTS_SENT: _rest(Interaction.TRANSACTION, Interaction.BATCH),
    EventKind.OPERATION_CALLED: _rest(Interaction.OPERATION),
    EventKind.DOCUMENT_OPENED: _rest(Interaction.READ, of="Binary"),
    EventKind.DOCUMENTS_PUBLISHED: _rest(Interaction.TRANSACTION, of="DocumentReference"),
    EventKind.DOCUMENT_PUBLISHED: _rest(_CREATE, of="DocumentReference"),
    EventKind.DOCUMENT_REPLACED: _rest(Interaction.TRANSACTION, of="DocumentReference"),
    EventKind.DOCUMENT_CHANGED: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_HIDDEN: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_SHOWN: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_RELEASED: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_ARCHIVED: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_UNARCHIVED: _rest(_PATCH, of="DocumentReference"),
    EventKind.DOCUMENT_WITHDRAWN: _rest(_DELETE, of="DocumentReference"),
    EventKind.DOCUMENT_AUDIENCE_READ: _operation("audience", "DocumentReference"),
    EventKind.CHOICE_RECORDED: _rest(_CREATE, of="Consent"),
    EventKind.CHOICE_CHANGED: _rest(*_CHANGES, of="Consent"),
    EventKind.CHOICE_REVOKED: _rest(*_CHANGES, of="Consent"),
    EventKind.CONSENT_GIVEN: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.CONSENT_REVOKED: _rest(*_CHANGES, of="Consent"),
    EventKind.PROFESSIONAL_BLOCKED: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.PROFESSIONAL_UNBLOCKED: _rest(*_CHANGES, _CREATE, of="Consent"),
    EventKind.DOCUMENTS_WITHHELD: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.PHYSICIAN_DECLARED: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.PHYSICIAN_UNDECLARED: _rest(*_CHANGES, of="Consent"),
    EventKind.ADMINISTRATOR_NAMED: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.ADMINISTRATOR_REMOVED: _rest(*_CHANGES, of="Consent"),
    EventKind.GUARDIAN_RECORDED: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.GUARDIAN_REMOVED: _rest(*_CHANGES, of="Consent"),
    EventKind.CARER_NAMED: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.CARER_REMOVED: _rest(*_CHANGES, of="Consent"),
    EventKind.SWITCH_SET: _rest(_CREATE, *_CHANGES, of="Consent"),
    EventKind.CHOICES_REPAIRED: _operation("repair-choices", "Consent"),
    EventKind.SPACE_CREATED: _rest(_CREATE, of="Patient"),
    EventKind.SPACE_ANNOUNCED: _operation("announce-space", "Patient"),
    EventKind.SPACE_OPPOSED: _operation("oppose-space", "Patient"),
    EventKind.SPACE_OPENED: _operation("open-space", "Patient"),
    EventKind.SPACE_SUSPENDED: _operation("suspend-space", "Patient"),
    EventKind.SPACE_CLOSED: _operation("close-space", "Patient"),
    EventKind.ERASURE_REQUESTED: _operation("request-erasure", "Patient"),
    EventKind.SPACE_ERASED: _operation("erase-space", "Patient"),
    EventKind.DEATH_RECORDED: _operation("record-death", "Patient"),
    EventKind.ERASURE_DUE: _operation("erasure-due", "Patient"),
    EventKind.SEAL_ENDED: _operation("end-seal", "DocumentReference"),
    EventKind.SPACE_STATUS_READ: _operation("space-status", "Patient"),
    EventKind.GLASS_BROKEN: _operation("break-glass", "Patient"),
    EventKind.REGULATION_OPENED: _operation("regulation-access", "Patient"),
    EventKind.ACCESS_CONTESTED: _operation("contest-emergency", "Communication"),
    EventKind.ACCESS_REVIEWED: _operation("review-emergency", "Communication"),
    EventKind.REVIEW_OVERDUE: _operation("review-overdue", "Patient"),
    EventKind.REVIEW_QUEUE_READ: _operation("review-queue", "Communication"),
    EventKind.REVIEW_STATUS_READ: _operation("review-status", "Communication"),
    EventKind.DECISION_EXPLAINED: _operation("explain", "Patient"),
    EventKind.SIGNED_IN: _rest(Interaction.LOGIN),
    EventKind.SIGNED_OUT: _rest(Interaction.LOGOUT),
    EventKind.SIGN_IN_LINKED: _rest(Interaction.LOGIN),
    EventKind.APP_LET_IN: _rest(Interaction.AUTHORIZE),
    EventKind.APP_CUT: _rest(Interaction.REVOKE),
    EventKind.TOKEN_ISSUED: _rest(Interaction.TOKEN),
    EventKind.ACCOUNT_ADDED: _operation("add-user"),
    EventKind.ACCOUNT_CHANGED: _operation("edit-user"),
    EventKind.ACCOUNT_DISABLED: _operation("disable-user"),
    EventKind.ACCOUNT_ENABLED: _operation("enable-user"),
    EventKind.ACCOUNT_INVITED: _operation("invite-user"),
    EventKind.PASSWORD_SET: _operation("set-password"),
    EventKind.CODE_GENERATOR_SET: _operation("set-code-generator"),
    EventKind.PASSKEY_ADDED: _operation("add-passkey"),
    EventKind.PASSKEY_REMOVED: _operation("remove-passkey"),
    EventKind.FACTORS_RESET: _operation("reset-factors"),
    EventKind.ENROLMENT_CODE_ISSUED: _operation("issue-enrolment-code"),
    EventKind.NOTICE_ADDRESS_PROPOSED: _operation("propose-notice-address"),
    EventKind.NOTICE_ADDRESS_SET: _operation("set-notice-address"),
    EventKind.NOTICE_ADDRESS_REMOVED: _operation("remove-notice-address"),
    EventKind.NOTICES_CHOSEN: _operation("choose-notices"),
    EventKind.CLIENT_REGISTERED: _operation("register-client"),
    EventKind.CLIENT_CHANGED: _operation("edit-client"),
    EventKind.CLIENT_REMOVED: _operation("remove-client"),
    EventKind.CLIENT_DISABLED: _operation("disable-client"),
    EventKind.CLIENT_ENABLED: _operation("enable-client"),
    EventKind.CLIENT_REKEYED: _operation("rekey-client"),
    EventKind.DATA_KEY_ROTATED: _operation("rotate-keys"),
    EventKind.SIGNING_KEY_ROTATED: _operation("rotate-signing"),
    EventKind.SERVICE_BACKED_UP: _operation("backup"),
    EventKind.SERVICE_RESTORED: _operation("restore"),
    EventKind.MESSAGE_RETRIED: _operation("retry-message"),
    EventKind.MESSAGE_DROPPED: _operation("drop-message"),
    EventKind.LOCKDOWN_BEGUN: _operation("emergencies-only-on"),
    EventKind.LOCKDOWN_ENDED: _operation("emergencies-only-off"),
})  # fmt: skip


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
    return (
        _BY_CODES.get((interaction, "", operation))
        or _BY_CODES.get((interaction, resource_type, ""))
        or _BY_CODES[interaction, "", ""]
    )
