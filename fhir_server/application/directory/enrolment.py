"""Enrolling many insured persons: each one's space is announced, and opens after the term unless it is opposed.

A lot of persons is planned on one snapshot and committed with few syncs, each person by itself: whole, or not at all.
Enrolling somebody twice changes nothing, so that an interrupted run is simply run again.
Source: R.1111-28 of the French public health code (rules A1 to A3); docs/adr/0135-enrolment-from-a-file.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consent_rules.vocabulary import Code, PatientId
from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import identify
from fhir_server.application.core.unit_of_work import UnitOfWork, is_registry_operator
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import draft_grant
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.directory import identity_keys
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import AlreadyClaimed, Change, Snapshot, StoreConflict
from fhir_server.registry import PATIENT, REGISTRY


class Enrolled(Code):
    """What became of one person of a file."""

    ANNOUNCED = "announced"
    ALIKE = "announced-alike"
    """Announced; somebody with another number has the same traits, so that the two may be one person."""
    KNOWN = "known"
    """Recorded before, with traits that do not contradict the line."""
    OTHER_TRAITS = "other-traits"
    """The number is recorded with other traits: one of the two is mistyped, or it is another person's number."""
    OTHER_KEEPER = "other-keeper"
    """Other software keeps this identity."""
    REFUSED = "refused"
    """The number was another person's once, or the person cannot be recorded."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A person to be announced. number: system and value of the identifier. fate: once the change is committed."""

    number: tuple[str, str]
    id: str
    change: Change
    fate: Enrolled


@command(EventKind.SPACE_ANNOUNCED)
def enrol(runtime: Runtime, keeper: Client, by: str, patients: Sequence[Json]) -> tuple[Enrolled, ...]:
    """Enrol a lot of persons for the software that keeps their identities; return what became of each, in order.

    by: the operator, whom the audit log names beside the software. patients: a Patient each, with a national number;
    a person is committed whole or not at all.
    Raises: Problem(FORBIDDEN) when the software may not record identities, INSUFFICIENT_SCOPE; StoreUnavailable.
    """
    grant = replace(draft_grant(runtime, Grantee(keeper), keeper.scopes), client_name=f"{keeper.name} ({by})")
    caller = Caller.of_token(grant, "", grant.scopes)
    fates: dict[int, Enrolled] = {}
    plans: dict[int, _Plan] = {}
    seen: dict[tuple[str, str], int] = {}
    traits: list[frozenset[str]] = []
    with runtime.ports.store.snapshot() as snapshot:
        for place, patient in enumerate(patients):
            number = _number(patient)
            if number in seen:
                same = not identity_keys.contradicts(patient, patients[seen[number]])
                fates[place] = Enrolled.KNOWN if same else Enrolled.OTHER_TRAITS
                continue
            seen[number] = place
            known = _known(runtime, caller, snapshot, number, patient)
            if known:
                fates[place] = known
            else:
                plans[place] = _plan(runtime, caller, snapshot, patient, traits)
                traits.append(identity_keys.keys_of(patient))
    fates |= _commit(runtime, caller, plans, patients)
    return tuple(fates[place] for place in range(len(patients)))


def _known(
    runtime: Runtime, caller: Caller, snapshot: Snapshot, number: tuple[str, str], patient: Json
) -> Enrolled | None:
    """Return what becomes of a person who is recorded already, None for a new person."""
    found = identify(snapshot, *number)
    if found is None:
        return None
    work = UnitOfWork(runtime, caller, AuditedInteraction(Interaction.CREATE, PATIENT), snapshot)
    if not is_registry_operator(work, found):
        return Enrolled.OTHER_KEEPER
    recorded = resources.recorded_patient(work, found)
    return Enrolled.OTHER_TRAITS if identity_keys.contradicts(patient, recorded) else Enrolled.KNOWN


def _plan(runtime: Runtime, caller: Caller, snapshot: Snapshot, patient: Json, lot: Sequence[frozenset[str]]) -> _Plan:
    """Plan one announcement. lot: the trait keys of the persons of the lot who are planned already."""
    work = UnitOfWork(runtime, caller, AuditedInteraction(Interaction.CREATE, PATIENT), snapshot)
    asked = WriteRequest(Interaction.CREATE, REGISTRY[PATIENT], resource=patient, announced=True)
    written = resources.record_identity(work, asked)
    keys = identity_keys.keys_asked(patient)
    alike = any(keys <= other for other in lot) or snapshot.compartments_with(PATIENT, keys, 1)
    fate = Enrolled.ALIKE if alike and identity_keys.is_whole(patient) else Enrolled.ANNOUNCED
    return _Plan(_number(patient), written.shown.stored.id, work.planned(), fate)


def _commit(runtime: Runtime, caller: Caller, plans: dict[int, _Plan], patients: Sequence[Json]) -> dict[int, Enrolled]:
    """Commit a lot; when another process has taken one of its numbers first, commit the persons one by one."""
    try:
        audit_log.commit(runtime, *(plan.change for plan in plans.values()))
    except (StoreConflict, AlreadyClaimed):
        return {place: _settle(runtime, caller, plan, patients[place]) for place, plan in plans.items()}
    return {place: plan.fate for place, plan in plans.items()}


def _settle(runtime: Runtime, caller: Caller, plan: _Plan, patient: Json) -> Enrolled:
    """Announce one person of a lot that was interrupted, unless the lot had announced this person before."""
    with runtime.ports.store.snapshot() as snapshot:
        if identify(snapshot, *plan.number) == PatientId(plan.id):
            return plan.fate
        known = _known(runtime, caller, snapshot, plan.number, patient)
    if known:
        return known
    try:
        resources.announce(runtime, caller, patient)
    except Problem as problem:
        if problem.category is not Category.DUPLICATE:
            raise
        return Enrolled.REFUSED
    return plan.fate


def _number(patient: Json) -> tuple[str, str]:
    number = identity_keys.number_asked(patient)
    if number is None:
        raise Problem.of(Category.BUSINESS_RULE, "a person is enrolled by a national identifier", "Patient.identifier")
    return number
