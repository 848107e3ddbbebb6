"""Contesting: "that is not true", "I do not know this person", said of a notice or of a line of the journal.

One commit blocks the person at once and opens a case for the officer. Taking it back while the case waits removes the
block as if it had never been, so that consents given before hold again.
Source: statements V7 and V8 of docs/rules.md; docs/adr/0087-contesting-what-was-declared.md.
"""

from dataclasses import dataclass, replace

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS
from consent_rules.model import Deny, RecordState
from consent_rules.vocabulary import Action, DirectiveKind, Purpose
from fhir_server.application.cases.opening import contesting_patients, keep, open_case
from fhir_server.application.consents import authority, recording
from fhir_server.application.consents.choices import Block
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import action_of
from fhir_server.application.core.access_notices import parties
from fhir_server.application.core.ceilings import breakers
from fhir_server.application.core.enforcement_point import judge_again, open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, recorded_by, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.reading.read import not_found
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import EMERGENCY, TYPE, Case, CaseKind, CaseOutcome, case_id, case_of, is_case
from fhir_server.domain.commands import command
from fhir_server.domain.consents.directives import consent_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY

_EVENTS, _CASES = 20, 200
_OF_EMERGENCIES = frozenset({NoticeKind.BREAK_GLASS.value, NoticeKind.REGULATION.value})
_GROUNDS_OF_EMERGENCIES = frozenset({Purpose.BREAK_GLASS.value, Purpose.EMERGENCY.value})


@dataclass(frozen=True, slots=True)
class _Contested:
    """What is contested. rule: of the case. confidential: whether guardians learn nothing of it (B10)."""

    person: Named
    rule: str
    confidential: bool


@command(EventKind.CONTESTED)
def contest(runtime: Runtime, caller: Caller, type_: str, id_: str) -> str:
    """Block the professional whom a notice or an audit event names, and open a case; return the reference of the case.

    Raises: Problem(NOT_FOUND) for everybody but the patient and representatives, and for what they do not see;
    BUSINESS_RULE when it names no professional.
    """
    audited = interaction_of(EventKind.CONTESTED, target=f"{type_}/{id_}")

    def plan(work: UnitOfWork) -> Case:
        found = _contested(work, type_, id_)
        case = open_case(work, replace(_case(work, found), block=_block(work, found)))
        _trace(work, confidential=found.confidential)
        return case

    case = carry_out(runtime, caller, audited, plan)
    _break(runtime, case.who or "")
    return case.reference


@command(EventKind.CONTEST_WITHDRAWN)
def withdraw(runtime: Runtime, caller: Caller, type_: str, id_: str) -> None:
    """Withdraw a contest of the caller that waits for the officer; the block ends as if it had never been.

    Raises: as `contest`; Problem(BUSINESS_RULE) when nothing of the caller waits.
    """
    audited = interaction_of(EventKind.CONTEST_WITHDRAWN, target=f"{type_}/{id_}")

    def plan(work: UnitOfWork) -> None:
        found = _contested(work, type_, id_)
        waiting = _waiting(work, found.person.reference)
        if not waiting:
            text = "nothing that you contested about this person waits for a decision"
            raise Problem.of(Category.BUSINESS_RULE, text, code="nothing-to-withdraw")
        for stored, case in waiting:
            by, _ = parties(work.caller)
            keep(
                work,
                stored,
                replace(case, outcome=CaseOutcome.WITHDRAWN, decided_at=work.at, decided_by=by, block=None),
            )
            if case.block:
                _unblock(work, case.block.partition("/")[2])
        _trace(work, confidential=found.confidential)

    carry_out(runtime, caller, audited, plan)


def _break(runtime: Runtime, who: str) -> None:
    """Suspend the declarations of a person when the contests of enough patients stand (V13)."""
    with runtime.ports.store.snapshot() as snapshot:
        patients = contesting_patients(snapshot, who)
    if len(patients) >= runtime.profile.ceilings.breaker_contests:
        for patient in sorted(patients):
            breakers.note_contested(runtime, who, patient)


def _contested(work: UnitOfWork, type_: str, id_: str) -> _Contested:
    """Enter the space as the patient's side, and return what is contested; others get the answer for an unknown id."""
    location = work.snapshot.locate(type_, id_)
    opened = open_unnamed(work, location.compartment, Action.DIRECT) if location else None
    if opened is None or not opened.is_for_patient:
        raise not_found()
    smart_scopes.demand(work.caller, recording.CONSENT, "c", opened.patient)
    smart_scopes.demand(work.caller, (type_,), "r", opened.patient)
    reading = judge_again(work, opened, action_of(REGISTRY[type_]))
    stored = None if isinstance(reading, Deny) else work.read(type_, id_, reading.within(work.caller, "r"))
    if stored is None:
        raise not_found()
    body = orjson.loads(stored.body)
    person = _person(body)
    if person is None:
        raise Problem.of(Category.BUSINESS_RULE, "this names no professional to contest", code="nobody-to-contest")
    rule = EMERGENCY if _is_of_emergency(body) else "declared-evidence"
    return _Contested(person, rule, bool(stored.facts.access.marks & HIDDEN_FROM_GUARDIANS))


