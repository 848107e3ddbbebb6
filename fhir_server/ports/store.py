"""The store: what one snapshot reads, and what one change writes.

Each promise in a docstring here is a test of tests/ports, run on every adapter.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consent_rules.visibility import Interval, Visibility
from consent_rules.vocabulary import Basis, PatientId
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.stored import Stored
from fhir_server.ports.counters import Count
from fhir_server.ports.outbox import Handled, Message


class StoreConflict(Exception):
    """Another change altered something that this change expected; nothing was written. Read again and decide again."""


class AlreadyClaimed(Exception):
    """A value that must be unique is taken; nothing was written. `claim` is the value that was requested."""

    def __init__(self, claim: str) -> None:
        """Keep the claim."""
        super().__init__("claimed")
        self.claim = claim


class LeaseLost(StoreConflict):
    """A change says what became of a message under a lease that has ended: somebody else works the lane now."""


class MessageGone(StoreConflict):
    """A message of `Change.handled` is not in the outbox as it was read: it left, changed, or was put again."""


class StoreUnavailable(Exception):
    """The store cannot answer or cannot promise durability now; nothing of a change was written."""


class OutcomeUnknown(StoreUnavailable):
    """The connection failed while the store made a change durable: the change is stored whole, or not at all."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a resource is: the compartment that the decision needs before anything of the resource is read."""

    compartment: PatientId
    deleted: bool


