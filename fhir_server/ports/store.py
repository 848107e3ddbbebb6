"""The store: what is read in one snapshot, and what one change writes.

Each promise in a docstring here is a test of tests/ports, run on every adapter.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consent_rules.visibility import Visibility
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.stored import Stored


class StoreConflict(Exception):
    """Something that the change expected has changed meanwhile; nothing was written. Read again and decide again."""


class AlreadyClaimed(Exception):
    """A value that must be unique is taken; nothing was written. `claim` is the value as it was asked."""

    def __init__(self, claim: str) -> None:
        """Keep the claim."""
        super().__init__("claimed")
        self.claim = claim


class StoreUnavailable(Exception):
    """The store cannot answer or cannot promise durability now; nothing of a change was written."""


class OutcomeUnknown(StoreUnavailable):
    """The store was lost while it made a change durable: the change is there whole, or not at all."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a resource lives: the compartment to decide about before anything of it is read."""

    compartment: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Space:
    """The compiled decision state of one patient's space: opaque bytes here, a RecordState to the rules.

    revision grows by one with each change; `Change.space` compares it. state b"": the keys of the space are destroyed.
    """

    patient: str
    revision: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and where the next page starts; None after the last page."""

    rows: tuple[Stored, ...]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Queued:
    """One resource in a queue over all spaces. value: the date by which it stands there, in microseconds."""

    compartment: str
    id: str
    value: int


class Snapshot(Protocol):
    """Reads from one moment, that of the first read: what one snapshot gives is consistent, later commits are not seen.

    Nothing of a patient is read without a Visibility, except where the name says so (docs/threat-model.md lists them).
    """

    def load_space(self, patient: str) -> Space | None:
        """Return the decision state of a patient's space, None when there is no space. One read."""

    def patients(self, after: str, limit: int) -> tuple[str, ...]:
        """Return the ids of the patients who have a space, in their order, at most `limit`. System-level.

        after: the last id of the page before, "" to begin. Erased spaces are among them.
        """

    def locate(self, type_: str, id_: str) -> Location | None:
        """Return the compartment of a resource whoever asks, None when the id was never used. System-level."""

    def compartments_with(self, type_: str, tokens: frozenset[str], limit: int) -> tuple[tuple[str, str], ...]:
        """Return (compartment, id) of the current resources that have all these lookup tokens. System-level.

        Ordered by id; at most `limit`. Tokens outside `Facts.lookup` find nothing.
        """

    def queue(self, type_: str, token: str, date: str, limit: int, after: Place | None) -> tuple[Queued, ...]:
        """Return the current resources of all spaces that have a lookup token, the earliest first. System-level.

        date: the date parameter by whose beginning they are ordered, 0 when it is missing; ties go by id.
        At most `limit`, from after a place on.
        """

    def read(self, type_: str, id_: str, visibility: Visibility) -> Stored | None:
        """Return the current version when it is visible (deleted ones too, marked so), else None."""

    def read_version(self, type_: str, id_: str, version: int, visibility: Visibility) -> Stored | None:
        """Return one version, judged by the current facts of the resource; None when unknown or invisible.

        `mark`, `marked_at` and `facts` are the current ones.
        """

    def history(self, type_: str, id_: str, visibility: Visibility) -> tuple[Stored, ...]:
        """Return all versions, newest first, judged by the current facts; empty when unknown or invisible."""

    def find(self, search: Search, visibility: Visibility) -> Page:
        """Return one page of the visible current resources that match, in the order asked. Deleted ones never match.

        Resources whose `facts.documents` is not empty are judged by those documents too (see Facts).
        """

    def count(self, search: Search, visibility: Visibility, cap: int) -> int | None:
        """Return how many visible resources match, None above `cap`. `limit` and `after` do not matter."""

    def visible_ids(
        self,
        type_: str,
        ids: Iterable[str],
        visibility: Visibility,
        gone: bool = False,  # noqa: FBT001, FBT002
    ) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: deleted ones too."""


@dataclass(frozen=True, slots=True)
class Write:
    """One resource as it shall be after the change.

    after: its head. body b"" with deleted False means that only marks and facts change and the version stays;
        when its tokens and lookup are empty, as they are in what was read, those of before stay too.
    expected: (version, mark) before the change; (0, 0) when it must not exist yet.
    """

    after: Stored
    expected: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SpaceWrite:
    """The decision state as it shall be; expected is the revision before, 0 to open a new space.

    state None only asserts that the revision is still `expected` (the decision still holds).
    """

    patient: str
    expected: int
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One AuditEvent to append: an immutable resource of type AuditEvent with version 1."""

    event: Stored


@dataclass(frozen=True, slots=True)
class Change:
    """All that one interaction writes: applied whole, durably, or not at all.

    claims: values that must be unique over the whole store for ever, such as "patient|ins|<system>|<value>";
        the store keeps keyed hashes.
    """

    traces: tuple[Trace, ...]
    writes: tuple[Write, ...] = ()
    spaces: tuple[SpaceWrite, ...] = ()
    claims: tuple[str, ...] = ()


class Store(Protocol):
    """FHIR resources, decision states and the trail, with one way to write."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a consistent view; it is closed at the end of the block and must not outlive the request."""

    def commit(self, change: Change) -> None:
        """Apply a change atomically and return when it is durable (a crash right after loses nothing).

        Concurrent commits may share one sync. Resources, traces and spaces become visible together.
        Raises: StoreConflict, AlreadyClaimed, StoreUnavailable: nothing was written. OutcomeUnknown: whole or not at
        all; whoever repeats the change then meets a conflict when it is there.
        """

    def commit_many(self, changes: Sequence[Change]) -> None:
        """Apply independent changes, each atomically, sharing syncs: for bulk loading. Stops at the first failure."""

    def erase(self, compartment: str, change: Change, released: Sequence[str] = ()) -> None:
        """Destroy everything of one space beyond recovery, then apply a change; return when that is durable.

        The keys go first, so that a crash leaves nothing that can be read, and erasing again finishes. Then resources
        and versions go, and traces keep their place in the ledger but belong to no space. At last, in one transaction,
        the decision state goes, the claims `released` are free again, and the change is applied to what is left.
        Raises: StoreConflict, AlreadyClaimed, StoreUnavailable; the keys may be gone by then.
        """

    def check(self) -> None:
        """Raise StoreUnavailable, naming what is wrong, when reads and durable writes cannot be promised."""

    def newest(self) -> datetime | None:
        """Return the instant of a late trace, None where none is known: a start stamps nothing earlier."""

    def close(self) -> None:
        """Release files, threads and connections after finishing accepted commits."""
