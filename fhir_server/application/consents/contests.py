"""Contesting: "that is not true", "I do not know this person", said of a notice, a line of the journal or an admission.

One commit blocks the party at once and opens a case for the officer. To take a contest back while its case waits
removes the block as if it had never been, so that consents given before hold again.
Source: statements V7 and V8 of docs/rules.md; docs/adr/0087-contesting-what-was-declared.md and 0099.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS
from consent_rules.model import Deny, RecordState
from consent_rules.vocabulary import Action, DirectiveKind, Purpose
from fhir_server.application.cases import suspensions
from fhir_server.application.cases.opening import keep, open_case
from fhir_server.application.consents import authority, recording
from fhir_server.application.consents.choices import Block
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, action_of
from fhir_server.application.core.access_notices import parties
from fhir_server.application.core.ceilings import breakers
from fhir_server.application.core.enforcement_point import judge_again, open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, left_open, of_kinds, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.reading.read import not_found
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import (
    ACCESS,
    ADMISSION,
    DECLARED_EVIDENCE,
    EMERGENCY,
    TYPE,
    WAITING,
    Case,
    CaseKind,
    CaseOutcome,
    case_id,
    case_of,
    is_case,
)
from fhir_server.domain.commands import command
from fhir_server.domain.consents.directives import consent_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY

_EVENTS, _CASES, _NOTICES = 20, 500, 200
_OF_EMERGENCIES = frozenset({NoticeKind.BREAK_GLASS.value, NoticeKind.REGULATION.value})
_GROUNDS_OF_EMERGENCIES = frozenset({Purpose.BREAK_GLASS.value, Purpose.EMERGENCY.value})


@dataclass(frozen=True, slots=True)
class _Contested:
    """What is contested. party: whom it is about, a professional or, of an admission, an establishment.

    rule: of the case. confidential: whether guardians learn nothing of it (B10).
    """

    party: Named
    rule: str
    confidential: bool


@command(EventKind.CONTESTED)
def contest(runtime: Runtime, caller: Caller, type_: str, id_: str) -> str:
    """Block whom a notice, an audit event or an admission names, and open a case; return the reference of the case.

    Raises: Problem(NOT_FOUND) for everybody but the patient and representatives, and for what they do not see;
    BUSINESS_RULE when it names nobody to contest.
    """
    audited = interaction_of(EventKind.CONTESTED, target=f"{type_}/{id_}")

    def plan(work: UnitOfWork) -> Case:
        found = _contested(work, type_, id_)
        case = open_case(work, replace(_case(work, found), block=_block(work, found)))
        work.send(breakers.follow_message(runtime, found.party.reference))
        _trace(work, confidential=found.confidential)
        return case

    case = carry_out(runtime, caller, audited, plan)
    suspensions.follow(runtime, case.who or "")
    return case.reference


@command(EventKind.CONTEST_WITHDRAWN)
def withdraw(runtime: Runtime, caller: Caller, type_: str, id_: str) -> None:
    """Withdraw a contest of the caller that waits for the officer; the block ends as if it had never been.

    Raises: as `contest`; Problem(BUSINESS_RULE) when nothing of the caller waits.
    """
    audited = interaction_of(EventKind.CONTEST_WITHDRAWN, target=f"{type_}/{id_}")

    def plan(work: UnitOfWork) -> str:
        found = _contested(work, type_, id_)
        waiting = [(stored, case) for stored, case in _waiting(work, found.party.reference) if _is_own(work, case)]
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
        work.send(breakers.follow_message(runtime, found.party.reference))
        _trace(work, confidential=found.confidential)
        return found.party.reference

    suspensions.follow(runtime, carry_out(runtime, caller, audited, plan))


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
    confidential = bool(stored.facts.access.marks & HIDDEN_FROM_GUARDIANS)
    person, establishment = _person(body), _establishment(work, body)
    if person:
        return _Contested(person, _rule(work, body, person.reference), confidential)
    if establishment:
        return _Contested(establishment, ADMISSION, confidential)
    raise Problem.of(Category.BUSINESS_RULE, "this names nobody to contest", code="nobody-to-contest")


def _rule(work: UnitOfWork, body: Json, person: str) -> str:
    """Return the rule of the case: a contest counts against somebody only if they have declared something here."""
    if _is_of_emergency(body):
        return EMERGENCY
    declared = of_kinds(ReadingReason.REVIEW, work.entered.patient, frozenset({NoticeKind.DECLARED.value}))
    latest = Search("Communication", sort="sent", descending=True, limit=_NOTICES)
    told = work.snapshot.find(latest, declared).rows
    return DECLARED_EVIDENCE if any(_names(notice, person) for notice in told) else ACCESS


def _names(notice: Stored, person: str) -> bool:
    named = _person(orjson.loads(notice.body))
    return named is not None and named.reference == person


def _establishment(work: UnitOfWork, body: Json) -> Named | None:
    """Return the establishment that says that the patient is in its care, by an Encounter or the notice of one."""
    if "serviceProvider" in body:
        reference = str(body["serviceProvider"]["reference"])
        stored = work.snapshot.read("Organization", reference.partition("/")[2], IN_DIRECTORY)
        return Named(reference, str(orjson.loads(stored.body).get("name", "")) if stored else "")
    if NoticeKind.ADMITTED not in _categories(body):
        return None
    return _of_type(body.get("about", ()), "Organization")


def _person(body: Json) -> Named | None:
    """Return the professional whom a notice is about, or who acted by an audit event."""
    return _of_type((*body.get("about", ()), *(agent["who"] for agent in body.get("agent", ()))), "Practitioner")


def _of_type(named: Iterable[Json], type_: str) -> Named | None:
    """Return the first of some references that is of a type."""
    found = (one for one in named if str(one.get("reference", "")).startswith(f"{type_}/"))
    return next((Named(str(one["reference"]), str(one.get("display", ""))) for one in found), None)


def _categories(body: Json) -> set[str]:
    return {str(c["code"]) for kind in body.get("category", ()) for c in kind.get("coding", ())}


def _is_of_emergency(body: Json) -> bool:
    details = {d.get("valueString") for e in body.get("entity", ()) for d in e.get("detail", ())}
    purposes = {c["code"] for use in body.get("purposeOfEvent", ()) for c in use.get("coding", ())}
    stated = {*details, *purposes}
    return bool(
        _categories(body) & _OF_EMERGENCIES or stated & (_GROUNDS_OF_EMERGENCIES | {"break-glass", "regulation"})
    )


def _case(work: UnitOfWork, found: _Contested) -> Case:
    """Return the case, with the latest audit events of whom it is about in this space as its evidence.

    Each contester has a case of their own, and another for what is hidden from guardians: nobody takes back, sees or
    changes what somebody else contests.
    """
    patient, who, at = work.entered.patient, found.party.reference, work.at
    by = work.caller.requester.person
    acted = AnyOf(tokens.reference("agent", who))
    view = whole_space(ReadingReason.REVIEW, patient)
    latest = Search("AuditEvent", (acted,), sort="date", descending=True, limit=_EVENTS)
    events = work.snapshot.find(latest, view).rows
    return Case(
        id=case_id(
            work.runtime.cursor_key,
            CaseKind.CONTEST,
            who,
            found.rule,
            at,
            patient,
            by,
            "hidden" if found.confidential else "open",
        ),
        kind=CaseKind.CONTEST,
        patient=patient,
        opened_at=at,
        due=work.runtime.profile.case_decision.after(at),
        rule=found.rule,
        who=who,
        events=tuple(f"AuditEvent/{event.id}" for event in events),
        display=found.party.display or None,
        contester=by,
        confidential=found.confidential,
    )


def _block(work: UnitOfWork, found: _Contested) -> str | None:
    """Plan the block and return its reference, None when there is a block already that serves.

    The block of a contest that is hidden from guardians is hidden from them. A block by somebody else's contest does
    not serve, because it ends with that contest. A hidden block does not serve a contest that guardians may know of,
    because they would notice that no block was added.
    """
    patient, who = work.entered.patient, found.party.reference
    blocks = _blocks(work.record(), who) - {
        str(case.block).partition("/")[2] for _, case in _waiting(work, who) if not _is_own(work, case)
    }
    if not found.confidential:
        blocks &= _left_open(work, blocks)
    if blocks:
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


def _blocks(record: RecordState, who: str) -> frozenset[str]:
    """Return the ids of the choices that block exactly this party, for everything and without an end."""
    return frozenset(
        one.id
        for one in record.directives
        if one.kind is DirectiveKind.BLOCK and one.actors == {who} and not one.purposes and one.end is None
    )


def _left_open(work: UnitOfWork, blocks: frozenset[str]) -> frozenset[str]:
    """Return the blocks that are not hidden from guardians."""
    view = left_open(ReadingReason.CONFIDENTIALITY, work.entered.patient, HIDDEN_FROM_GUARDIANS)
    return work.snapshot.visible_ids("Consent", blocks, view) if blocks else blocks


def _waiting(work: UnitOfWork, who: str) -> list[tuple[Stored, Case]]:
    """Return the contests about somebody that wait for a decision, whoever contests."""
    view = whole_space(ReadingReason.REVIEW, work.entered.patient)
    rows = work.snapshot.find(Search(TYPE, (AnyOf(frozenset({WAITING})),), limit=_CASES), view).rows
    cases = [(row, case_of(task, row.facts.access)) for row in rows if is_case(task := orjson.loads(row.body))]
    return [(row, case) for row, case in cases if (case.kind, case.who) == (CaseKind.CONTEST, who)]


def _is_own(work: UnitOfWork, case: Case) -> bool:
    return case.contester == work.caller.requester.person


def _trace(work: UnitOfWork, *, confidential: bool) -> None:
    work.trace_outcome(work.entered.outcome(work.audited.target, confidential=confidential))
