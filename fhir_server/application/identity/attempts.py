"""Counts that every process shares, and that forget: how often something failed within a time.

A count is exact under concurrency: it can have as many entries in the vault as its limit, and each expires after the
window; one read tells whether the last one is taken. The worker removes what has expired (fhir_server/worker.py);
nothing depends on that: every read compares the time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

from fhir_server.ports.vault import Secret, Vault, put_unless_held

_FAILURE = "failure"


def key_of(what: str, name: str) -> str:
    """Return the key of a count; it contains only a hash of the name."""
    return f"{what}|{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Attempts:
    """The counts of one vault at one instant. window: how long each entry counts."""

    vault: Vault
    now: datetime
    window: timedelta

    def is_full(self, key: str, limit: int) -> bool:
        """Tell whether a count has reached its limit."""
        return self._is_taken(key, limit - 1)

    def seconds_left(self, key: str, limit: int) -> int:
        """Return after how many seconds, at least one, a count that has reached its limit has room again."""
        last = self.vault.get(_FAILURE, _slot(key, limit - 1), self.now)
        left = last.expires - self.now if last and last.expires else timedelta()
        return max(1, ceil(left.total_seconds()))

    def count(self, key: str, limit: int) -> bool:
        """Take one slot; return False when none is free."""
        return any(self._fill(key, slot) for slot in range(self._first_free(key, limit), limit))

    def clear(self, key: str, limit: int) -> None:
        """Free all slots."""
        for slot in range(self._first_free(key, limit)):
            self.vault.drop(_FAILURE, _slot(key, slot))

    def _is_taken(self, key: str, slot: int) -> bool:
        return self.vault.get(_FAILURE, _slot(key, slot), self.now) is not None

    def _first_free(self, key: str, limit: int) -> int:
        """Return the first slot that may be free: slots fill in order, so a few reads find it."""
        low, high = 0, 1
        while high <= limit and self._is_taken(key, high - 1):
            low, high = high, 2 * high
        high = min(high - 1, limit)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._is_taken(key, middle) else (low, middle)
        return low

    def _fill(self, key: str, slot: int) -> bool:
        """Take a slot; return False when another caller has it."""
        taken = Secret(_FAILURE, _slot(key, slot), b"", expires=self.now + self.window)
        return put_unless_held(self.vault, taken, self.now)


def _slot(key: str, number: int) -> str:
    return f"{key}|{number}"
