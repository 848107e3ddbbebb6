"""The outbox: messages to a worker, stored by the commit that they follow, and one lease for each lane.

A change puts messages in (`Change.outbox`) and says what became of messages that a worker tried (`Change.handled`),
each time in the same transaction as everything else that it writes. So no message is lost, and what a handler writes is
stored once. What a handler does outside the store, such as sending a mail, may happen twice after a sudden death.
Each promise in a docstring here is a test of tests/ports, run on every adapter.
Source: docs/adr/0070 (positions and keys) and docs/adr/0071 (leases).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from consent_rules.vocabulary import PatientId


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the worker of a lane.

    key: while a message is in the outbox, a second one with the same lane, compartment and key adds nothing; the first
        keeps its body and its due instant. Stores keep a keyed hash.
    body: small, references rather than data; encrypted by the store.
    at: the instant of the commit. due: when it is to be handled; None for at once, whatever a clock says.
    compartment: the space whose key encrypts it, and with which it is erased; None when it belongs to no space.
    """

    lane: str
    key: str
    body: bytes
    at: datetime
    due: datetime | None = None
    compartment: PatientId | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A message in the outbox. id: names it in the store. position: its place in the order of its lane.

    puts: how often it was put. attempts: how often a worker has failed. error: the kind of the last failure.
    dead: whether it is a dead letter, which no worker tries until an operator says so.
    """

    id: str
    position: str
    lane: str
    body: bytes
    at: datetime
    due: datetime | None = None
    compartment: PatientId | None = None
    puts: int = 1
    attempts: int = 0
    error: str | None = None
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works a lane. number: grows with each holder. beat: grows while the holder lives. holder: None for nobody."""

    lane: str
    holder: str | None
    number: int
    beat: int


class Fate(Enum):
    """What becomes of a message: it leaves the outbox, is tried again, or becomes a dead letter."""

    DONE = auto()
    POSTPONED = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class Handled:
    """What a change makes of one message.

    lease: of the worker that tried it; None for an operator, who acts on a dead letter.
    due: of a message that is postponed; None for at once. attempts, error: as they are stored with it.
    """

    message: Pending
    lease: Lease | None
    fate: Fate = Fate.DONE
    due: datetime | None = None
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LaneState:
    """What is in one lane. oldest: since when the message that has waited longest is ready, None when none is ready.

    ready: messages to be handled now. later: messages that are not due. attempts: the highest number of failed attempts
    of one of these messages.
    """

    lane: str
    ready: int
    later: int
    dead: int
    attempts: int
    oldest: datetime | None


class Outbox(Protocol):
    """The messages of all lanes, for the workers; each method is one read or one atomic write.

    Raises: StoreUnavailable, from each method.

    The caller passes the present instant as `now`: the store has no clock.
    """

    def ready(self, lane: str, now: datetime, limit: int) -> tuple[Pending, ...]:
        """Return messages of a lane to be handled now, at most `limit`.

        First those without a due instant in the order of their positions, then those whose due instant has passed, the
        earliest first. No dead letter, and no message of a space whose keys are destroyed.
        """

    def lanes_with_ready(self, lanes: Iterable[str], now: datetime) -> frozenset[str]:
        """Return which of these lanes have a message to be handled now."""

    def states(self, now: datetime) -> tuple[LaneState, ...]:
        """Return what is in each lane that is not empty, sorted by lane."""

    def dead_letters(self, limit: int, lane: str | None = None) -> tuple[Pending, ...]:
        """Return dead letters (of one lane), at most `limit`, sorted by lane and then as `ready` sorts."""

    def lease(self, lane: str) -> Lease:
        """Return the lease of a lane; number 0 when nobody ever had it."""

    def take_over(self, seen: Lease, holder: str) -> Lease | None:
        """Give a lane to a new holder if its lease is still `seen`, and return the new lease; else return None.

        From then on, a change that handles a message of the lane under an earlier lease fails.
        """

    def beat(self, lease: Lease) -> Lease | None:
        """Show that the holder lives; None when somebody else holds the lane."""

    def give_up(self, lease: Lease) -> None:
        """End a lease that is still held, so that the next contender need not wait; `holder` is None then."""

    def wait(self, seconds: float) -> bool:
        """Wait until a commit of this process has put a message; return False when `seconds` pass without one."""

    def wake(self) -> None:
        """End the present or the next `wait` of this process."""
