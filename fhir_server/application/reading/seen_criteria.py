"""Criteria in the caller's view: a reference to what the caller does not see finds nothing, as an unknown one does."""

from dataclasses import replace

from fhir_server.application.core.access import OF_THE_SPACE
from fhir_server.application.core.shown import unseen_identifiers
from fhir_server.domain.search.criteria import AnyOf, Criterion, Search
from fhir_server.ports.store import Filters, Snapshot
from fhir_server.registry import REGISTRY

_PEOPLE = frozenset(row.name for row in REGISTRY.values() if row.of_person)
"""Types whose references stay in a search even if unseen: whoever knows a person's id may search by this id."""
_REFERENCE, _NUMBER = "|ref|", ":identifier|"


def judged(snapshot: Snapshot, search: Search, filters: Filters) -> Search:
    """Return a search without references to what the caller does not see.

    A criterion that loses all its references matches nothing.
    """
    criteria = tuple(_judged(snapshot, criterion, filters) for criterion in search.criteria)
    return search if criteria == search.criteria else replace(search, criteria=criteria)


def _judged(snapshot: Snapshot, criterion: Criterion, filters: Filters) -> Criterion:
    if not isinstance(criterion, AnyOf):
        return criterion
    if any(_NUMBER in token for token in criterion.tokens):
        return AnyOf(criterion.tokens - _unseen_numbers(snapshot, criterion.tokens, filters))
    if not any(_REFERENCE in token for token in criterion.tokens):
        return criterion
    return AnyOf(frozenset(token for token in criterion.tokens if not _is_unseen(snapshot, token, filters)))


def _unseen_numbers(snapshot: Snapshot, asked: frozenset[str], filters: Filters) -> frozenset[str]:
    """Return the tokens of logical references to documents and lists of the space that the caller does not see."""
    own = {f"identifier|{token.partition(_NUMBER)[2]}": token for token in asked if _NUMBER in token}
    patient = filters.of("DocumentReference").compartment
    return frozenset(own[token] for token in unseen_identifiers(snapshot, patient, own, filters))


def _is_unseen(snapshot: Snapshot, token: str, filters: Filters) -> bool:
    """Tell whether a token names a resource of the space that exists but that the caller does not see."""
    named, _, id_ = token.partition(_REFERENCE)[2].rpartition("/")
    type_ = named.rpartition("/")[2]
    types = tuple(known for known in OF_THE_SPACE if type_ in ("*", known) and known not in _PEOPLE)
    existing = [known for known in types if snapshot.locate(known, id_)]
    return bool(existing) and all(snapshot.read(known, id_, filters) is None for known in existing)
