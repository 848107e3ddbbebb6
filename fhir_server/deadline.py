"""A limit on the time of one request, checked at safe points, where no step is half done.

Safe points are, among others, before a snapshot is opened, before a change is committed, and between the entries of a
batch. A thread without a deadline, as in commands and tests, has no limit.
"""

from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


class OutOfTime(Exception):
    """The work on this request has taken too long; the step that checked the time stores nothing."""


def start(seconds: float, now: Callable[[], float] = monotonic) -> None:
    """Give this thread this many seconds from now."""
    _ends.set(now() + seconds)


def end() -> None:
    """Remove the deadline of this thread."""
    _ends.set(None)


def demand_time(now: Callable[[], float] = monotonic) -> None:
    """Return while there is time left.

    Raises: OutOfTime.
    """
    ends = _ends.get()
    if ends is not None and now() > ends:
        raise OutOfTime
