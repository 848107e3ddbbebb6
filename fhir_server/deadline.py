"""How long the work on one request may take; asked at safe points, where nothing is half done.

A safe point is before a snapshot is opened, before a change is committed, and between the entries of a batch. A thread
without a deadline, as those of commands and tests are, is never out of time.
"""

from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


class OutOfTime(Exception):
    """The work on this request has taken longer than it may; nothing of the step that asked is stored."""


def start(seconds: float, now: Callable[[], float] = monotonic) -> None:
    """Give the work of this thread so many seconds from now."""
    _ends.set(now() + seconds)


def end() -> None:
    """Take the deadline of this thread away."""
    _ends.set(None)


def demand_time(now: Callable[[], float] = monotonic) -> None:
    """Go on, or stop.

    Raises: OutOfTime.
    """
    ends = _ends.get()
    if ends is not None and now() > ends:
        raise OutOfTime
