"""Whether the server can keep its word now: read, write durably, keep contents, decide by a matrix in force."""

from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.store import StoreUnavailable

EXTENSION = "habilis.look"
"""Where the web application keeps its look."""
_FRESH_SECONDS = 2.0
"""How long one look answers for all who ask: looking writes, and anybody may ask."""


def _prove(runtime: Runtime) -> None:
    """Prove that reads and durable writes work.

    Raises: StoreUnavailable, naming what does not.
    """
    runtime.ports.store.check()
    runtime.ports.blobs.check()
    _ = runtime.matrix


@dataclass(slots=True)
class Look:
    """What the last look found. One look at a time; whoever asks meanwhile is told what the one before found."""

    _of: Runtime | None = None
    _able: bool = True
    _until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def is_able(self, runtime: Runtime) -> bool:
        """Tell whether the server can keep its word, as of two seconds ago at most."""
        is_fresh = self._of is runtime and monotonic() < self._until
        if not is_fresh and self._lock.acquire(blocking=False):
            try:
                self._able = _is_able(runtime)
            finally:
                self._of, self._until = runtime, monotonic() + _FRESH_SECONDS
                self._lock.release()
        return self._able


def _is_able(runtime: Runtime) -> bool:
    try:
        _prove(runtime)
    except StoreUnavailable:
        telemetry.alarm("store_unavailable")
        return False
    return True
