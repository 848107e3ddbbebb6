"""Every kind of event played once: recorded as an AuditEvent, and read back as the journal reads it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.audit.audit_event import ISSUANCE, Stamp, trace_of
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.values import Interaction, Json
from fhir_server.registry import REGISTRY
from tests.factories import a_caller

AT = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
CAMILLE = a_caller(
    Requester(RequesterKind.PATIENT, person="Patient/camille"),
    client_id="notebook",
    client_name="Mon Carnet",
    display="Camille Laurent",
)
_SERVER = "https://habilis.example/fhir"


@dataclass(frozen=True, slots=True)
class Played:
    """One kind, for a type of resource or for none, and how it ended."""

    kind: EventKind
    audited: AuditedInteraction
    outcome: OutcomeCode

    @property
    def event(self) -> Json:
        """The AuditEvent as it is stored."""
        type_ = self.audited.resource_type
        is_search = self.audited.interaction == Interaction.SEARCH
        touched = (f"{type_}/x",) if type_ and not is_search else ()
        outcome = Outcome(self.outcome, "" if self.outcome == OutcomeCode.DONE else "forbidden", touched=touched)
        stamp = Stamp("id", AT, _SERVER, AT)
        return orjson.loads(trace_of(self.audited, outcome, CAMILLE, "camille", stamp).body)


def every_event(outcome: OutcomeCode = OutcomeCode.DONE) -> Iterator[Played]:
    """Yield each kind with each interaction and each type of resource by which it can happen."""
    for kind, row in ROWS.items():
        for interaction in row.interactions:
            for type_ in _types(kind, interaction):
                audited = AuditedInteraction(interaction, type_, operation=_operation(kind), kind=kind)
                if interaction == Interaction.HISTORY:  # of one resource; that of a type has no target
                    audited = replace(audited, target=f"{type_}/x")
                if interaction == Interaction.SEARCH:
                    audited = replace(audited, query=f"GET {_SERVER}/{type_}?_id=x")
                if kind in (EventKind.DOCUMENTS_PUBLISHED, EventKind.DOCUMENT_REPLACED) and (
                    interaction == Interaction.TRANSACTION
                ):
                    audited = replace(audited, transaction="ITI-65")
                yield Played(kind, audited, outcome)


def _types(kind: EventKind, interaction: Interaction) -> tuple[str, ...]:
    """Return the types with which a kind happens: for reading and writing resources, those that no other kind tells."""
    row = ROWS[kind]
    if row.resource_type is not None or not kind.startswith("resource"):
        return (row.resource_type or "",)
    taken = {
        other.resource_type
        for other in ROWS.values()
        if other.resource_type and not other.operation and interaction in other.interactions
    }
    offered = (name for name, one in REGISTRY.items() if interaction in one.interactions and name not in taken)
    return tuple(offered) or ("",)  # nobody deletes another type today, but somebody may ask for it


def _operation(kind: EventKind) -> str:
    return ISSUANCE if kind in (EventKind.TOKEN_ISSUED, EventKind.EMERGENCY_TOKEN_ISSUED) else ROWS[kind].operation
