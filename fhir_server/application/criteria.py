"""Search criteria are judged like resources: what a caller does not see cannot be searched by.

`List?item=…` or `AuditEvent?entity=…` with the id of a hidden document finds what an unknown id finds: nothing.
Source: digest of SMART requirements, 37; DESIGN, leak rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from consent_rules.visibility import Visibility
from fhir_server.domain.search import AnyOf, Criterion, Search
from fhir_server.ports import Snapshot

_PEOPLE = frozenset({"RelatedPerson"})
"""People are no secret of documents: whoever knows one may search by that one."""
_REFERENCE = "|ref|"


def judged(snapshot: Snapshot, search: Search, sights: Callable[[], Mapping[str, Visibility]]) -> Search:
    """Return a search without references to what the caller does not see.

    A criterion of which nothing is left matches nothing. sights: gives what the caller sees of each type of the space;
    it is asked only when the search refers to something.
    """
    if not any(isinstance(one, AnyOf) and any(_REFERENCE in token for token in one.tokens) for one in search.criteria):
        return search
    seen = sights()
    criteria = tuple(_judged(snapshot, criterion, seen) for criterion in search.criteria)
    return search if criteria == search.criteria else replace(search, criteria=criteria)


def _judged(snapshot: Snapshot, criterion: Criterion, sights: Mapping[str, Visibility]) -> Criterion:
    if not isinstance(criterion, AnyOf) or not any(_REFERENCE in token for token in criterion.tokens):
        return criterion
    return AnyOf(frozenset(token for token in criterion.tokens if not _is_unseen(snapshot, token, sights)))


def _is_unseen(snapshot: Snapshot, token: str, sights: Mapping[str, Visibility]) -> bool:
    """Tell whether a token names something of the space that exists and that the caller does not see."""
    named, _, id_ = token.partition(_REFERENCE)[2].rpartition("/")
    type_ = named.rpartition("/")[2]
    types = tuple(known for known in sights if type_ in ("*", known) and known not in _PEOPLE)
    existing = [known for known in types if snapshot.locate(known, id_)]
    return bool(existing) and all(snapshot.read(known, id_, sights[known]) is None for known in existing)
