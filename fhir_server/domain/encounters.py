"""The Encounter that an admission system records: who cares for the patient, and when. Nothing about why.

Source: https://hl7.org/fhir/R4/encounter.html; docs/adr/0092-admissions.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fhir_server.domain import references
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search import dates
from fhir_server.domain.values import Json

PLANNED = "planned"
ENDED = frozenset({"finished", "cancelled", "entered-in-error", "unknown"})
_ELEMENTS = frozenset(
    {
        "resourceType",
        "id",
        "meta",
        "identifier",
        "status",
        "class",
        "subject",
        "period",
        "participant",
        "serviceProvider",
    }
)
_OF_SUBJECT = frozenset({"reference", "type", "identifier"})
_OF_PARTICIPANT = frozenset({"individual"})
_MOST_PARTICIPANTS = 10


@dataclass(frozen=True, slots=True)
class Stay:
    """What an Encounter states. end: exclusive. establishment: "Organization/…", "" when it names none.

    professionals: references as written in the directory.
    """

    status: str
    start: datetime | None
    end: datetime | None
    establishment: str
    professionals: tuple[str, ...]

    @property
    def is_planned(self) -> bool:
        """Whether the care has not begun."""
        return self.status == PLANNED


def demand_minimal(encounter: Json, root: str) -> None:
    """Refuse an Encounter that says more than who, where and when. root: the FHIRPath of the Encounter.

    Raises: Problem(BUSINESS_RULE) naming each such element.
    """
    faults = tuple(_beyond(encounter, root))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def stay_of(encounter: Json, fhir_base: str) -> Stay:
    """Read an Encounter. Raises: Problem(INVALID) for a period that is none."""
    period = encounter.get("period", {})
    try:
        low, high = dates.period_of(period)
    except ValueError as problem:
        raise Problem.of(Category.INVALID, str(problem), "Encounter.period") from problem
    return Stay(
        str(encounter.get("status", "")),
        dates.instant_of(low) if "start" in period else None,
        dates.instant_of(high) if "end" in period else None,
        _reference(encounter.get("serviceProvider", {}), fhir_base),
        tuple(_reference(one["individual"], fhir_base) for one in encounter.get("participant", ())),
    )


def _reference(reference: Json, fhir_base: str) -> str:
    literal = str(reference.get("reference", ""))
    return "/".join(references.split(literal, fhir_base) or (literal,))


def _beyond(encounter: Json, root: str) -> Iterator[Issue]:
    text = "an Encounter says only who cares for the patient, and when; leave this out"
    for element in sorted(encounter.keys() - _ELEMENTS):
        yield Issue(text, f"{root}.{element}", "not-minimal")
    for element in sorted(encounter.get("subject", {}).keys() - _OF_SUBJECT):
        yield Issue(text, f"{root}.subject.{element}", "not-minimal")
    named = encounter.get("participant", ())
    for number, one in enumerate(named):
        for element in sorted(one.keys() - _OF_PARTICIPANT):
            yield Issue(text, f"{root}.participant[{number}].{element}", "not-minimal")
        if "reference" not in one.get("individual", {}):
            yield Issue("name the professional", f"{root}.participant[{number}].individual", "required")
    if len(named) > _MOST_PARTICIPANTS:
        yield Issue(f"name at most {_MOST_PARTICIPANTS} professionals", f"{root}.participant", "not-minimal")