@dataclass(frozen=True, slots=True)
class Space:
    """The compiled decision state of one patient's space: opaque bytes to the store, a RecordState to the rules.

    revision grows by one with each change; `Change.space` compares it. state b"": the keys of the space are destroyed.
    """

    patient: PatientId
    revision: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and the position where the next page starts; None after the last page."""

    rows: tuple[Stored, ...]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Queued:
    """One resource in a queue over all spaces. value: the date by which the queue is ordered, in microseconds."""

    compartment: PatientId
    id: str
    value: int


class Filters(Protocol):
    """What may be seen, type by type: a store asks for the filter of each type that it reads.

    So a query that reads two types can leave neither of them unfiltered.
    """

    def of(self, type_: str) -> Visibility:
        """Return the filter of a type; without clauses it shows nothing."""


class Snapshot(Protocol):
    """Reads from one moment, that of the first read: all its reads are consistent, and later commits are not visible.

    No data of a patient is read without a Visibility, except by the methods marked "System-level", which answer whoever
    asks, and where another docstring says so (docs/threat-model.md has the list).
    """

    def load_space(self, patient: PatientId) -> Space | None:
        """Return the decision state of a patient's space, None when there is no space. One read."""

    def patients(self, after: PatientId, limit: int) -> tuple[PatientId, ...]:
        """Return the ids of the patients who have a space, sorted by id, at most `limit`. System-level.

        after: the last id of the page before, NO_SPACE for the first page. Erased spaces are included.
        """

    def locate(self, type_: str, id_: str) -> Location | None:
        """Return the compartment of a resource for any caller, None when the id was never used. System-level."""

    def compartments_with(self, type_: str, tokens: frozenset[str], limit: int) -> tuple[tuple[PatientId, str], ...]:
        """Return (compartment, id) of the current resources that have all these lookup tokens. System-level.

        Ordered by id; at most `limit`. Tokens outside `Facts.lookup` find nothing.
        """

    def queue(self, type_: str, token: str, date: str, limit: int, after: Place | None) -> tuple[Queued, ...]:
        """Return the current resources of all spaces that have a lookup token, the earliest first. System-level.

        date: the date parameter whose beginning gives the order, 0 when it is missing; ties are sorted by id. At most
            `limit`, after the position `after`.
        """

    def read(self, type_: str, id_: str, filters: Filters) -> Stored | None:
        """Return the current version when it is visible, else None; a deleted resource is marked as deleted."""

    def read_version(self, type_: str, id_: str, version: int, filters: Filters) -> Stored | None:
        """Return one version, judged by the current facts of the resource; None when unknown or invisible.

        `mark`, `marked_at` and `facts` are the current ones.
        """

    def history(self, type_: str, id_: str, filters: Filters) -> tuple[Stored, ...]:
        """Return all versions, newest first, judged by the current facts; empty when unknown or invisible."""

    def find(self, search: Search, filters: Filters) -> Page:
        """Return one page of the visible current resources that match, in the requested order.

        Without deleted ones, unless `search.gone`.
        Resources with `facts.documents` are also judged by those documents (see Facts).
        """

    def find_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> Page:
        """Return one page of the matching visible audit events of all spaces and of no space, in order of their dates.

        The filter must be one for all spaces (`Visibility.everywhere`); otherwise nothing is found. Its clauses that
        ask for a document show nothing. span: the half-open time in which the events happened. looks: the most events
        of the span that the store examines, so that a page may hold only some of the matches, or none. `next` of the
        page is where the store stopped, None when it has examined the whole span. `search.sort` and `search.ids` have
        no effect. Erased spaces have no events.
        """

    def count_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> int | None:
        """Return how many events `find_everywhere` finds on all pages; None when the span holds more than `looks`."""

    def locate_all(self, type_: str, ids: Iterable[str]) -> Mapping[str, PatientId]:
        """Return the compartment of each of these ids that was used, for any caller, as `locate`. System-level."""

    def count(self, search: Search, filters: Filters, cap: int) -> int | None:
        """Return how many visible resources match, None above `cap`. `limit` and `after` have no effect."""

    def matching_ids(self, search: Search, filters: Filters, cap: int) -> frozenset[str] | None:
        """Return the ids of the visible resources that match, None above `cap`. `limit` and `after` have no effect."""

    def visible_ids(
        self,
        type_: str,
        ids: Iterable[str],
        filters: Filters,
        gone: bool = False,  # noqa: FBT001, FBT002
    ) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: include deleted ones."""


@dataclass(frozen=True, slots=True)
class Write:
    """One resource as it shall be after the change.

    after: the new current version. body b"" with deleted False means that only marks and facts change, and the version
        stays. If its tokens and lookup are empty, the stored ones stay too; the store itself returns them empty.
    expected: (version, mark) before the change; (0, 0) when the resource must not exist yet.
    """

    after: Stored
    expected: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SpaceWrite:
    """The decision state after the change; expected is the revision before it, 0 to open a new space.

    state None only requires that the revision still is `expected`, so that the decision still holds.
    """

    patient: PatientId
    expected: int
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One AuditEvent to append: an immutable resource of type AuditEvent with version 1.

    kind, outcome, basis: what happened, how it ended and on which ground, for the readers of events; a store does not
        use them.
    is_told_by_others: whether the event is of another system; the readers of events are not told of it.
    """

    event: Stored
    kind: EventKind
    outcome: OutcomeCode
    basis: Basis | None = None
    is_told_by_others: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that one interaction writes: applied whole and durably, or not at all.

    claims: values that must be unique in the whole store for ever, such as "patient|ins|<system>|<value>";
        the store keeps keyed hashes.
    outbox: messages to put in the outbox. handled: what becomes of messages that are in it.
    counts: what is counted, and within which limits.
    """

    traces: tuple[Trace, ...]
    writes: tuple[Write, ...] = ()
    spaces: tuple[SpaceWrite, ...] = ()
    claims: tuple[str, ...] = ()
    outbox: tuple[Message, ...] = ()
    handled: tuple[Handled, ...] = ()
    counts: tuple[Count, ...] = ()


class Store(Protocol):
    """FHIR resources, decision states and the audit log, with one way to write."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a consistent view; it is closed at the end of the block and must not outlive the request."""

    def commit(self, change: Change) -> None:
        """Apply a change atomically and return when it is durable (a crash right after loses nothing).

        Concurrent commits may share one sync. Resources, audit events and spaces become visible together.
        Raises: StoreConflict (LeaseLost and MessageGone too), AlreadyClaimed, CeilingReached, StoreUnavailable: nothing
        was written.
        OutcomeUnknown: all or nothing was written; a caller who repeats the change meets a conflict if it was written.
        """

    def commit_many(self, changes: Sequence[Change]) -> None:
        """Apply independent changes, each atomically, sharing syncs: for bulk loading. Stops at the first failure."""

    def erase(self, compartment: PatientId, change: Change, released: Sequence[str] = ()) -> None:
        """Destroy everything in one space beyond recovery, then apply a change; return when both are durable.

        The keys go first: after a crash nothing can be read, and a second call finishes the work. Next, resources,
            versions and messages are deleted; audit events keep their place in the ledger but belong to no space. Last,
            one transaction deletes the decision state, frees the claims in `released`, and applies the change.
        Raises: StoreConflict, AlreadyClaimed, StoreUnavailable; the keys may be gone by then.
        """

    def purge_counters(self, now: datetime) -> int:
        """Remove counters in which nothing counts any longer; return how many. Correctness never depends on this."""

    def check(self) -> None:
        """Raise StoreUnavailable, naming the cause, when reads and durable writes cannot be promised."""

    def newest(self) -> datetime | None:
        """Return the latest instant of the last audit events, None for none; a starting server stamps no earlier."""

    def close(self) -> None:
        """Release files, threads and connections after finishing accepted commits."""
