"""Answers about codes: the expansion of a value set, what a code means, whether a code belongs somewhere.

Source: https://hl7.org/fhir/R4/valueset-operation-expand.html, codesystem-operation-lookup.html,
codesystem-operation-validate-code.html and valueset-operation-validate-code.html.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fhir_server.domain.search.tokens import fold
from fhir_server.domain.terminology.code_systems import CodeSystem, Concept
from fhir_server.domain.terminology.value_sets import Coded, ValueSet


@dataclass(frozen=True, slots=True)
class Expansion:
    """One page of a value set. total: of all pages. page: (system, concept) pairs."""

    total: int
    page: tuple[tuple[str, Concept], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a code belongs. display: the right one of the code that belongs. message: why none does, or a warning."""

    holds: bool
    display: str = ""
    message: str = ""


def expand(value_set: ValueSet, text: str, start: int, count: int | None, language: str) -> Expansion:
    """Return one page of the concepts whose code begins with a text, or whose display has a word that begins with it.

    text: compared without case and accents, "" for every code. count: None for all.
    """
    wanted = fold(text)
    found = [pair for pair in value_set.concepts() if not wanted or _is_meant(pair[1], wanted, language)]
    end = len(found) if count is None else start + count
    return Expansion(len(found), tuple(found[start:end]))


def _is_meant(concept: Concept, wanted: str, language: str) -> bool:
    shown = fold(concept.display(language))
    return fold(concept.code).startswith(wanted) or f" {wanted}" in f" {shown}"


def of_system(system: CodeSystem, code: str, display: str, language: str) -> Verdict:
    """Tell whether a code system has a code. display: the one that the client states, to be checked; "" for none."""
    concept = system.concepts.get(code)
    if concept is None:
        return Verdict(holds=False, message=f"the code is not among the {len(system.concepts)} that this server knows")
    return _compared(concept, display, language)


def of_value_set(value_set: ValueSet, codings: Iterable[tuple[Coded, str]], language: str) -> Verdict:
    """Tell whether one of some codings belongs to a value set.

    codings: ((system, code), display); "" for any system.
    """
    known: dict[str, list[tuple[str, Concept]]] = {}
    for own, concept in value_set.concepts():
        known.setdefault(concept.code, []).append((own, concept))
    for (system, code), display in codings:
        for own, concept in known.get(code, ()):
            if system in ("", own):
                return _compared(concept, display, language)
    return Verdict(holds=False, message="the code is not in the value set")


def _compared(concept: Concept, display: str, language: str) -> Verdict:
    """Compare a display with those that the server holds; a wrong display is no fault of the code."""
    right = concept.display(language)
    shown = {fold(one) for one in (concept.fr, concept.en, right) if one}
    if display and fold(display) not in shown:
        return Verdict(holds=False, display=right, message="the code is right, but the display is another one")
    return Verdict(holds=True, display=right)
