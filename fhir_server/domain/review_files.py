"""The file of a break-glass review, as a FHIR Task: who opened which space, when, why, and the outcome of the review.

Only auditors read it. The patient's side sees the state of the review; no document is named.
Sources: https://hl7.org/fhir/R4/task.html; rules G3 and G8; scenario P6.5.
"""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.consents.reviewing import Review
from consent_rules.visibility import AccessFacts, micros
from consent_rules.vocabulary import PatientId, ReviewOutcome
from fhir_server.domain import bodies
from fhir_server.domain.notices import Named
from fhir_server.domain.search import tokens
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import Json

TYPE = "Task"
KIND = "break-glass"
DUE = "due"
"""Date by which unreviewed files are ordered in their queue."""
SYSTEM = "urn:habilis:review"
"""Code system of `Task.businessStatus`, the state of a review, and of the kinds of its inputs."""
WAITING = tokens.exact_token("review", SYSTEM, "waiting")
_AHEAD = 10**16
"""Microseconds, three centuries: how far a contested access goes ahead in the queue."""


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """One review file. opening: id of the Consent that records the opening; the file has the same id.

    who, where: the person who opened the space and the establishment. reason: as the person stated it.
    reviewer, reviewed_at, comment: of the review; None and "" before it. Only auditors read the comment.
    """

    opening: str
    patient: PatientId
    who: Named
    where: Named | None
    opened_at: datetime
    due: datetime
    reason: str
    contested_at: datetime | None = None
    outcome: ReviewOutcome | None = None
    reviewed_at: datetime | None = None
    reviewer: Named | None = None
    comment: str = ""

    @property
    def review(self) -> Review:
        """The facts that the rules need."""
        return Review(self.who.reference, self.due, self.outcome, self.contested_at is not None)

    @property
    def consent(self) -> str:
        """The relative reference of the Consent that records the opening."""
        return f"Consent/{self.opening}"


def stored_of(file: ReviewFile, version: int, at: datetime) -> Stored:
    """Return one version of a file as it is stored; it is in the queue until it is reviewed."""
    body = bodies.stamped(task_of(file), file.opening, version, at)
    return Stored(
        TYPE,
        file.opening,
        version,
        0,
        deleted=False,
        last_updated=at,
        marked_at=None,
        body=body,
        facts=_facts_of(file),
    )


def task_of(file: ReviewFile) -> Json:
    """Write a file as a Task without id and version."""
    given = [_input("professional", valueReference=file.who.as_reference())]
    if file.where:
        given.append(_input("establishment", valueReference=file.where.as_reference()))
    if file.contested_at:
        given.append(_input("contested", valueDateTime=bodies.instant(file.contested_at)))
    task: Json = {
        "resourceType": TYPE,
        "status": "completed" if file.outcome else "requested",
        "intent": "order",
        "priority": "urgent" if file.contested_at else "routine",
        "focus": {"reference": file.consent},
        "for": {"reference": f"Patient/{file.patient}"},
        "authoredOn": bodies.instant(file.opened_at),
        "reasonCode": {"text": file.reason},
        "restriction": {"period": {"end": bodies.instant(file.due)}},
        "input": given,
    }
    return task | _result(file)


def file_of(task: Json) -> ReviewFile:
    """Read a file from its Task."""
    given = {str(one["type"]["coding"][0]["code"]): one for one in task["input"]}
    where, contested = given.get("establishment"), given.get("contested")
    outcome = next((str(code["code"]) for code in task.get("businessStatus", {}).get("coding", ())), "")
    return ReviewFile(
        opening=str(task["id"]),
        patient=PatientId(str(task["for"]["reference"]).partition("/")[2]),
        who=_named(given["professional"]["valueReference"]),
        where=_named(where["valueReference"]) if where else None,
        opened_at=datetime.fromisoformat(task["authoredOn"]),
        due=datetime.fromisoformat(task["restriction"]["period"]["end"]),
        reason=str(task["reasonCode"]["text"]),
        contested_at=datetime.fromisoformat(contested["valueDateTime"]) if contested else None,
        outcome=ReviewOutcome(outcome) if outcome else None,
        reviewed_at=datetime.fromisoformat(task["executionPeriod"]["end"]) if outcome else None,
        reviewer=_named(task["owner"]) if outcome else None,
        comment=next((str(note["text"]) for note in task.get("note", ())), ""),
    )


def _result(file: ReviewFile) -> Json:
    """Return the elements that a review adds."""
    if not (file.outcome and file.reviewed_at and file.reviewer):
        return {}
    result: Json = {
        "businessStatus": {"coding": [{"system": SYSTEM, "code": file.outcome.value}]},
        "executionPeriod": {"end": bodies.instant(file.reviewed_at)},
        "owner": file.reviewer.as_reference(),
    }
    return result | ({"note": [{"text": file.comment}]} if file.comment else {})


def _facts_of(file: ReviewFile) -> Facts:
    waiting = frozenset() if file.outcome else frozenset({WAITING})
    place = micros(file.due) - (_AHEAD if file.contested_at else 0)
    access = AccessFacts(compartment=file.patient, kind=KIND, owner_person=file.who.reference)
    return Facts(access, tokens=waiting, lookup=waiting, dates={DUE: (place, place + 1)})


def _input(code: str, **value: object) -> Json:
    return {"type": {"coding": [{"system": SYSTEM, "code": code}]}, **value}


def _named(reference: Json) -> Named:
    return Named(str(reference["reference"]), str(reference.get("display", "")))
