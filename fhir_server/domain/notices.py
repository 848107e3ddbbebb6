"""Notices as FHIR Communications to the patient, the patient's guardian or carer, or the declared attending physician.

Sources: https://hl7.org/fhir/R4/communication.html; L.1111-17, R.1111-28, R.1111-36, R.1111-48 and R.1111-53 of the
French public health code (rules A2, A6, A9, A11, E10, G3, G6, G8, H1 and H2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent_rules.vocabulary import PatientId, ReviewOutcome
from fhir_server.domain import bodies
from fhir_server.domain.audit.narrative import in_french
from fhir_server.domain.values import Json, type_of
from fhir_server.registry import DOCUMENTS

KINDS = "urn:habilis:notice"
"""Code system of `Communication.category`: the kinds below."""
REVIEW_DUE = "urn:habilis:review-due"
"""Extension: the instant by which an emergency access must be reviewed."""
REVIEW_OUTCOME = "urn:habilis:review-outcome"
"""Extension: the outcome of the review of an emergency access, a code of consent_rules.vocabulary.ReviewOutcome."""
_NAMED_DOCUMENTS = 20
"""How many documents a reader sees in a notice; all are stored, because readers may see different documents."""


class Kind(StrEnum):
    """The kinds of notices."""

    ANNOUNCED = "space-announced"
    OPPOSED = "space-opposed"
    OPENED = "space-opened"
    SUSPENDED = "space-suspended"
    CLOSED = "space-closed"
    ERASURE_ASKED = "space-erasure-asked"
    WAITING = "result-waits"
    FIRST_ACCESS = "first-access"
    ACCESS = "access"
    BREAK_GLASS = "break-glass"
    REGULATION = "emergency-regulation"
    REVIEWED = "emergency-reviewed"
    FILED = "document-filed"
    CHANGED = "document-changed"
    CHOICE_CLOSED = "choice-closed"
    PASSWORD = "password-changed"  # noqa: S105 - a name
    FACTORS = "second-factor-changed"


URGENT = frozenset({Kind.BREAK_GLASS, Kind.REGULATION, Kind.SUSPENDED, Kind.PASSWORD, Kind.FACTORS})
_TEXTS: Mapping[Kind, str] = {
    Kind.ANNOUNCED: "Un espace de santé sera ouvert six semaines après cet envoi, sauf opposition.",
    Kind.OPPOSED: "L’opposition à l’ouverture de l’espace est enregistrée. Ce message en est la preuve.",
    Kind.OPENED: "L’espace est ouvert.",
    Kind.SUSPENDED: "L’accès à l’espace est suspendu. Sans opposition, l’espace sera clos après six semaines.",
    Kind.CLOSED: "L’espace est clos. Ses données sont archivées ; il peut être ouvert de nouveau.",
    Kind.ERASURE_ASKED: "L’effacement de l’espace clos est demandé ; il a lieu au plus tard dans les trois mois.",
    Kind.WAITING: "L’espace a été mis à jour ; il est conseillé d’en parler avec un professionnel de santé, "
    "en particulier avec le médecin traitant.",
    Kind.FIRST_ACCESS: "{who} a consulté l’espace pour la première fois.",
    Kind.ACCESS: "{who} a consulté l’espace.",
    Kind.BREAK_GLASS: "{who} a ouvert l’espace en urgence (bris de glace).",
    Kind.REGULATION: "{who} a ouvert l’espace en régulation d’un appel d’urgence.",
    Kind.REVIEWED: "L’ouverture de l’espace en urgence par {who}, du {opened:%d/%m/%Y à %H:%M} UTC, a été contrôlée : "
    "{outcome}.",
    Kind.FILED: "{who} a déposé des documents dans l’espace.",
    Kind.CHANGED: "{who} a modifié un document de l’espace.",
    Kind.CHOICE_CLOSED: "Un choix enregistré dans l’espace ne peut pas être appliqué tel qu’il est écrit. Il n’ouvre "
    "aucun accès ; enregistrez-le de nouveau s’il est encore voulu.",
    Kind.PASSWORD: "{who} a changé le mot de passe du compte.",
    Kind.FACTORS: "{who} a changé le second facteur de connexion du compte.",
}
_OUTCOMES: Mapping[ReviewOutcome, str] = {
    ReviewOutcome.JUSTIFIED: "justifiée",
    ReviewOutcome.NOT_JUSTIFIED: "non justifiée",
    ReviewOutcome.DISCIPLINARY: "non justifiée, des suites disciplinaires sont engagées",
}


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
    """

    kind: Kind
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
    if notice.outcome:
        built["extension"] = [{"url": REVIEW_OUTCOME, "valueCode": notice.outcome.value}]
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
    """Return the notice as one or two plain French sentences; times are UTC and say so."""
    who = (notice.who.display or notice.who.reference) if notice.who else "Un logiciel"
    where = f" ({notice.where.display})" if notice.where and notice.where.display else ""
    outcome = _OUTCOMES[notice.outcome] if notice.outcome else ""
    told = _TEXTS[notice.kind].format(who=f"{who}{where}", opened=notice.opened_at or notice.at, outcome=outcome)
    due = f" À vérifier avant le {notice.review_due:%d/%m/%Y %H:%M} UTC." if notice.review_due else ""
    return f"Le {notice.at:%d/%m/%Y à %H:%M} UTC : {told}{due}"
