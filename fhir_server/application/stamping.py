"""The instants of `meta.lastUpdated`: they never go back, though the machine's clock may.

Whoever polls by `_lastUpdated` asks for what is newer than the newest seen, and would miss what is stamped earlier.
What rules decide by, and when a deed was done, stay with the clock.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from fhir_server import telemetry

_TOLERATED = timedelta(seconds=1)
"""Clocks of several processes differ by less, and so do the threads of one that are overtaken."""
_STEP = timedelta(milliseconds=1)
"""FHIR tells instants in milliseconds: each stamp can be told from the one before."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Stamps:
    """The stamps of one process. newest: the latest that is known, from the store at the start."""

    newest: datetime = _NEVER
    _lock: Lock = field(default_factory=Lock)
    _is_behind: bool = False

    def next(self, at: datetime) -> datetime:
        """Return the stamp of what is done at an instant: that instant, unless the clock was set back."""
        with self._lock:
            behind = at < self.newest - _TOLERATED
            if behind and not self._is_behind:
                telemetry.alarm("clock_set_back")
            self._is_behind = behind
            self.newest = self.newest + _STEP if behind else max(at, self.newest)
            return self.newest

    def after(self, seen: datetime, stamp: datetime) -> datetime:
        """Return a stamp that is not earlier than one that was read, which another process may have given."""
        if seen <= stamp:
            return stamp
        with self._lock:
            self.newest = max(self.newest, seen) + _STEP
            return self.newest
