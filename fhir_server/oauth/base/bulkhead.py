"""A limit on simultaneous requests to other servers; a caller without a place gets an error at once.

So a provider that hangs holds a few threads of a process, never all of them; nobody waits in a queue for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from authlib.oauth2 import OAuth2Error

CLIENT_KEYS = "client-keys"
RETRY_SECONDS = 5


class BusyError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Every place is taken; no request was sent to the other server."""

    error = "temporarily_unavailable"

    def __init__(self) -> None:
        """Build the error without further details."""
        super().__init__("another server is slow; try again in a few seconds", status_code=503)


@dataclass(slots=True)
class Bulkhead:
    """The places of one process.

    places: for each destination. total: for all destinations together, so that threads remain for other work.
    """

    places: int = 2
    total: int = 3
    _taken: dict[str, int] = field(default_factory=dict, compare=False)
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    @contextmanager
    def enter(self, destination: str) -> Iterator[None]:
        """Take a place for the time of the block.

        Raises: BusyError at once when no place is free.
        """
        self._take(destination)
        try:
            yield
        finally:
            with self._lock:
                self._taken[destination] -= 1

    def _take(self, destination: str) -> None:
        with self._lock:
            here = self._taken.get(destination, 0)
            if here >= self.places or sum(self._taken.values()) >= self.total:
                raise BusyError
            self._taken[destination] = here + 1
