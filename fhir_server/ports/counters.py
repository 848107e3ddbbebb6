"""Counters: how often a subject did something, in sliding windows, exact across threads and processes.

A change carries its counts, and a store checks them in the transaction that applies the change. A store keeps keyed
hashes of the subjects. A counter keeps one sum for each sixtieth of its shortest window: no window ever holds more than
its limit, and a count leaves its window at most one such sixtieth late. Each promise in a docstring here is a test of
tests/ports, run on every adapter.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` counts within any `span`. name: names the ceiling in the answer and to the officer."""

    name: str
    span: timedelta
    most: int


@dataclass(frozen=True, slots=True)
class Count:
    """One count of a subject. kind: what is counted, such as "spaces"; each kind is counted apart.

    subject: a reference such as "Practitioner/…", never a patient. at: the instant. limits: at least one, each in force
    for this count; all counts of one kind have limits with the same spans; `most` may differ from count to count.
    """

    kind: str
    subject: str
    at: datetime
    limits: tuple[Limit, ...]
    amount: int = 1


class CeilingReached(Exception):
    """A count would exceed a limit; nothing of the change was written.

    retry_at: the earliest instant at which the same count is within the limit, if nothing else is counted before. For
    an amount above the limit, which is never within it: one whole span later.
    """

    def __init__(self, limit: Limit, count: Count, retry_at: datetime) -> None:
        """Keep which limit was reached by which count."""
        super().__init__(limit.name)
        self.limit = limit
        self.count = count
        self.retry_at = retry_at
