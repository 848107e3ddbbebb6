"""Visibility of one resource that a store has read, decided by `Visibility.admits`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from consent_rules.visibility import Visibility
from fhir_server.domain.stored import UNGATHERING, Facts
from fhir_server.registry import DOCUMENTS

__all__ = ["UNGATHERING", "about", "is_visible"]


class SeenAmong(Protocol):
    """A function of a store that tells which resources a filter shows."""

    def __call__(self, type_: str, ids: Iterable[str], visibility: Visibility, *, gone: bool) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: include deleted ones."""


def about(visibility: Visibility) -> Visibility:
    """Return the visibility of the documents that audit events and notices are about."""
    return Visibility(visibility.compartment, visibility.documents)


def is_visible(type_: str, facts: Facts, visibility: Visibility, seen_among: SeenAmong) -> bool:
    """Tell whether a resource is visible: by its own facts, or through the documents in it (see Facts)."""
    if not facts.documents:
        return visibility.admits(facts.access)
    if type_ in UNGATHERING:
        freely = tuple(way for way in visibility.clauses if not way.of_seen)
        if replace(visibility, clauses=freely).admits(facts.access):
            return True
        return visibility.admits(facts.access) and any(
            seen_among(type_, facts.documents, about(visibility), gone=True) for type_ in DOCUMENTS
        )
    if facts.access.compartment != visibility.compartment:
        return False
    owning = replace(visibility, clauses=tuple(way for way in visibility.clauses if way.owned_by is not None))
    seen = (seen_among(type_, facts.documents, visibility, gone=False) for type_ in DOCUMENTS)
    return owning.admits(facts.access) or any(seen)
