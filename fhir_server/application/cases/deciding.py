"""The officer's cases: the queue of those that wait for a decision, one case, and the decision.

Only auditors read cases, and no auditor reads a case about themselves. The state of a case depends on the time at which
it is read.
Source: statements V8, V11, V13 and V20 of docs/rules.md; docs/adr/0086-cases-for-the-officer.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import orjson

from consent_rules.model import Deny
from consent_rules.vocabulary import NO_SPACE, Action, PatientId
from fhir_server.application.cases import suspensions
from fhir_server.application.cases.opening import keep
from fhir_server.application.cases.suspensions import OF_SUSPENSIONS, SCOPED, demand_officer
from fhir_server.application.core import audit_log, enforcement_point, notices_owed, smart_scopes
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.access_notices import parties
from fhir_server.application.core.ceilings import breakers
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.reading.read import not_found
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import DUE, TYPE, WAITING, Case, CaseKind, CaseOutcome, case_of, is_case
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Place
from fhir_server.domain.stored import Stored
from fhir_server.ports.store import Change, Queued, Trace

_DECISIONS = (CaseOutcome.JUSTIFIED, CaseOutcome.NOT_JUSTIFIED)


@dataclass(frozen=True, slots=True)
class CaseQueue:
    """One page of the cases that wait, by deadline. next: place of the next page, None at the end."""

    waiting: tuple[Case, ...]
    next: Place | None


@query
def queue(runtime: Runtime, caller: Caller, limit: int, after: Place | None = None) -> CaseQueue:
    """Return a page of the waiting cases; audit this in every space of which it shows a case.

    Raises: Problem(INSUFFICIENT_SCOPE); FORBIDDEN for anybody but an auditor.
    """
    audited = interaction_of(EventKind.CASE_QUEUE_READ)
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        answer = demand_officer(access, "s")
        found = list(islice(_listed(access, limit + 1, after), limit + 1))
    waiting = tuple(case for case, _ in found[:limit])
    _trace_queue(access, answer, waiting)
    return CaseQueue(waiting, found[limit - 1][1] if len(found) > limit else None)


@query
def look(runtime: Runtime, caller: Caller, id_: str) -> Case:
    """Return one case.

    Raises: Problem(INSUFFICIENT_SCOPE); NOT_FOUND for an unknown id, for everybody but an auditor, and for the person
    whom the case is about.
    """
    audited = replace(interaction_of(EventKind.CASE_READ), target=f"{TYPE}/{id_}")

    def plan(work: UnitOfWork) -> Case:
        _, case = _found(work, id_, "r")
        _trace(work, case)
        return case

    return carry_out(runtime, caller, audited, plan)


@command(EventKind.CASE_DECIDED)
def decide(runtime: Runtime, caller: Caller, id_: str, outcome: str, comment: str) -> Case:
    """Record the decision about a case; a patient who contests is told in the same commit. comment: the reasons.

    A suspension that the case has begun ends with the outcome `justified`, and goes on with `not-justified`.

    Raises: as `look`; Problem(INVALID) for an unknown outcome or no reasons; BUSINESS_RULE for a case that has ended.
    """
    if outcome not in _DECISIONS or not comment.strip():
        text = f"`outcome` is one of {', '.join(_DECISIONS)}, and `comment` says why"
        raise Problem.of(Category.INVALID, text, "Parameters.parameter", "value")
    audited = replace(interaction_of(EventKind.CASE_DECIDED), target=f"{TYPE}/{id_}")

    def plan(work: UnitOfWork) -> Case:
        before, case = _found(work, id_, "u")
        if case.outcome:
            raise Problem.of(Category.BUSINESS_RULE, "this case has ended already", code="already-decided")
        decider, _ = parties(caller)
        decided = replace(
            case, outcome=CaseOutcome(outcome), decided_at=work.at, decided_by=decider, comment=comment.strip()
        )
        keep(work, before, decided)
        _trace(work, decided)
        if decided.kind is CaseKind.CONTEST:
            notices_owed.of_decision(work, decided)
        if decided.who and decided.kind in OF_SUSPENSIONS:
            work.send(breakers.follow_message(runtime, decided.who))
        return decided

    case = carry_out(runtime, caller, audited, plan)
    if case.who and case.kind in OF_SUSPENSIONS:
        suspensions.follow(runtime, case.who)
    return case


def _found(work: UnitOfWork, id_: str, letter: str) -> tuple[Stored, Case]:
    """Enter the space of a case as an auditor, and return the case; others get the answer for an unknown id."""
    smart_scopes.demand(work.caller, SCOPED, letter)
    location = work.snapshot.locate(TYPE, id_)
    if location is None or _is_about(work, location.compartment, id_):
        raise not_found()
    opened = open_unnamed(work, location.compartment, Action.REVIEW)
    stored = work.read(TYPE, id_, opened) if opened else None
    case = _case(stored) if stored else None
    if stored is None or case is None:
        raise not_found()
    return stored, case


def _is_about(work: UnitOfWork, patient: PatientId, id_: str) -> bool:
    """Tell whether a case is about the caller, who then gets the answer and the audit event for an unknown id.

    Ids of cases follow from whom they are about, so that another answer could tell the caller who contests them.
    """
    stored = work.snapshot.read(TYPE, id_, whole_space(ReadingReason.REVIEW, patient))
    case = _case(stored) if stored else None
    return case is not None and case.who == work.caller.requester.person


def _case(stored: Stored) -> Case | None:
    task = orjson.loads(stored.body)
    return case_of(task, stored.facts.access) if is_case(task) else None


def _trace(work: UnitOfWork, case: Case) -> None:
    work.patient = case.patient or None
    work.trace_outcome(work.entered.outcome(case.reference))


def _listed(access: Access, size: int, after: Place | None) -> Iterator[tuple[Case, Place]]:
    """Yield the cases of the queue with their places, without those of erased spaces and those about the caller.

    Later cases take the places of those left out, so that no short page tells its reader of a case about themselves.
    """
    while rows := access.snapshot.queue(TYPE, WAITING, DUE, size, after):
        for row in rows:
            after = Place(row.value, row.id)
            case = _shown(access, row)
            if case:
                yield case, after


def _shown(access: Access, row: Queued) -> Case | None:
    opened = enforcement_point.judge(access, row.compartment, Action.REVIEW)
    if isinstance(opened, Deny):
        return None
    stored = access.snapshot.read(TYPE, row.id, opened)
    case = _case(stored) if stored else None
    return None if case is None or case.who == access.caller.requester.person else case


def _trace_queue(access: Access, answer: Opened, waiting: tuple[Case, ...]) -> None:
    """Audit a read of the queue in each space of which it showed a case, and once without a space."""
    shown: dict[PatientId, list[str]] = {NO_SPACE: []}
    for case in waiting:
        shown.setdefault(case.patient, []).append(case.reference)
    traces = [_look_at(access, answer, patient, cases) for patient, cases in shown.items()]
    audit_log.commit(access.runtime, Change(tuple(traces)))


def _look_at(access: Access, answer: Opened, patient: PatientId, cases: list[str]) -> Trace:
    return audit_log.trace(access.runtime, access.caller, access.audited, answer.outcome(*cases), patient or None)
