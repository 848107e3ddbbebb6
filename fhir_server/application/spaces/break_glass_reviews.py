"""The review of break-glass accesses: the queue of waiting reviews, one review file, the review, and the objection.

The commit of an opening also stores the review file. The state of a file depends on the time of reading; no job runs.
Source: rules G3 and G8, scenario P6.5; ADR 0027.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from consent_rules.consents import reviewing
from consent_rules.model import Deny, Directive
from consent_rules.vocabulary import (
    NO_SPACE,
    Action,
    PatientId,
    Reason,
    ReviewOutcome,
    ReviewState,
)
from fhir_server.application.core import audit_log, enforcement_point, notices_owed, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE, Access, Opened
from fhir_server.application.core.access_notices import parties
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import terms
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.review_files import DUE, TYPE, WAITING, ReviewFile, file_of, stored_of
from fhir_server.domain.search.criteria import Place
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Change, Queued

_CONSENT = ("Consent",)
_TEXTS = {
    Reason.OWN_OPENING: (Category.FORBIDDEN, "you cannot review an access of your own"),
    Reason.ALREADY_REVIEWED: (Category.BUSINESS_RULE, "this access has been reviewed already"),
}


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """A review file and its state now. to_auditor: whether an auditor reads it; only auditors see the comment."""

    file: ReviewFile
    state: ReviewState
    to_auditor: bool = True


@dataclass(frozen=True, slots=True)
class Queue:
    """One page of waiting reviews: contested first, then by deadline. next: place of the next page, None at the end."""

    waiting: tuple[ReviewReport, ...]
    next: Place | None


def begin(work: UnitOfWork, patient: PatientId, opening: Directive, due: datetime) -> None:
    """Plan the review file of an opening, in the same commit."""
    who, where = parties(work.caller)
    file = ReviewFile(opening.id, patient, who, where, work.at, due, opening.reason)
    work.put(stored_of(file, 1, work.stamp))
    terms.begin_of_review(work, file)


@query
def queue(runtime: Runtime, caller: Caller, limit: int, after: Place | None = None) -> Queue:
    """Return a page of the waiting reviews of all spaces; audit this in every space of which the page shows a review.

    Raises: Problem(INSUFFICIENT_SCOPE); FORBIDDEN for anybody but an auditor.
    """
    audited = AuditedInteraction(Interaction.OPERATION, TYPE, operation="review-queue")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        audit_log.demand_scope(access, _CONSENT, "s")
        answer = enforcement_point.judge(access, NO_SPACE, Action.REVIEW)
        if isinstance(answer, Deny):
            enforcement_point.refuse(access, answer, None)
            raise enforcement_point.problem_of(answer, caller)
        rows = snapshot.queue(TYPE, WAITING, DUE, limit + 1, after)
        found = [_listed(access, row) for row in rows[:limit]]
    waiting = tuple(one for one in found if one)
    _trace_queue(access, answer, waiting)
    following = Place(rows[limit - 1].value, rows[limit - 1].id) if len(rows) > limit else None
    return Queue(waiting, following)


def _listed(access: Access, row: Queued) -> ReviewReport | None:
    """Return one file if its space permits the caller; None for an erased space and for the caller's own access."""
    opened = enforcement_point.judge(access, row.compartment, Action.REVIEW)
    if isinstance(opened, Deny):
        return None
    stored = access.snapshot.read(TYPE, row.id, opened)
    file = file_of(orjson.loads(stored.body)) if stored else None
    if file is None or isinstance(reviewing.may_look(access.caller.requester, file.review), Deny):
        return None
    return _report(file, access.at)


def _trace_queue(access: Access, answer: Opened, waiting: tuple[ReviewReport, ...]) -> None:
    """Audit a read of the queue in each space that it showed, or without a space if it showed none."""
    shown: dict[PatientId | None, list[str]] = {}
    for one in waiting:
        shown.setdefault(one.file.patient, []).append(one.file.consent)
    runtime, caller, audited = access.runtime, access.caller, access.audited
    traces = [
        audit_log.trace(runtime, caller, audited, answer.outcome(*touched), patient)
        for patient, touched in (shown or {None: []}).items()
    ]
    audit_log.commit(runtime, Change(tuple(traces)))


@query
def look(runtime: Runtime, caller: Caller, id_: str) -> ReviewReport:
    """Return one file: an auditor sees its reason and comment, the patient and representatives only its state.

    id_: of the Consent that opened the space.
    Raises: Problem(INSUFFICIENT_SCOPE); NOT_FOUND for everybody else, and for an id that is no break-glass; FORBIDDEN
    for the person who opened the space.
    """
    of_side = caller.requester.kind in PATIENTS_SIDE
    audited = AuditedInteraction(Interaction.OPERATION, TYPE, target=f"Consent/{id_}", operation="review-status")

    def plan(work: UnitOfWork) -> ReviewReport:
        before = _of_side(work, id_, "r") if of_side else _of_auditor(work, id_, "r")
        file = file_of(orjson.loads(before.body))
        if not of_side:
            _demand(reviewing.may_look(caller.requester, file.review))
        work.trace(work.audited, (file.consent,))
        return replace(_report(file, work.at), to_auditor=not of_side)

    return carry_out(runtime, caller, audited, plan)


