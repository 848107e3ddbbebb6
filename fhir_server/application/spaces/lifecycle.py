"""The states of a space: the changes that the patient's side and the registry operator may make.

Each change is audited and owes a notice. Some changes happen by time alone.
Source: R.1111-28 and R.1111-36 of the French public health code (rules A1 to A14).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

import orjson

from consent_rules.lifecycle import after_death, erased_at, may_move, status_at
from consent_rules.model import Deny, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Action, PatientId, Reason, RequesterKind, SpaceStatus
from fhir_server.application.core import audit_log, notices_owed, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out, is_registry_operator
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import default_consents, terms
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.ports.store import Change, SpaceWrite

_Plan = Callable[[UnitOfWork], "SpaceReport"]
REGISTRY_OPERATOR = frozenset({RequesterKind.SYSTEM})
_TEXTS = {
    Reason.ILLEGAL_TRANSITION: "the present state of the space does not allow this",
    Reason.TOO_EARLY: "it is too early for this change",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One change of state. kind: of its event. kinds: of requesters who may ask for it."""

    kind: EventKind
    status: SpaceStatus
    kinds: frozenset[RequesterKind]


OPPOSE = Step(EventKind.SPACE_OPPOSED, SpaceStatus.OPPOSED, PATIENTS_SIDE | REGISTRY_OPERATOR)
OPEN = Step(EventKind.SPACE_OPENED, SpaceStatus.ACTIVE, PATIENTS_SIDE | REGISTRY_OPERATOR)
SUSPEND = Step(EventKind.SPACE_SUSPENDED, SpaceStatus.SUSPENDED, REGISTRY_OPERATOR)
CLOSE = Step(EventKind.SPACE_CLOSED, SpaceStatus.CLOSED, PATIENTS_SIDE)
CLOSE_FOR_ERASURE = replace(CLOSE, kind=EventKind.SPACE_CLOSED_FOR_ERASURE)


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """The state of a space, for those who may know it.

    since: when the state in force began, None when unknown. until: when time alone will change it. notice: id of the
    Communication about the change just made, "" when there is none.
    """

    status: SpaceStatus
    since: datetime | None = None
    until: datetime | None = None
    erasure_asked_at: datetime | None = None
    deceased: bool = False
    notice: str = ""


def begin(work: UnitOfWork, patient: PatientId, birth_date: str = "", *, announced: bool = False) -> tuple[str, ...]:
    """Plan a new space with its default Consents; return their references.

    birth_date: FHIR date; an incomplete date counts as unknown. announced: whether the notice is sent now and the six
    weeks of R.1111-28 begin; otherwise the space is active at once.
    """
    status = SpaceStatus.ANNOUNCED if announced else SpaceStatus.ACTIVE
    record = RecordState(patient=patient, status=status, since=work.at, birth_date=born(birth_date))
    if announced:
        notices_owed.of_space(work, record, EventKind.SPACE_CREATED)
    terms.begin_of_space(work, record)
    work.spaces[patient] = SpaceWrite(patient, 0, record_codec.dump(record))
    return default_consents.file_first(work, patient)


def born(birth_date: str) -> date | None:
    """Return a birth date, None when the day is unknown."""
    try:
        return date.fromisoformat(birth_date)
    except ValueError:
        return None


def change(runtime: Runtime, caller: Caller, patient: PatientId, step: Step) -> SpaceReport:
    """Change the state of a space.

    Raises: Problem(FORBIDDEN) if the caller may not ask for this step, NOT_FOUND for software that did not record the
    identity, BUSINESS_RULE with the rule's reason when the present state does not allow it.
    """
    return _carry_out(runtime, caller, patient, step.kind, lambda work: _plan_step(work, patient, step))


