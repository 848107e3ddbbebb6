"""How far the worker has come, for `/status` and the log: without lanes, spaces or people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from fhir_server.application.core.runtime import Runtime

EXTENSION = "habilis.progress"
"""Where the web application stores its `Measure`."""
_COUNTED, _STEP = 100, 10
_FRESH_SECONDS = 2.0
"""How long a result is reused: anybody may ask for it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """lag_seconds: how long the message that has waited longest is ready. dead_letters: how many, at most 100."""

    lag_seconds: float
    dead_letters: int

    @property
    def coarse_lag(self) -> int:
        """The lag in tens of seconds, so that nobody sees whether one act was followed by a message."""
        return int(self.lag_seconds // _STEP) * _STEP


def look(runtime: Runtime, lanes: Sequence[str]) -> Progress:
    """Return how far these lanes are; a few short reads. Raises: StoreUnavailable."""
    now, outbox = runtime.now(), runtime.ports.outbox
    first = [message for lane in lanes for message in outbox.ready(lane, now, 1)]
    since = [max(message.at, message.due or message.at) for message in first]
    lag = max((now - min(since)).total_seconds(), 0.0) if since else 0.0
    return Progress(lag, len(outbox.dead_letters(_COUNTED)))


@dataclass(slots=True)
class Measure:
    """The progress of some lanes, as it was at most two seconds ago. One look runs at a time."""

    lanes: Sequence[str]
    _of: Runtime | None = None
    _last: Progress = Progress(0.0, 0)
    _until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def last(self, runtime: Runtime) -> Progress:
        """Return the progress. Raises: StoreUnavailable."""
        is_fresh = self._of is runtime and monotonic() < self._until
        if not is_fresh and self._lock.acquire(blocking=False):
            try:
                self._last = look(runtime, self.lanes)
                self._of, self._until = runtime, monotonic() + _FRESH_SECONDS
            finally:
                self._lock.release()
        return self._last
