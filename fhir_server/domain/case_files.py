"""The file of a case for the data-protection officer, as a FHIR Task: what happened, about whom, the decision.

A case about a patient is kept in the patient's space; any other case belongs to no space and carries nothing of a
patient. A case names no document: its evidence is references of audit events, and counts. Only auditors read it.
Sources: https://hl7.org/fhir/R4/task.html; statements V8, V11, V13, V20 and V22 of docs/rules.md; ADR 86.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from consent_rules.visibility import AccessFacts, micros
from consent_rules.vocabulary import NO_SPACE, Code, Mark, PatientId
from fhir_server.domain import bodies
from fhir_server.domain.notices import Named
from fhir_server.domain.search import tokens
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import Json

TYPE = "Task"
DUE = "due"
"""Date by which open cases are ordered in their queue."""
SYSTEM = "urn:habilis:case"
"""Code system of `Task.code`, the kind of a case, of its outcome, and of the kinds of its inputs."""
_RULES = f"{SYSTEM}-rule"
WAITING = tokens.exact_token("case", SYSTEM, "waiting")
DECLARED_EVIDENCE = "declared-evidence"
"""Rule of a case in which somebody is contested who has declared an agreement in the space."""
ACCESS = "access"
"""Rule of a case in which somebody is contested who has declared nothing there: it only blocks, and never counts."""
ADMISSION = "admission"
"""Rule of a case that contests an establishment's statement that it cares for the patient; it counts against nobody."""
EMERGENCY = "emergency"
"""Rule of a case that contests an emergency access; it counts against nobody, so that nobody hesitates to use one."""
_COUNTED_NEVER = frozenset({ACCESS, ADMISSION, EMERGENCY})
_MOST_EVENTS = 50
"""The most audit events that one case names; later ones are left out."""


class CaseKind(Code):
    """What opened a case."""

    CONTEST = "contest"
    CEILING = "ceiling"
    BREAKER = "breaker"
    DETECTION = "detection"


