"""Notices as FHIR Communications to the patient, the patient's guardian or carer, or the declared attending physician.

Sources: https://hl7.org/fhir/R4/communication.html; L.1111-17, R.1111-28, R.1111-36, R.1111-48 and R.1111-53 of the
French public health code (rules A2, A6, A9, A11, E10, G3, G6, G8, H1 and H2).
"""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.vocabulary import Grade, PatientId, Proof, ReviewOutcome
from fhir_server.domain import bodies
from fhir_server.domain.audit.narrative import in_french
from fhir_server.domain.events import sentences, words
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.values import Json, type_of
from fhir_server.registry import DOCUMENTS

KINDS = "urn:habilis:notice"
"""Code system of `Communication.category`: the kinds of notices."""
REVIEW_DUE = "urn:habilis:review-due"
"""Extension: the instant by which an emergency access must be reviewed."""
REVIEW_OUTCOME = "urn:habilis:review-outcome"
"""Extension: the outcome of the review of an emergency access, a code of consent_rules.vocabulary.ReviewOutcome."""
PROOF = "urn:habilis:proof"
"""Extension: what is said to show an agreement, a code of consent_rules.vocabulary.Proof."""
GRADE = "urn:habilis:grade"
"""Extension: how strong the evidence is, a code of consent_rules.vocabulary.Grade."""
ACCESS_AT = "urn:habilis:access-at"
"""Extension: when the access happened, in a notice that is given some time after it."""
_LANGUAGE = "fr"
"""A notice is stored once, in French; the page says the same in the language of its reader."""
_NAMED_DOCUMENTS = 20
"""How many documents a reader sees in a notice; all are stored, because readers may see different documents."""


URGENT = frozenset(
    {
        NoticeKind.BREAK_GLASS,
        NoticeKind.REGULATION,
        NoticeKind.SUSPENDED,
        NoticeKind.PASSWORD,
        NoticeKind.FACTORS,
    }
)


@dataclass(frozen=True, slots=True)
class Named:
    """A person or thing that a notice is about or addressed to: a relative reference and a name to show."""

    reference: str
    display: str = ""

    def as_reference(self) -> Json:
        """Return the FHIR Reference."""
        return {"reference": self.reference} | ({"display": self.display} if self.display else {})


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to write.

    at: when it happened; the notice is visible from then on. recipients: relative references.
    who, where: the person who acted and the establishment, None when nobody acted.
    about: references of documents or Consents. reason: as the person stated it, "" when the notice gives none.
    review_due: by when an emergency access must be reviewed. opened_at, outcome: of the access that was reviewed.
    proof, grade: of the evidence that was given for an agreement.
    """

    kind: NoticeKind
    patient: PatientId
    at: datetime
    recipients: tuple[str, ...]
    who: Named | None = None
    where: Named | None = None
    about: tuple[str, ...] = ()
    reason: str = ""
    review_due: datetime | None = None
    opened_at: datetime | None = None
    outcome: ReviewOutcome | None = None
    proof: Proof | None = None
    grade: Grade | None = None


def communication_of(notice: Notice) -> Json:
    """Write a notice as a Communication without id and version."""
    text = text_of(notice)
    named = [item.as_reference() for item in (notice.who, notice.where) if item]
    about = [*named, *({"reference": ref} for ref in notice.about)]
    built: Json = {
        "resourceType": "Communication",
        "language": "fr",
        "text": {
            "status": "generated",
            "div": in_french(text),
        },
        "status": "completed",
        "category": [{"coding": [{"system": KINDS, "code": notice.kind.value}]}],
        "priority": "urgent" if notice.kind in URGENT else "routine",
        "subject": {"reference": f"Patient/{notice.patient}"},
        "sent": bodies.instant(notice.at),
        "recipient": [{"reference": reference} for reference in notice.recipients],
        "payload": [{"contentString": text}],
    }
    if notice.review_due:
        built["extension"] = [{"url": REVIEW_DUE, "valueDateTime": bodies.instant(notice.review_due)}]
    if notice.kind is NoticeKind.UNEXPLAINED and notice.opened_at:
        built["extension"] = [{"url": ACCESS_AT, "valueDateTime": bodies.instant(notice.opened_at)}]
    if notice.outcome:
        built["extension"] = [{"url": REVIEW_OUTCOME, "valueCode": notice.outcome.value}]
    if notice.proof and notice.grade:
        built["extension"] = [
            {"url": PROOF, "valueCode": notice.proof.value},
            {"url": GRADE, "valueCode": notice.grade.value},
        ]
    if notice.reason:
        built["reasonCode"] = [{"text": notice.reason}]
    return built | ({"about": about} if about else {})


def cut(communication: Json) -> Json:
    """Return a notice that names no more documents than a reader sees; the same notice when it names few enough."""
    about = communication.get("about", [])
    documents = [item for item in about if type_of(str(item.get("reference", ""))) in DOCUMENTS]
    left_out = documents[_NAMED_DOCUMENTS:]
    return communication | {"about": [item for item in about if item not in left_out]} if left_out else communication


def text_of(notice: Notice) -> str:
    """Return the notice as a few plain French sentences; times are UTC and say so."""
    told = [sentences.notice(notice.kind, _who(notice), _LANGUAGE)]
    if notice.proof and notice.grade:
        told += [
            sentences.phrase(words.PROOFS[notice.proof], _LANGUAGE),
            sentences.phrase(words.GRADES[notice.grade], _LANGUAGE),
        ]
    if notice.opened_at:
        told.append(_dated(words.OPENED_ON, f"{notice.opened_at:%d/%m/%Y à %H:%M} UTC"))
    if notice.outcome:
        told.append(sentences.result(notice.kind, notice.outcome, _LANGUAGE))
    if notice.review_due:
        told.append(_dated(words.TO_REVIEW, f"{notice.review_due:%d/%m/%Y %H:%M} UTC"))
    return f"Le {notice.at:%d/%m/%Y à %H:%M} UTC : {' '.join(told)}"


def _who(notice: Notice) -> str:
    who = (notice.who.display or notice.who.reference) if notice.who else sentences.phrase(words.SOFTWARE, _LANGUAGE)
    return f"{who} ({notice.where.display})" if notice.where and notice.where.display else who


def _dated(text: str, when: str) -> str:
    return sentences.phrase(text, _LANGUAGE).replace("%(when)s", when)
