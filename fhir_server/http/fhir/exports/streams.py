"""Places for files that are being sent: few at once in a process, so that exports leave time for other requests.

A place is kept for as long as a request may take. A client that reads its file more slowly goes on without one: it
costs the server no time, and takes nobody's place.
Source: docs/adr/0120-exports-are-plans.md.
"""

from threading import Lock
from time import monotonic

from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.settings import limits

_BUSY_SECONDS = 2


class Streams:
    """The files that this process sends. One caller has no more than all places but one, unless there is only one."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = Lock()
        self._held: dict[int, tuple[str, float]] = {}
        self._last = 0

    def enter(self, owner: str) -> int:
        """Take a place for a caller; return its number.

        Raises: Problem(TOO_MANY).
        """
        allowed = limits.in_force()
        with self._lock:
            since = monotonic() - allowed.request_seconds
            self._held = {number: held for number, held in self._held.items() if held[1] > since}
            own = sum(held[0] == owner for held in self._held.values())
            if len(self._held) >= allowed.export_streams or own >= max(1, allowed.export_streams - 1):
                issue = Issue("as many files are being sent as may be at once", code="exports-busy")
                raise Problem(Category.TOO_MANY, issue, retry_after=_BUSY_SECONDS)
            self._last += 1
            self._held[self._last] = (owner, monotonic())
            return self._last

    def leave(self, number: int) -> None:
        """Give a place back; nothing happens when it has ended."""
        with self._lock:
            self._held.pop(number, None)


STREAMS = Streams()
