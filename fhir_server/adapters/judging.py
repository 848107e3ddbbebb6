"""Visibility of one resource that a store has read, decided by `Visibility.admits`."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from consent_rules.visibility import Visibility
from fhir_server.domain.stored import UNGATHERING, Facts

__all__ = ["UNGATHERING", "about", "is_visible"]

VisibleIds = Callable[[str, Iterable[str], Visibility, bool], frozenset[str]]


def about(visibility: Visibility) -> Visibility:
    """Return the visibility of the documents that audit events and notices are about."""
    return Visibility(visibility.compartment, visibility.documents)


def is_visible(type_: str, facts: Facts, visibility: Visibility, visible_ids: VisibleIds) -> bool:
    """Tell whether a resource is visible: by its own facts, or through the documents in it (see Facts)."""
    if not facts.documents:
        return visibility.admits(facts.access)
    if type_ in UNGATHERING:
        freely = tuple(way for way in visibility.clauses if not way.of_seen)
        if replace(visibility, clauses=freely).admits(facts.access):
            return True
        return visibility.admits(facts.access) and bool(
            visible_ids("DocumentReference", facts.documents, about(visibility), True)  # noqa: FBT003 - `gone`
        )
    if facts.access.compartment != visibility.compartment:
        return False
    owning = replace(visibility, clauses=tuple(way for way in visibility.clauses if way.owned_by is not None))
    return owning.admits(facts.access) or bool(
        visible_ids("DocumentReference", facts.documents, visibility, False)  # noqa: FBT003 - not `gone`
    )
