"""A bulkhead for each space: few writers are inside at once, so that a space that is stuck holds few threads.

Who comes while two are inside waits for a place. When one of those inside is slow, everybody else is refused at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from fhir_server.ports import StoreUnavailable

PLACES = 2
SLOW_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


class Bulkhead:
    """Counts who writes where; names are compartments, or single resources of the directory."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin with nobody inside. clock: seconds."""
        self._clock = clock
        self._inside: dict[str, list[float]] = {}
        self._changed = Condition()

    @contextmanager
    def inside(self, names: frozenset[str]) -> Iterator[None]:
        """Hold a place at every name for the time of the block.

        Raises: StoreUnavailable when a place is full and those inside are slow, or when none comes free in time.
        """
        with self._changed:
            self._await_places(names)
            since = self._clock()
            for name in names:
                self._inside.setdefault(name, []).append(since)
        try:
            yield
        finally:
            with self._changed:
                for name in names:
                    self._leave(name, since)
                self._changed.notify_all()

    def _await_places(self, names: frozenset[str]) -> None:
        deadline = self._clock() + PATIENCE_SECONDS
        while full := [self._inside[name] for name in names if len(self._inside.get(name, ())) >= PLACES]:
            slow_at = min(min(starts) for starts in full) + SLOW_SECONDS
            left = min(slow_at, deadline) - self._clock()
            if left <= 0:
                raise StoreUnavailable("MongoDB: other writers of this space have not come through")
            self._changed.wait(left)

    def _leave(self, name: str, since: float) -> None:
        self._inside[name].remove(since)
        if not self._inside[name]:
            del self._inside[name]
