"""Whether the server works now: it reads, writes durably, stores contents and decides by a matrix in force."""

from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.store import StoreUnavailable

EXTENSION = "habilis.look"
"""Where the web application stores its `Look`."""
_FRESH_SECONDS = 2.0
"""How long the result of one check is reused: a check writes to the store, and anybody may ask for it."""


def _prove(runtime: Runtime) -> None:
    """Check that reads and durable writes work and that a matrix is in force.

    Raises: StoreUnavailable naming what does not work.
    """
    runtime.ports.store.check()
    runtime.ports.blobs.check()
    _ = runtime.matrix


@dataclass(slots=True)
class Look:
    """The result of the last check. One check runs at a time; meanwhile, others get the result of the check before."""

    _of: Runtime | None = None
    _able: bool = True
    _until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def is_able(self, runtime: Runtime) -> bool:
        """Tell whether the server works, as checked at most two seconds ago."""
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