class CaseOutcome(Code):
    """How a case ended: what the officer decided, or that whoever contested took it back."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Case:
    """One case. patient: the space that it is kept in, NO_SPACE for none.

    rule: the rule or ceiling. who: reference of the person, establishment or software concerned, None when it is about
    several. reason: the rule in a sentence, None when its code says enough. display: the name of `who`, None when
    unknown. evidence: codes and counts. events: relative references of audit events. times: how often it happened,
    rounded to two significant digits when a ceiling is reached very often. contester: reference of the person who
    contests. block: reference of the Consent by which the contest blocks the person.
    confidential: whether guardians learn nothing of it (B10).
    decided_at, decided_by, comment: when and by whom the case was decided, and the reasons.
    """

    id: str
    kind: CaseKind
    patient: PatientId
    opened_at: datetime
    due: datetime
    rule: str
    who: str | None = None
    evidence: Mapping[str, int] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    display: str | None = None
    times: int = 1
    contester: str | None = None
    block: str | None = None
    confidential: bool = False
    outcome: CaseOutcome | None = None
    decided_at: datetime | None = None
    decided_by: Named | None = None
    comment: str | None = None
    reason: str | None = None

    @property
    def reference(self) -> str:
        """The relative reference of the case."""
        return f"{TYPE}/{self.id}"

    @property
    def stands(self) -> bool:
        """Whether the case counts against the party that it is about: it is undecided, or decided against them."""
        return self.outcome in (None, CaseOutcome.NOT_JUSTIFIED)


def case_id(key: bytes, kind: CaseKind, who: str, rule: str, day: datetime, *where: str) -> str:
    """Return the id of the one case of a kind, about somebody, by a rule, on a day (UTC) and in a space.

    key: the server's secret key. Without it, nobody who sees an id in the audit log can find out by trial whom the case
    is about.
    where: the id of the patient; for a case that each of several people may open, also who opens it and how.
    """
    text = "\0".join((kind, who, rule, f"{day:%Y-%m-%d}", *(where or (NO_SPACE,))))
    return str(UUID(bytes=hmac.digest(key, text.encode(), "sha256")[:16], version=4))


def grows_by(times: int) -> int:
    """Return by how much a case grows when something happens for the nth time on a day, 0 for not at all.

    Each of the first hundred times makes it grow, then each tenth, then each hundredth, and so on: the case says two
    digits of the number, and a flood costs 90 writes for each further digit.
    """
    step: int = 10 ** max(0, len(str(times - 1)) - 2)
    return step if times % step == 0 else 0


def against(who: str) -> str:
    """Return the lookup token of the contests that stand against somebody."""
    return tokens.exact_token("contest", SYSTEM, who)


def opened_again(before: Case, now: Case) -> Case:
    """Return a case that counts one more occurrence; a case that was withdrawn waits for a decision again.

    What the officer has decided stays decided.
    """
    counts = {**before.evidence, **now.evidence}
    events = tuple(dict.fromkeys((*before.events, *now.events)))[:_MOST_EVENTS]
    again = replace(
        before, times=before.times + now.times, evidence=counts, events=events, block=now.block or before.block
    )
    return reopened(again) if before.outcome is CaseOutcome.WITHDRAWN else again


def reopened(case: Case) -> Case:
    """Return a case without its decision."""
    return replace(case, outcome=None, decided_at=None, decided_by=None, comment=None)


def stored_of(case: Case, at: datetime, before: Stored | None = None) -> Stored:
    """Return a version of a case as it is stored; it is in the queue until it is decided. before: the last version."""
    number = before.version + 1 if before else 1
    waiting = frozenset[str]() if case.outcome else frozenset({WAITING})
    standing = frozenset({against(case.who)}) if _counts(case) and case.who else frozenset[str]()
    place, found = micros(case.due), waiting | standing
    return Stored(
        TYPE,
        case.id,
        number,
        0,
        deleted=False,
        last_updated=at,
        marked_at=None,
        body=bodies.stamped(task_of(case), case.id, number, at),
        facts=Facts(_access_of(case), tokens=found, lookup=found, dates={DUE: (place, place + 1)}),
    )


def is_case(task: Json) -> bool:
    """Tell whether a Task is a case; a Task without a code is the file of a break-glass."""
    return "code" in task


def task_of(case: Case) -> Json:
    """Write a case as a Task without id and version."""
    counts = [_input(name, valueInteger=count) for name, count in sorted(case.evidence.items())]
    events = [_input("event", valueReference={"reference": reference}) for reference in case.events]
    block = [_input("block", valueReference={"reference": case.block})] if case.block else []
    said = {"text": case.reason} if case.reason else {}
    task: Json = {
        "resourceType": TYPE,
        "status": "completed" if case.outcome else "requested",
        "intent": "order",
        "code": {"coding": [{"system": SYSTEM, "code": case.kind.value}]},
        "authoredOn": bodies.instant(case.opened_at),
        "reasonCode": {"coding": [{"system": _RULES, "code": case.rule}]} | said,
        "restriction": {"repetitions": case.times, "period": {"end": bodies.instant(case.due)}},
        "input": [*events, *counts, *block],
    }
    if case.patient:
        task["for"] = {"reference": f"Patient/{case.patient}"}
    if case.who:
        task["focus"] = {"reference": case.who} | ({"display": case.display} if case.display else {})
    if case.contester:
        task["requester"] = {"reference": case.contester}
    if not task["input"]:
        del task["input"]
    return task | _decision(case)


def case_of(task: Json, access: AccessFacts | None = None) -> Case:
    """Read a case from its Task. access: of the stored Task, which says whether it is confidential."""
    given = [(str(one["type"]["coding"][0]["code"]), one) for one in task.get("input", ())]
    focus, decided = task.get("focus"), task.get("businessStatus")
    return Case(
        id=str(task["id"]),
        kind=CaseKind(task["code"]["coding"][0]["code"]),
        patient=PatientId(str(task["for"]["reference"]).partition("/")[2]) if "for" in task else NO_SPACE,
        opened_at=datetime.fromisoformat(task["authoredOn"]),
        due=datetime.fromisoformat(task["restriction"]["period"]["end"]),
        rule=str(task["reasonCode"]["coding"][0]["code"]),
        who=str(focus["reference"]) if focus else None,
        evidence={name: int(one["valueInteger"]) for name, one in given if "valueInteger" in one},
        events=tuple(str(one["valueReference"]["reference"]) for name, one in given if name == "event"),
        block=next((str(one["valueReference"]["reference"]) for name, one in given if name == "block"), None),
        display=focus.get("display") if focus else None,
        times=int(task["restriction"]["repetitions"]),
        contester=str(task["requester"]["reference"]) if "requester" in task else None,
        confidential=bool(access and access.marks),
        outcome=CaseOutcome(decided["coding"][0]["code"]) if decided else None,
        decided_at=datetime.fromisoformat(task["executionPeriod"]["end"]) if decided else None,
        decided_by=_named(task["owner"]) if decided else None,
        comment=next((str(note["text"]) for note in task.get("note", ())), None),
        reason=task["reasonCode"].get("text"),
    )


def _counts(case: Case) -> bool:
    return case.kind is CaseKind.CONTEST and case.rule not in _COUNTED_NEVER and case.stands


def _access_of(case: Case) -> AccessFacts:
    marks = Mark.INVISIBLE_REPRESENTANTS_LEGAUX if case.confidential else Mark.NONE
    return AccessFacts(compartment=case.patient, kind=case.kind.value, marks=marks)


def _decision(case: Case) -> Json:
    """Return the elements that a decision adds."""
    if not (case.outcome and case.decided_at and case.decided_by):
        return {}
    result: Json = {
        "businessStatus": {"coding": [{"system": SYSTEM, "code": case.outcome.value}]},
        "executionPeriod": {"end": bodies.instant(case.decided_at)},
        "owner": case.decided_by.as_reference(),
    }
    return result | ({"note": [{"text": case.comment}]} if case.comment else {})


def _input(code: str, **value: object) -> Json:
    return {"type": {"coding": [{"system": SYSTEM, "code": code}]}, **value}


def _named(reference: Json) -> Named:
    return Named(str(reference["reference"]), str(reference.get("display", "")))
