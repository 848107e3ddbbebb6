"""Repairs spaces that contain Consents which the server can no longer honour: finds, lists and withdraws them.

Such a Consent gives nobody access (consent_rules.decision.decide, domain.record_codec); the repair sets its status to
inactive. The patient gets a notice, and the audit log an event.
Source: docs/operations.md, "Choices that cannot be honoured".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from consent_rules.model import RESTRICTING, RecordState
from consent_rules.vocabulary import NO_SPACE, Action, DirectiveKind, PatientId
from fhir_server.application.core.access_notices import holders, stored
from fhir_server.application.core.enforcement_point import open_record, record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.spaces import default_consents
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.notices import Notice
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Snapshot

_AT_ONCE = 500
_REPAIR = AuditedInteraction(Interaction.OPERATION, "Consent", operation="repair-choices")


@dataclass(frozen=True, slots=True)
class Fault:
    """One Consent that cannot be honoured. consent: its id. why: one of the sentences below."""

    patient: PatientId
    consent: str
    why: str


UNREADABLE = "a stored part of the consent cannot be read"
POST_DATED = "a professional recorded an agreement that begins after the recording"


@query
def faults(runtime: Runtime) -> Iterator[Fault]:
    """Find every Consent that cannot be honoured, space by space; change nothing."""
    for patient in _patients(runtime):
        with runtime.ports.store.snapshot() as snapshot:
            yield from _faults_of(_state(snapshot, patient), runtime.ports.clock.now())


@command(EventKind.CHOICES_REPAIRED)
def repair(runtime: Runtime, patient: PatientId, by: str) -> tuple[Fault, ...]:
    """Withdraw the Consents of one space that cannot be honoured, with audit event and notice; return what was found.

    by: the account of the operator, for the audit log.
    Raises: Problem(VERSION_CONFLICT) when others kept changing the space meanwhile.
    """
    return carry_out(runtime, Caller.of_operator(by), _REPAIR, lambda work: _plan(work, patient))


def close_unread(work: UnitOfWork) -> None:
    """Plan the repair of an entered space beside its other changes; plan nothing when all its Consents can be read."""
    record = work.record()
    if record.unread:
        found = tuple(Fault(record.patient, id_, UNREADABLE) for id_ in sorted(record.unread))
        _close(work, found)


def _plan(work: UnitOfWork, patient: PatientId) -> tuple[Fault, ...]:
    open_record(work, patient, Action.OPERATE_REGISTRY)
    found = tuple(_faults_of(work.record(), work.at))
    if found:
        _close(work, found)
    return found


def _close(work: UnitOfWork, found: tuple[Fault, ...]) -> None:
    """Withdraw Consents that gave access; a Consent that restricts access stays in force as far as it can be read."""
    record, touched = work.record(), []
    for fault in found:
        shuts = any(one.id == fault.consent and one.kind in RESTRICTING for one in record.directives)
        touched.append(f"Consent/{fault.consent}")
        if not shuts:
            record = record.without(fault.consent)
            _withdraw(work, record.patient, fault.consent)
    work.decide(replace(record, unread=frozenset()))
    _tell(work, record, tuple(touched))
    work.trace(_REPAIR, tuple(touched))


def _withdraw(work: UnitOfWork, patient: PatientId, consent: str) -> None:
    before = work.read("Consent", consent, whole_space(ReadingReason.REPAIR, patient))
    if before is None:
        return
    body = orjson.loads(before.body) | {"status": "inactive"}
    number = work.next_version(before)
    facts = default_consents.facts_of_choice(body, before.facts.access)
    stamped = bodies.stamped(body, consent, number, work.stamp)
    work.change(before, replace(before, version=number, last_updated=work.stamp, body=stamped, facts=facts))


def _tell(work: UnitOfWork, record: RecordState, touched: tuple[str, ...]) -> None:
    found = [
        work.read("Consent", ref.partition("/")[2], whole_space(ReadingReason.REPAIR, record.patient))
        for ref in touched
    ]
    confidential = any(one is not None and one.facts.access.marks for one in found)
    (rule,) = ROWS[EventKind.CHOICES_REPAIRED].notices
    notice = Notice(rule.kind, record.patient, work.at, holders(record, confidential=confidential), about=touched)
    work.put(stored(work.runtime, notice, confidential=confidential))


def _faults_of(record: RecordState, at: datetime) -> Iterator[Fault]:
    for id_ in sorted(record.unread):
        yield Fault(record.patient, id_, UNREADABLE)
    for one in record.directives:
        is_later = (
            one.kind is DirectiveKind.AGREEMENT and not one.by_patient and one.start is not None and one.start > at
        )
        if is_later and one.id not in record.unread:
            yield Fault(record.patient, one.id, POST_DATED)


def _patients(runtime: Runtime) -> Iterator[PatientId]:
    after = NO_SPACE
    while True:
        with runtime.ports.store.snapshot() as snapshot:
            page = snapshot.patients(after, _AT_ONCE)
        yield from page
        if len(page) < _AT_ONCE:
            return
        after = page[-1]


def _state(snapshot: Snapshot, patient: PatientId) -> RecordState:
    return record_of(patient, snapshot.load_space(patient))
