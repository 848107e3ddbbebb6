"""Choices about people in words: whom each names, of what kind it is, since when and until when, who may end it.

Source: rules C1 to C8, D4, E4, B3, B13 and F1 to F6; docs/portal.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.problem import Problem
from fhir_server.domain.terminology.code_systems import OWN, code_systems
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import current_language
from fhir_server.http.request_context import runtime
from fhir_server.registry import PARTIES

READING = " ".join(
    f"patient/{name}.rs" for name in ("Consent", "Organization", "Practitioner", "PractitionerRole", "RelatedPerson")
)
"""Scopes for choices and the names of whom they name."""
RELATIVES = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER})
_SHOWN = (
    DirectiveKind.DECLARED_PHYSICIAN,
    DirectiveKind.ADMINISTRATOR,
    DirectiveKind.AGREEMENT,
    DirectiveKind.REPRESENTATIVE,
    DirectiveKind.GUARDIAN,
    DirectiveKind.CARER,
    DirectiveKind.BLOCK,
)
"""The kinds of choices about somebody, in the order of the page."""
_ENDED_HERE = frozenset(_SHOWN) - {DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN}
"""Who represents the patient is recorded by the insurer or a judge's order, and ended there."""
_MOST = 100


@dataclass(frozen=True, slots=True)
class ChoiceInWords:
    """One choice about somebody. id: of its Consent. actor: the reference of whom it names.

    words: its kind. proof: what shows an agreement, "" for another choice. until: exclusive, None for no end. is_over:
    whether that has passed. classes: words for the classes of documents to which it is limited, () for no limit.
    is_limited: whether it covers some documents only.
    """

    id: str
    kind: DirectiveKind
    actor: str
    name: str
    words: str
    proof: str
    since: datetime | None
    until: datetime | None
    is_over: bool
    classes: tuple[str, ...]
    is_limited: bool

    @property
    def is_block(self) -> bool:
        """Tell whether the choice closes the space to somebody."""
        return self.kind is DirectiveKind.BLOCK

    @property
    def is_relative(self) -> bool:
        """Tell whether the choice is about a representative, guardian or carer."""
        return self.kind in RELATIVES

    @property
    def may_end(self) -> bool:
        """Tell whether a page offers to end it."""
        return self.kind in _ENDED_HERE

    @property
    def may_block(self) -> bool:
        """Tell whether a page offers to block whom the choice names."""
        return not self.is_block and self.actor.partition("/")[0] in PARTIES


def choices(visit: Visit) -> tuple[list[ChoiceInWords], bool]:
    """Return the choices about people that are recorded, and whether there are more than one page shows."""
    asked = [("patient", visit.patient), ("status", "active"), ("_count", str(_MOST)), ("_include", "Consent:actor")]
    found = find(visit.caller, "Consent", asked)
    told = [choice for consent in found.resources for choice in _tell(consent, found.beside)]
    return sorted(told, key=_place), bool(found.later)


def class_words(codes: frozenset[str] | None) -> tuple[str, ...]:
    """Return the words for classes of documents, in their order; () for no limit."""
    system = next(one for url, one in code_systems().items() if "TRE_A03-" in url)
    known = (system.concepts.get(code) for code in codes or ())
    return tuple(sorted(one.display(current_language()) for one in known if one))


def _tell(consent: Json, beside: Mapping[str, Json]) -> Iterator[ChoiceInWords]:
    """Yield a choice in words for each whom it names; nothing for a choice about documents or emergencies."""
    try:
        said = directives_of(consent, consent["id"])[:1]
    except Problem:  # an earlier version stored it, and it is not in force
        return
    for directive in said:
        if directive.kind in _SHOWN:
            yield from (_in_words(directive, actor, consent, beside) for actor in sorted(directive.actors))


def _in_words(directive: Directive, actor: str, consent: Json, beside: Mapping[str, Json]) -> ChoiceInWords:
    given = consent.get("dateTime", "")
    return ChoiceInWords(
        id=consent["id"],
        kind=directive.kind,
        actor=actor,
        name=name_of({"reference": actor} | _said_of(actor, consent), beside),
        words=_display("directive", directive.kind),
        proof=_display("proof", directive.proof) if directive.kind is DirectiveKind.AGREEMENT else "",
        since=datetime.fromisoformat(given) if "T" in given else None,
        until=directive.end,
        is_over=directive.end is not None and directive.end <= runtime().now(),
        classes=class_words(directive.categories),
        is_limited=directive.precision > 0,
    )


def _display(system: str, code: str) -> str:
    known = code_systems()[f"{OWN}{system}"].concepts.get(code)
    return known.display(current_language()) if known else ""


def _said_of(actor: str, consent: Json) -> Json:
    """Return what the Consent says of whom it names, such as a display."""
    named = (one.get("reference", {}) for one in consent.get("provision", {}).get("actor", ()))
    return next((one for one in named if one.get("reference") == actor), {})


def _place(choice: ChoiceInWords) -> tuple[int, str, str]:
    return _SHOWN.index(choice.kind), choice.name, choice.id
