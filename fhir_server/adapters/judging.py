"""Visibility of one resource that a store has read, decided by `Visibility.admits`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.domain.search.criteria import AnyOf, Criterion, DateIs, NoneOf
from fhir_server.domain.stored import UNGATHERING, Facts
from fhir_server.registry import DOCUMENTS

__all__ = ["UNGATHERING", "Meets", "about", "about_waiting", "is_visible", "sorted_ways"]
Ways = tuple[Clause, ...]
T = TypeVar("T")


class SeenAmong(Protocol):
    """A function of a store that tells which resources a filter shows."""

    def __call__(self, type_: str, ids: Iterable[str], visibility: Visibility, *, gone: bool) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: include deleted ones."""


def about(visibility: Visibility) -> Visibility:
    """Return the visibility of the documents that audit events and notices are about."""
    return Visibility(visibility.compartment, visibility.documents)


def about_waiting(visibility: Visibility) -> Visibility:
    """Return the visibility of documents for clauses with `of_waiting`: as if none were sealed from the patient."""
    return Visibility(visibility.compartment, tuple(way._replace(unsealed_at=None) for way in visibility.documents))


def sorted_ways(visibility: Visibility) -> tuple[Ways, Ways, Ways]:
    """Return the clauses that ask for no document, those with `of_seen`, and those with `of_waiting`."""
    freely: list[Clause] = []
    of_seen: list[Clause] = []
    of_waiting: list[Clause] = []
    for way in visibility.clauses:
        if way.of_seen:
            of_seen.append(way)
        if way.of_waiting:
            of_waiting.append(way)
        elif not way.of_seen:
            freely.append(way)
    return tuple(freely), tuple(of_seen), tuple(of_waiting)


def is_visible(type_: str, facts: Facts, visibility: Visibility, seen_among: SeenAmong) -> bool:
    """Tell whether a resource is visible: by its own facts, or through the documents in it (see Facts).

    A filter for all spaces at once (`Visibility.everywhere`) shows nothing of a space here.
    """
    if facts.access.compartment != visibility.compartment:
        return False
    if not facts.documents:
        return visibility.admits(facts.access)
    if type_ in UNGATHERING:
        return _is_visible_by_what_it_is_about(facts, visibility, seen_among)
    owning = replace(visibility, clauses=tuple(way for way in visibility.clauses if way.owned_by is not None))
    seen = (seen_among(type_, facts.documents, visibility, gone=False) for type_ in DOCUMENTS)
    return owning.admits(facts.access) or any(seen)


def _is_visible_by_what_it_is_about(facts: Facts, visibility: Visibility, seen_among: SeenAmong) -> bool:
    freely, of_seen, of_waiting = sorted_ways(visibility)

    def admit(ways: Ways) -> bool:
        return replace(visibility, clauses=ways).admits(facts.access)

    def see_one(documents: Visibility, *, gone: bool) -> bool:
        return any(seen_among(type_, facts.documents, documents, gone=gone) for type_ in DOCUMENTS)

    return (
        admit(freely)
        or (admit(of_seen) and see_one(about(visibility), gone=True))
        or (admit(of_waiting) and see_one(about_waiting(visibility), gone=False))
    )


@dataclass(slots=True)
class Meets(Generic[T]):
    """Tells whether rows of several spaces meet the criteria of one search: each space has its own hashes of a token.

    has: tells whether a row has one of these hashes.
    """

    criteria: tuple[Criterion, ...]
    hashes: Hashes
    has: Callable[[T, list[bytes]], bool]
    _hashed: dict[tuple[PatientId, frozenset[str]], list[bytes]] = field(default_factory=dict)

    def __call__(self, facts: Facts, tokens: T) -> bool:
        """Judge one row. tokens: as the store keeps them."""
        return all(self._meets(criterion, facts, tokens) for criterion in self.criteria)

    def _meets(self, criterion: Criterion, facts: Facts, tokens: T) -> bool:
        match criterion:
            case AnyOf():
                return self.has(tokens, self._of(facts.access.compartment, criterion.tokens))
            case NoneOf():
                return not self.has(tokens, self._of(facts.access.compartment, criterion.tokens))
            case DateIs():
                return criterion.matches(facts)

    def _of(self, compartment: PatientId, wanted: frozenset[str]) -> list[bytes]:
        key = compartment, wanted
        if key not in self._hashed:
            self._hashed[key] = self.hashes.tokens(compartment, wanted)
        return self._hashed[key]