def _person(body: Json) -> Named | None:
    """Return the professional whom a notice is about, or who acted by an audit event."""
    named = [*body.get("about", ()), *(agent["who"] for agent in body.get("agent", ()))]
    found = (one for one in named if str(one.get("reference", "")).startswith("Practitioner/"))
    return next((Named(str(one["reference"]), str(one.get("display", ""))) for one in found), None)


def _is_of_emergency(body: Json) -> bool:
    categories = {c["code"] for kind in body.get("category", ()) for c in kind.get("coding", ())}
    details = {d.get("valueString") for e in body.get("entity", ()) for d in e.get("detail", ())}
    purposes = {c["code"] for use in body.get("purposeOfEvent", ()) for c in use.get("coding", ())}
    stated = {*details, *purposes}
    return bool(categories & _OF_EMERGENCIES or stated & (_GROUNDS_OF_EMERGENCIES | {"break-glass", "regulation"}))


def _case(work: UnitOfWork, found: _Contested) -> Case:
    """Return the case, with the latest audit events of the person in this space as its evidence."""
    patient, who, at = work.entered.patient, found.person.reference, work.at
    theirs = recorded_by(ReadingReason.REVIEW, patient, frozenset({who}))
    events = work.snapshot.find(Search("AuditEvent", sort="date", limit=_EVENTS), theirs).rows
    return Case(
        id=case_id(CaseKind.CONTEST, who, found.rule, at, patient),
        kind=CaseKind.CONTEST,
        patient=patient,
        opened_at=at,
        due=work.runtime.profile.case_decision.after(at),
        rule=found.rule,
        who=who,
        events=tuple(f"AuditEvent/{event.id}" for event in events),
        display=found.person.display or None,
        contester=work.caller.requester.person,
        confidential=found.confidential,
    )


def _block(work: UnitOfWork, found: _Contested) -> str | None:
    """Plan the block and return its reference, None when one is in force already.

    Guardians do not see a block of what they may not know.
    """
    patient, who = work.entered.patient, found.person.reference
    if _is_blocked(work.record(), who):
        return None
    id_ = work.runtime.ports.ids.new()
    stated = replace(Block.of(patient, who).said[0], id=id_, recorded_at=work.at)
    consent = consent_of(stated, patient, work.caller.requester.organization)
    said = authority.recorded(work, (stated,), consent | {"id": id_}, "Consent")
    recording.keep(work, consent, recording.Place(id_), said)
    if found.confidential:
        planned = work.writes["Consent", id_].after
        access = replace(planned.facts.access, marks=planned.facts.access.marks | HIDDEN_FROM_GUARDIANS)
        work.put(replace(planned, facts=replace(planned.facts, access=access)))
    return f"Consent/{id_}"


def _unblock(work: UnitOfWork, block: str) -> None:
    """Plan the end of a block as if it had never been: its Consent was entered in error."""
    patient = work.entered.patient
    before = work.read("Consent", block, whole_space(ReadingReason.REVIEW, patient))
    if before is not None:
        number = work.next_version(before)
        consent = orjson.loads(before.body) | {"status": "entered-in-error"}
        body = bodies.stamped(consent, block, number, work.stamp)
        work.change(before, work.version("Consent", block, number, body, before.facts))
    record = work.record()
    work.decide(replace(record, directives=tuple(one for one in record.directives if one.id != block)))


def _is_blocked(record: RecordState, who: str) -> bool:
    """Tell whether a choice blocks exactly this person, for everything and without an end."""
    return any(
        one.kind is DirectiveKind.BLOCK and one.actors == {who} and not one.purposes and one.end is None
        for one in record.directives
    )


def _waiting(work: UnitOfWork, who: str) -> list[tuple[Stored, Case]]:
    """Return the contests by the caller about somebody that wait for a decision."""
    view = whole_space(ReadingReason.REVIEW, work.entered.patient)
    rows = work.snapshot.find(Search(TYPE, limit=_CASES), view).rows
    cases = [(row, case_of(task, row.facts.access)) for row in rows if is_case(task := orjson.loads(row.body))]
    by = work.caller.requester.person
    return [
        (row, case)
        for row, case in cases
        if (case.kind, case.who, case.contester, case.outcome) == (CaseKind.CONTEST, who, by, None)
    ]


def _trace(work: UnitOfWork, *, confidential: bool) -> None:
    work.trace_outcome(work.entered.outcome(work.audited.target, confidential=confidential))
