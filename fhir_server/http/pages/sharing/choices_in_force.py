"""The choices in force in a space, from one search: whom they name, which emergencies are closed, what is hidden.

Source: rules C1 to C8, D4, E4, E12, F1 to F6, G4 and G5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent_rules.decision.conditions import is_switch
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.domain.consents.directives import directives_of, speaks
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.visits import Visit

READING = (
    "patient/Consent.rs patient/Organization.rs patient/Practitioner.rs patient/PractitionerRole.rs "
    "patient/RelatedPerson.rs"
)
_MOST = 200


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody whom a choice names. name: "" when it is not known. until: None for no end."""

    kind: DirectiveKind
    name: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ChoicesInForce:
    """What the choices of a space say today. settings: those that are on. closed: emergency modes that are off."""

    named: tuple[Named, ...]
    settings: frozenset[DirectiveKind]
    closed: frozenset[Purpose]
    are_all: bool

    def of(self, *kinds: DirectiveKind) -> tuple[Named, ...]:
        """Return those whom choices of these kinds name."""
        return tuple(one for one in self.named if one.kind in kinds)


def choices_in_force(visit: Visit, at: datetime) -> ChoicesInForce:
    """Return the choices that hold at an instant, as far as the reader of the page sees them."""
    asked = [("patient", visit.patient), ("status", "active"), ("_count", str(_MOST)), ("_include", "Consent:actor")]
    found = find(visit.caller, "Consent", asked)
    said = [one for consent in found.resources for one in _roots(consent) if one.holds_at(at)]
    switches = [one for one in said if one.kind is DirectiveKind.BLOCK and is_switch(one)]
    people = (one for one in said if one.actors)
    return ChoicesInForce(
        tuple(sorted(_named(people, found.beside), key=lambda one: (one.name, one.kind))),
        frozenset(one.kind for one in said if not one.actors),
        frozenset(purpose for one in switches for purpose in one.purposes),
        not found.later,
    )


def _roots(consent: Json) -> tuple[Directive, ...]:
    """Return what a Consent says first; nothing for one that an earlier version stored and that cannot be read."""
    try:
        return directives_of(consent, consent["id"])[:1] if speaks(consent) else ()
    except Problem:
        return ()


def _named(said: Iterable[Directive], beside: Mapping[str, Json]) -> set[Named]:
    return {Named(one.kind, name_of({"reference": actor}, beside), one.end) for one in said for actor in one.actors}