@command(EventKind.ACCESS_REVIEWED)
def review(runtime: Runtime, caller: Caller, id_: str, outcome: str, comment: str = "") -> ReviewReport:
    """Record the outcome of a review; the same commit has the notice to the patient and representatives.

    Raises: as `look`; Problem(INVALID) for an unknown outcome; BUSINESS_RULE when it was reviewed already.
    """
    if outcome not in set(ReviewOutcome):
        text = f"`outcome` is one of {', '.join(ReviewOutcome)}"
        raise Problem.of(Category.INVALID, text, "Parameters.parameter", "value")
    audited = AuditedInteraction(Interaction.OPERATION, TYPE, target=f"Consent/{id_}", operation="review-emergency")

    def plan(work: UnitOfWork) -> ReviewReport:
        before = _of_auditor(work, id_, "u")
        file = file_of(orjson.loads(before.body))
        _demand(reviewing.may_review(caller.requester, file.review))
        reviewer, _ = parties(caller)
        done = replace(
            file, outcome=ReviewOutcome(outcome), reviewed_at=work.at, reviewer=reviewer, comment=comment.strip()
        )
        _keep(work, before, done)
        notices_owed.of_review(work, done)
        return _report(done, work.at)

    return carry_out(runtime, caller, audited, plan)


@command(EventKind.ACCESS_CONTESTED)
def contest(runtime: Runtime, caller: Caller, id_: str) -> ReviewReport:
    """Dispute an access, as the patient or a representative: its review moves to the front of the queue.

    A second objection changes nothing.
    Raises: Problem(NOT_FOUND) for everybody else, INSUFFICIENT_SCOPE; BUSINESS_RULE when it was reviewed already.
    """
    audited = AuditedInteraction(Interaction.OPERATION, TYPE, target=f"Consent/{id_}", operation="contest-emergency")

    def plan(work: UnitOfWork) -> ReviewReport:
        before = _of_side(work, id_, "u")
        file = file_of(orjson.loads(before.body))
        _demand(reviewing.may_contest(file.review))
        disputed = replace(file, contested_at=file.contested_at or work.at)
        _keep(work, before, disputed)
        return replace(_report(disputed, work.at), to_auditor=False)

    return carry_out(runtime, caller, audited, plan)


def _of_auditor(work: UnitOfWork, id_: str, letter: str) -> Stored:
    """Enter the space of a file as an auditor, and return the file; others get the answer for an unknown id."""
    smart_scopes.demand(work.caller, _CONSENT, letter)
    location = work.snapshot.locate(TYPE, id_)
    opened = open_unnamed(work, location.compartment, Action.REVIEW) if location else None
    stored = work.read(TYPE, id_, opened) if opened else None
    if stored is None:
        raise not_found()
    return stored


def _of_side(work: UnitOfWork, id_: str, letter: str) -> Stored:
    """Enter the space of a file as the patient's side, and return the file; others get the answer for an unknown id.

    The server reads the file for itself (docs/threat-model.md), and tells the patient's side only its state.
    """
    smart_scopes.demand(work.caller, _CONSENT, letter)
    location = work.snapshot.locate(TYPE, id_)
    if location is None or not _reaches(work.caller, letter, location.compartment):
        raise not_found()
    opened = open_unnamed(work, location.compartment, Action.DIRECT)
    if opened is None or not opened.is_for_patient or not opened.of("Consent").clauses:
        raise not_found()  # a representative who sees no Consents sees no opening either (B2)
    stored = work.read(TYPE, id_, whole_space(ReadingReason.REVIEW, location.compartment))
    if stored is None:
        raise not_found()
    return stored


def _reaches(caller: Caller, letter: str, patient: PatientId) -> bool:
    try:
        smart_scopes.demand(caller, _CONSENT, letter, patient)
    except Problem:
        return False
    return True


def _demand(answer: object) -> None:
    if isinstance(answer, Deny):
        category, text = _TEXTS[answer.reason]
        raise Problem.of(category, text, code=answer.reason)


def _keep(work: UnitOfWork, before: Stored, file: ReviewFile) -> None:
    work.change(before, stored_of(file, before.version + 1, work.stamp))
    work.trace(work.audited, (file.consent,))


def _report(file: ReviewFile, at: datetime) -> ReviewReport:
    return ReviewReport(file, reviewing.state_at(file.review, at))
