"""What the stores keep of a resource: its bytes, its version, its marks, and facts computed at write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from consent_rules.visibility import AccessFacts, Interval, micros
from fhir_server.registry import AccessRule, types_under

UNGATHERING = types_under(AccessRule.DOCUMENT, AccessRule.TRACE, AccessRule.NOTICE)
"""Types that do not gather documents: a resource is visible only to a reader whom its own facts admit.

`Facts.documents` can only add a further condition.
"""

AUTHORED = ("creation", "date")
"""Date search parameters that say when a document was written, the more reliable one first."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def authored_of(dates: Mapping[str, Interval]) -> Interval | None:
    """Return when a resource was written, from its indexed dates; None when it has none of them."""
    for name in AUTHORED:
        if name in dates:
            return dates[name]
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """The only facts of a resource that a query uses.

    access: who may see it.
    tokens: canonical search tokens (domain/search/tokens.py). The stores keep keyed hashes of them, so a resource that
        a store returns has empty tokens, common and lookup.
    common: further tokens, which many resources have together; a store keeps their hashes in memory.
    lookup: the tokens that also find the resource without a patient (identifiers, names in the directory).
    dates: the interval of each date search parameter that has a value.
    documents: for a List, the ids of its DocumentReferences, in order. A List is visible when one of these documents is
        visible, or when a clause with `owned_by` admits the List's own access facts; an empty List is judged by its own
        access facts alone. For an AuditEvent or a Communication: the documents that it is about. The event or notice is
        visible when a clause admits its own access facts and, where the clause says `of_seen`, one of these documents
        is visible or was visible until its deletion (`Visibility.documents`). Where the clause says `of_waiting`, a
        document counts also while it is sealed from the patient, and no longer once it is deleted. An event or notice
        about no document is judged by its own access facts alone.
    """

    access: AccessFacts
    tokens: frozenset[str] = frozenset()
    lookup: frozenset[str] = frozenset()
    dates: Mapping[str, Interval] = field(default_factory=dict)
    documents: tuple[str, ...] = ()
    common: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one resource.

    body: JSON bytes as sent to a caller who may not know the marks: with id and meta, without the marks' labels. Empty
    for a deletion.
    version: number in the version chain, from 1. mark: revision of the visibility marks, from 0, outside the chain.
    last_updated: of this version. marked_at: of the last change of the marks, None when there was none.
    """

    type: str
    id: str
    version: int
    mark: int
    deleted: bool
    last_updated: datetime
    marked_at: datetime | None
    body: bytes
    facts: Facts


def micros_or_none(at: datetime | None) -> int | None:
    """Return an instant as microseconds, None for None."""
    return None if at is None else micros(at)


def instant(value: int) -> datetime:
    """Return the UTC-aware instant of microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def instant_or_none(value: int | None) -> datetime | None:
    """Return the instant, None for None."""
    return None if value is None else instant(value)
