"""Search criteria are judged like resources: what a caller does not see cannot be searched by.

`List?item=…` or `AuditEvent?entity=…` with the id of a hidden document finds what an unknown id finds: nothing.
Source: digest of SMART requirements, 37; DESIGN, leak rules.
"""

from dataclasses import replace

from consent_rules.visibility import Visibility
from fhir_server.domain.search import AnyOf, Criterion, Search
from fhir_server.ports import Snapshot

_REFERENCE = "|ref|"
_OF_DOCUMENTS = ("DocumentReference", "Binary", "List")
"""Types that are seen as the documents of a space are, or through them."""


def judged(snapshot: Snapshot, search: Search, documents: Visibility) -> Search:
    """Return a search without references to documents, contents and lists that the caller does not see.

    A criterion of which nothing is left matches nothing. documents: what the caller sees of the space.
    """
    criteria = tuple(_judged(snapshot, criterion, documents) for criterion in search.criteria)
    return search if criteria == search.criteria else replace(search, criteria=criteria)


def _judged(snapshot: Snapshot, criterion: Criterion, documents: Visibility) -> Criterion:
    if not isinstance(criterion, AnyOf) or not any(_REFERENCE in token for token in criterion.tokens):
        return criterion
    return AnyOf(frozenset(token for token in criterion.tokens if not _is_unseen(snapshot, token, documents)))


def _is_unseen(snapshot: Snapshot, token: str, documents: Visibility) -> bool:
    """Tell whether a token names something of the documents that exists and that the caller does not see."""
    named, _, id_ = token.partition(_REFERENCE)[2].rpartition("/")
    type_ = named.rpartition("/")[2]
    types = _OF_DOCUMENTS if type_ == "*" else tuple(known for known in _OF_DOCUMENTS if known == type_)
    existing = [known for known in types if snapshot.locate(known, id_)]
    return bool(existing) and all(snapshot.read(known, id_, documents) is None for known in existing)
