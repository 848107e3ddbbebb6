"""Suspensions of somebody's declarations: begun and ended by an officer, or because of contests and decisions.

A suspension that began by itself ends when the officer decides its case as justified. One that began because of
contests also ends when too few contests still count. A suspension that officer or operator began ends only by their
act.
Source: statement V13 of docs/rules.md; docs/adr/0105-suspensions-by-the-officer.md.
"""

from consent_rules.model import Deny
from consent_rules.vocabulary import NO_SPACE, Action
from fhir_server.application.cases.opening import contests_against, find
from fhir_server.application.core import audit_log, enforcement_point
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.accounts import find_by_person
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import Case, CaseKind, CaseOutcome
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.supervision import BreakerCause, Suspension
from fhir_server.domain.values import ClientId
from fhir_server.ports.store import Snapshot

SCOPED = ("Consent",)
"""Types for which an officer's token has scopes."""
OF_SUSPENSIONS = frozenset({CaseKind.BREAKER, CaseKind.CONTEST})
"""The kinds of cases whose decision may end a suspension."""
_APP = "Device/"


def demand_officer(access: Access, letter: str) -> Opened:
    """Return the permit of an auditor for what belongs to no space; a refusal is audited.

    Raises: Problem(INSUFFICIENT_SCOPE); FORBIDDEN for anybody but an auditor.
    """
    audit_log.demand_scope(access, SCOPED, letter)
    answer = enforcement_point.judge(access, NO_SPACE, Action.REVIEW)
    if isinstance(answer, Deny):
        enforcement_point.refuse(access, answer, None)
        raise enforcement_point.problem_of(answer, access.caller)
    return answer


@query
def suspensions(runtime: Runtime, caller: Caller) -> tuple[Suspension, ...]:
    """Return all suspensions, and audit this. Raises: as `demand_officer`."""
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, interaction_of(EventKind.SUSPENSIONS_READ), snapshot)
        outcome = demand_officer(access, "s").outcome()
    audit_log.record_outcome(access, outcome)
    return supervising.find(runtime).suspensions


@command(EventKind.WORD_SUSPENDED)
def suspend(runtime: Runtime, caller: Caller, subject: str, reason: str) -> None:
    """As an officer, let no declaration of a subject open another space. subject: a reference.

    Raises: as `demand_officer`; Problem(INVALID) without a reason, or for a subject that is not on this server;
    FORBIDDEN about the officer's own declarations.
    """
    _demand_other(runtime, caller, EventKind.WORD_SUSPENDED, subject, reason)
    if not _is_known(runtime, subject):
        text = "there is no such Practitioner, Organization or Device of an app on this server"
        raise Problem.of(Category.INVALID, text, "Parameters.parameter", "value")
    supervising.suspend(runtime, subject, caller, reason.strip())


@command(EventKind.WORD_RESUMED)
def resume(runtime: Runtime, caller: Caller, subject: str, reason: str) -> None:
    """As an officer, end a suspension and forget what counts against its subject.

    Raises: as `suspend`; Problem(BUSINESS_RULE) when the subject is not suspended.
    """
    _demand_other(runtime, caller, EventKind.WORD_RESUMED, subject, reason)
    if not supervising.is_suspended(runtime, subject):
        raise Problem.of(Category.BUSINESS_RULE, "these declarations are not suspended", code="not-suspended")
    breakers.resume(runtime, subject, caller, reason.strip())


def follow(runtime: Runtime, subject: str) -> None:
    """Bring the suspension of a subject in line with the contests and with what the officer has decided.

    A person who contests for several patients counts once. Both the process that stored a contest or a decision and the
    worker call this; it may be called again.
    """
    held, cleared = supervising.find(runtime).of(subject), breakers.cleared_at(runtime, subject)
    with runtime.ports.store.snapshot() as snapshot:
        contests = contests_against(snapshot, subject)
        decided = _decided(snapshot, held) if held else None
    standing = [case for case in contests if cleared is None or case.opened_at > cleared]
    patients, people = {case.patient for case in standing}, {_human(runtime, str(case.contester)) for case in standing}
    is_enough = min(len(patients), len(people)) >= runtime.profile.ceilings.breaker_contests
    if held is None:
        if is_enough:
            breakers.suspend_for_contests(runtime, subject)
    elif decided and decided.outcome is CaseOutcome.JUSTIFIED:
        breakers.end_as_decided(runtime, held, f"case {decided.id}: {decided.outcome}")
    elif decided is None and held.cause is BreakerCause.CONTESTS and not is_enough and not _is_confirmed(standing):
        breakers.end_for_contests(runtime, held)


def _human(runtime: Runtime, contester: str) -> str:
    """Return what stands for one human being: the account by which a patient, or a representative of several, acts."""
    accounts = find_by_person(runtime, contester)
    return accounts[0].login if accounts else contester


def _decided(snapshot: Snapshot, held: Suspension) -> Case | None:
    """Return the case of a suspension that began by itself, once the officer has decided it."""
    case = find(snapshot, held.case) if held.case else None
    return case if case and case.outcome else None


def _is_confirmed(contests: list[Case]) -> bool:
    return any(case.outcome is CaseOutcome.NOT_JUSTIFIED for case in contests)


def _demand_other(runtime: Runtime, caller: Caller, kind: EventKind, subject: str, reason: str) -> None:
    """Refuse whoever is no officer, gives no reason, or acts on their own declarations."""
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, interaction_of(kind, target=subject), snapshot)
        demand_officer(access, "u")
        problem = _fault(caller, subject, reason)
    if problem:
        audit_log.record_refusal(runtime, caller, access.audited, problem)
        raise problem


def _fault(caller: Caller, subject: str, reason: str) -> Problem | None:
    if not reason.strip():
        return Problem.of(Category.INVALID, "`reason` says why", "Parameters.parameter", "required")
    if subject == caller.requester.person:
        return Problem.of(Category.FORBIDDEN, "you cannot decide about your own declarations", code="own-case")
    return None


def _is_known(runtime: Runtime, subject: str) -> bool:
    if subject.startswith(_APP):
        return clients.find(runtime, ClientId(subject.removeprefix(_APP))) is not None
    is_party = subject.startswith(("Practitioner/", "Organization/"))
    type_, _, id_ = subject.partition("/")
    with runtime.ports.store.snapshot() as snapshot:
        place = snapshot.locate(type_, id_) if is_party and id_ else None
    return place is not None and not place.deleted