@command(EventKind.SPACE_OPPOSED)
def oppose(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Oppose the opening of a space, before the term only (A1).

    Raises: as `change`.
    """
    return change(runtime, caller, patient, OPPOSE)


@command(EventKind.SPACE_OPENED)
def open_space(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Open a space that is opposed, suspended or closed (A10, A11); this takes back a request for erasure.

    Raises: as `change`.
    """
    return change(runtime, caller, patient, OPEN)


@command(EventKind.SPACE_SUSPENDED)
def suspend(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Suspend access to a space; it closes after six weeks unless it is opened (A11).

    Raises: as `change`.
    """
    return change(runtime, caller, patient, SUSPEND)


@command(EventKind.SPACE_CLOSED, EventKind.SPACE_CLOSED_FOR_ERASURE)
def close(runtime: Runtime, caller: Caller, patient: PatientId, *, erase: bool = False) -> SpaceReport:
    """Close a space (A7, A13). erase: also ask for the erasure of the closed space (A12).

    Raises: as `change`.
    """
    return change(runtime, caller, patient, CLOSE_FOR_ERASURE if erase else CLOSE)


@command(EventKind.ERASURE_REQUESTED)
def request_erasure(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Ask for the erasure of a closed space before its archive ends (A9); opening the space again cancels the request.

    Raises: as `change`.
    """
    return _carry_out(runtime, caller, patient, EventKind.ERASURE_REQUESTED, lambda work: _plan_request(work, patient))


@command(EventKind.DEATH_RECORDED)
def record_death(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Record that the patient has died: an open space closes, and nobody can open it again (A14).

    Raises: as `change`.
    """
    return _carry_out(runtime, caller, patient, EventKind.DEATH_RECORDED, lambda work: _plan_death(work, patient))


@query
def look(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Return the state of a space, for the patient, representatives and the registry operator.

    Raises: Problem(FORBIDDEN) for anybody else, the same for every patient.
    """
    return _carry_out(runtime, caller, patient, EventKind.SPACE_STATUS_READ, lambda work: _plan_look(work, patient))


@command(EventKind.SPACE_ERASED)
def erase(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:
    """Destroy a closed space beyond recovery, on request or at the end of its archive (A8, A9).

    The state is set first, so that nobody can enter meanwhile; a second call finishes the work after a crash.
    Raises: as `change`.
    """
    report = _carry_out(runtime, caller, patient, EventKind.SPACE_ERASED, lambda work: _plan_erasure(work, patient))
    now, ports = runtime.ports.clock.now(), runtime.ports
    gone = RecordState(patient=patient, status=SpaceStatus.ERASED, since=now)
    released = _identifiers(runtime, patient)
    audited = interaction_of(EventKind.SPACE_ERASED, target=f"Patient/{patient}")
    trace = audit_log.trace(runtime, caller, audited, Outcome(touched=(f"Patient/{patient}",)), patient)
    change = Change((trace,), spaces=(SpaceWrite(patient, 0, record_codec.dump(gone)),))
    ports.store.erase(patient, change, released)
    audit_log.tell_readers(runtime, change.traces)
    ports.blobs.erase(patient)
    return report


def _carry_out(runtime: Runtime, caller: Caller, patient: PatientId, kind: EventKind, plan: _Plan) -> SpaceReport:
    audited = interaction_of(kind, target=f"Patient/{patient}")
    return carry_out(runtime, caller, audited, plan)


def _plan_step(work: UnitOfWork, patient: PatientId, step: Step) -> SpaceReport:
    _enter(work, patient, step.kinds)
    record = work.record()
    present = status_at(record, work.at, work.runtime.profile)
    if step is OPEN and work.caller.requester.kind in REGISTRY_OPERATOR and present is not SpaceStatus.SUSPENDED:
        raise _refused()
    _demand(may_move(record, step.status, work.at, work.runtime.profile))
    after = replace(
        record, status=step.status, since=work.at, erasure_asked_at=work.at if step is CLOSE_FOR_ERASURE else None
    )
    return _decide(work, after, step.kind)


def _plan_request(work: UnitOfWork, patient: PatientId) -> SpaceReport:
    _enter(work, patient, PATIENTS_SIDE)
    record, profile = work.record(), work.runtime.profile
    if status_at(record, work.at, profile) is not SpaceStatus.CLOSED:
        raise Problem.of(Category.BUSINESS_RULE, "only a closed space is erased", code=Reason.ILLEGAL_TRANSITION)
    asked = replace(_settled(record, work.at, profile), erasure_asked_at=record.erasure_asked_at or work.at)
    return _decide(work, asked, EventKind.ERASURE_REQUESTED)


def _plan_death(work: UnitOfWork, patient: PatientId) -> SpaceReport:
    _enter(work, patient, REGISTRY_OPERATOR)
    record = work.record()
    if record.deceased:
        return _finish(work, record)
    after = after_death(record, work.at, work.runtime.profile)
    return _decide(work, after, EventKind.DEATH_RECORDED if after.status is not record.status else None)


def _plan_look(work: UnitOfWork, patient: PatientId) -> SpaceReport:
    _enter(work, patient, PATIENTS_SIDE | REGISTRY_OPERATOR, letter="r")
    return _finish(work, work.record())


def _plan_erasure(work: UnitOfWork, patient: PatientId) -> SpaceReport:
    _enter(work, patient, REGISTRY_OPERATOR)
    record = work.record()
    if status_at(record, work.at, work.runtime.profile) is not SpaceStatus.ERASED:
        _demand(may_move(record, SpaceStatus.ERASED, work.at, work.runtime.profile))
    if record.merged:
        raise Problem.of(Category.BUSINESS_RULE, "the identity is merged: undo the merge first", code="merged")
    if record.status is SpaceStatus.ERASED:
        return _finish(work, record)
    return _decide(work, replace(record, status=SpaceStatus.ERASED, since=work.at), None)


def _enter(work: UnitOfWork, patient: PatientId, kinds: frozenset[RequesterKind], letter: str = "u") -> None:
    """Enter as the patient, a representative, or the software that recorded this identity.

    Requesters of another kind get the same answer for every patient.
    """
    kind = work.caller.requester.kind
    if kind not in kinds:
        work.patient = patient if work.snapshot.load_space(patient) else None
        raise _refused()
    smart_scopes.demand(work.caller, ("Patient",), letter, patient)
    if kind in REGISTRY_OPERATOR and not is_registry_operator(work, patient):
        raise not_found()
    open_record(work, patient, Action.OPERATE_REGISTRY if kind in REGISTRY_OPERATOR else Action.DIRECT)


def _refused() -> Problem:
    return Problem.of(Category.FORBIDDEN, "you may not call this operation", code=Reason.NOT_ENTITLED)


def _demand(answer: object) -> None:
    """Refuse a change that a rule denies, and tell the reason: those who may ask may know the state."""
    if isinstance(answer, Deny):
        said = answer.rules[0]
        text = f"{_TEXTS[answer.reason]}: {said.outcome} (rule {said.statement})"
        raise Problem.of(Category.BUSINESS_RULE, text, code=answer.reason)


def _settled(record: RecordState, at: datetime, profile: RuleProfile) -> RecordState:
    """Return the record with a state that came by time alone, and the instant at which that state began."""
    present = status_at(record, at, profile)
    if present is record.status or record.since is None:
        return record
    began = profile.suspension.after(record.since) if record.status is SpaceStatus.SUSPENDED else record.since
    return replace(record, status=present, since=began)


def _decide(work: UnitOfWork, record: RecordState, kind: EventKind | None) -> SpaceReport:
    work.decide(record)
    terms.begin_of_space(work, record)
    notice = notices_owed.of_space(work, record, kind) if kind else ""
    return replace(_finish(work, record), notice=notice)


def _finish(work: UnitOfWork, record: RecordState) -> SpaceReport:
    patient = work.entered.patient
    work.trace(work.audited, (f"Patient/{patient}",))
    return report_of(record, work.at, work.runtime.profile)


def report_of(record: RecordState, at: datetime, profile: RuleProfile) -> SpaceReport:
    """Return the state of a space at an instant."""
    present = status_at(record, at, profile)
    since = record.since
    if present is SpaceStatus.ACTIVE and record.status is SpaceStatus.ANNOUNCED and since:
        since = profile.notice.after(since)
    elif present is SpaceStatus.CLOSED and record.status is SpaceStatus.SUSPENDED and since:
        since = profile.suspension.after(since)
    until = _until(record, present, since, profile)
    return SpaceReport(present, since, until, record.erasure_asked_at, record.deceased)


def _until(record: RecordState, present: SpaceStatus, since: datetime | None, profile: RuleProfile) -> datetime | None:
    if since is None:
        return None
    if present is SpaceStatus.CLOSED:
        return erased_at(record, since, profile)
    term = {SpaceStatus.ANNOUNCED: profile.notice, SpaceStatus.SUSPENDED: profile.suspension}.get(present)
    return term.after(since) if term else None


def _identifiers(runtime: Runtime, patient: PatientId) -> tuple[str, ...]:
    """Return the claims of the patient's identifiers, to be released so that a new space can be opened later (A10)."""
    with runtime.ports.store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
        if space is None or not space.state:
            return ()
        versions = snapshot.history("Patient", patient, whole_space(ReadingReason.ERASURE, patient))
    found = (item for version in versions if version.body for item in orjson.loads(version.body).get("identifier", ()))
    return tuple(dict.fromkeys(f"patient|{item.get('system', '')}|{item.get('value', '')}" for item in found))
