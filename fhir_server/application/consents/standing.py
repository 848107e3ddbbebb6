"""In which capacity a relative acts in a space now: what the pages say above everything that the relative does.

It tells a person only what names that person. Whether a request is permitted, the decision alone says.
Source: rules B1, B2 and B13.
"""

from dataclasses import dataclass
from datetime import date, datetime

from consent_rules import lifecycle
from consent_rules.lifecycle import is_minor
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, PatientId
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.directory.identity_traits import birthday


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody acts for a patient. kind: of the choice that names them.

    until: when it ends by itself, None for no end. classes: of the documents that a carer sees, None for all.
    is_limited: whether a carer sees some documents only. ends: the birthday from which nobody represents a minor.
    """

    kind: DirectiveKind
    until: datetime | None = None
    classes: frozenset[str] | None = None
    is_limited: bool = False
    ends: date | None = None


@query
def standing_of(runtime: Runtime, caller: Caller, patient: PatientId) -> Standing | None:
    """Return how the caller acts for somebody else; None for the patient, and for whom nothing names any more."""
    with runtime.ports.store.snapshot() as snapshot:
        record = record_of(patient, snapshot.load_space(patient))
    now, profile = runtime.now(), runtime.profile
    named = [d for d in record.directives if caller.requester.person in d.actors and d.holds_at(now)]
    by_kind = {kind: [d for d in named if d.kind is kind] for kind in DirectiveKind}
    if by_kind[DirectiveKind.GUARDIAN]:
        return Standing(DirectiveKind.GUARDIAN)
    if by_kind[DirectiveKind.REPRESENTATIVE] and is_minor(record, now, profile):
        return Standing(DirectiveKind.REPRESENTATIVE, ends=birthday(record.birth_date, profile.majority_age))
    carers = [d for d in by_kind[DirectiveKind.CARER] if d.end is not None]
    return _as_carer(carers) if carers else None


@query
def is_minor_with_account(runtime: Runtime, patient: PatientId) -> bool:
    """Tell a patient about themselves: whether they are under age, and old enough for an own account (B11)."""
    with runtime.ports.store.snapshot() as snapshot:
        record = record_of(patient, snapshot.load_space(patient))
    return lifecycle.is_minor_with_account(record, runtime.now(), runtime.profile)


def _as_carer(named: list[Directive]) -> Standing:
    limits = [d.categories for d in named]
    classes = frozenset[str]().union(*(one or () for one in limits)) if all(limits) else None
    until = max(d.end for d in named if d.end)
    return Standing(DirectiveKind.CARER, until, classes, is_limited=all(d.precision for d in named))
