"""One resource that a store has read, judged by the rule itself."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from consent_rules.visibility import Visibility
from fhir_server.domain.stored import Facts

UNGATHERING = ("DocumentReference", "AuditEvent")
"""Types that gather no documents: their own facts decide."""

VisibleIds = Callable[[str, Iterable[str], Visibility], frozenset[str]]


def is_visible(facts: Facts, visibility: Visibility, visible_ids: VisibleIds) -> bool:
    """Tell whether a resource is visible: by its own facts, or through the documents it gathers (see Facts)."""
    if not facts.documents:
        return visibility.admits(facts.access)
    if facts.access.compartment != visibility.compartment:
        return False
    owning = replace(visibility, clauses=tuple(way for way in visibility.clauses if way.owned_by is not None))
    return owning.admits(facts.access) or bool(visible_ids("DocumentReference", facts.documents, visibility))
