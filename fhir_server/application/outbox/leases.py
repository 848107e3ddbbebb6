"""The leases of one process: which lanes it holds, and when it may take over a lane from a process that died.

Source: docs/adr/0071-a-lease-that-needs-no-clock.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from fhir_server.ports.outbox import Lease, Outbox

LEASE_SECONDS = 10.0
"""How long a beat must stand still before somebody else takes the lane."""


@dataclass(slots=True)
class _Held:
    """A lease of this process. beaten, used: when it last beat and when the lane last had work, in seconds."""

    lease: Lease
    beaten: float
    used: float


class Leases:
    """What one process holds and has seen. Several threads may call; each lane is worked by one of them."""

    def __init__(
        self, outbox: Outbox, holder: str, seconds: float = LEASE_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        """Start without a lease. holder: a name that no other process has. clock: never goes back; in seconds."""
        self._outbox = outbox
        self._holder = holder
        self._seconds = seconds
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._seen: dict[str, tuple[Lease, float]] = {}
        self._lock = Lock()

    def hold(self, lane: str) -> Lease | None:
        """Return the lease of a lane, taken now if it is free; None while somebody else holds it.

        A lease that has not beaten for a while is beaten first, because this process may have stood still.
        Raises: StoreUnavailable.
        """
        held = self._held.get(lane)
        if held is None:
            return self._contend(lane)
        held.used = self._clock()
        if held.used - held.beaten > self._seconds / 4:
            self._beat(held)
        return held.lease if lane in self._held else None

    def beat(self, busy: frozenset[str]) -> None:
        """Beat the leases of busy lanes, and give up those that had no work for a while.

        Raises: StoreUnavailable.
        """
        for lane, held in list(self._held.items()):
            now = self._clock()
            if lane not in busy and now - held.used > self._seconds / 5:
                self._end(held)
            elif now - held.beaten > self._seconds / 4:
                self._beat(held)

    def forget(self, lane: str) -> None:
        """Forget a lease that somebody else has taken."""
        with self._lock:
            self._held.pop(lane, None)

    def give_up(self) -> None:
        """End all leases, so that others need not wait. Raises: StoreUnavailable."""
        for held in list(self._held.values()):
            self._end(held)

    def _contend(self, lane: str) -> Lease | None:
        seen = self._outbox.lease(lane)
        if seen.holder is not None and not self._stands_still(seen):
            return None
        taken = self._outbox.take_over(seen, self._holder)
        if taken:
            now = self._clock()
            with self._lock:
                self._held[lane] = _Held(taken, now, now)
        return taken

    def _stands_still(self, seen: Lease) -> bool:
        """Tell whether the same beat was seen long enough; remember when it was seen first."""
        before, since = self._seen.get(seen.lane, (None, 0.0))
        if before != seen:
            self._seen[seen.lane] = (seen, self._clock())
            return False
        return self._clock() - since > self._seconds

    def _beat(self, held: _Held) -> None:
        now = self._clock()
        if self._outbox.beat(held.lease):
            held.beaten = now
        else:
            self.forget(held.lease.lane)

    def _end(self, held: _Held) -> None:
        self.forget(held.lease.lane)
        self._outbox.give_up(held.lease)
