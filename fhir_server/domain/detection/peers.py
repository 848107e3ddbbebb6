"""What is usual for a profession in an establishment: counts as histograms, their median and their deviation.

Source: statement V20 (docs/rules-index.csv); median absolute deviation: Leys et al., https://doi.org/10.1016/j.jesp.2013.03.013.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

_HOURS = 24
_HIGHEST = 63
"""A higher count is stored as this one."""
_FEW = 5
"""With fewer peers than this, their counts of today do not raise a limit."""
_FULL = 100_000
"""A histogram with so many counts is halved, so that old habits fade."""


def usual(counts: Sequence[int]) -> tuple[float, float]:
    """Return the median of counts and their median absolute deviation; zeros when there are no counts."""
    if not counts:
        return 0.0, 0.0
    middle = median(counts)
    return middle, median(abs(count - middle) for count in counts)


@dataclass(slots=True)
class Histogram:
    """How often each count was seen."""

    seen: dict[int, int] = field(default_factory=dict)

    def add(self, count: int) -> None:
        """Note that a count was seen once more; a histogram that is then too full is halved."""
        at = min(count, _HIGHEST)
        self.seen[at] = self.seen.get(at, 0) + 1
        if sum(self.seen.values()) > _FULL:
            self.seen = {kept: number // 2 for kept, number in self.seen.items() if number > 1}

    def usual(self) -> tuple[float, float]:
        """Return the median and the median absolute deviation."""
        middle = _median(sorted(self.seen.items()))
        apart: dict[float, int] = {}
        for count, number in self.seen.items():
            apart[abs(count - middle)] = apart.get(abs(count - middle), 0) + number
        return middle, _median(sorted(apart.items()))


@dataclass(slots=True)
class Peers:
    """One profession in one establishment.

    hour: to which the running counts belong. this_hour, today: by person, spaces newly entered without explanation.
    """

    hour: int = 0
    this_hour: dict[str, int] = field(default_factory=dict)
    today: dict[str, int] = field(default_factory=dict)
    by_hour: dict[int, Histogram] = field(default_factory=dict)
    by_day: Histogram = field(default_factory=Histogram)

    def note(self, person: str, hour: int, in_hour: int, in_day: int) -> None:
        """Note a person's counts; counts of an hour before the latest known hour are ignored."""
        if hour < self.hour:
            return
        self._roll(hour)
        self.this_hour[person], self.today[person] = in_hour, in_day

    def limit_of_hour(self, floor: int, deviations: int) -> float:
        """Return the highest count of this hour that is not unusual."""
        past = self.by_hour.get(self.hour % _HOURS, Histogram()).usual()
        return _limit(past, tuple(self.this_hour.values()), floor, deviations)

    def limit_of_day(self, floor: int, deviations: int) -> float:
        """Return the highest count of a day that is not unusual."""
        return _limit(self.by_day.usual(), tuple(self.today.values()), floor, deviations)

    def _roll(self, hour: int) -> None:
        if hour == self.hour:
            return
        histogram = self.by_hour.setdefault(self.hour % _HOURS, Histogram())
        for count in self.this_hour.values():
            histogram.add(count)
        self.this_hour = {}
        if hour // _HOURS != self.hour // _HOURS:
            for count in self.today.values():
                self.by_day.add(count)
            self.today = {}
        self.hour = hour


def _limit(past: tuple[float, float], now: Sequence[int], floor: int, deviations: int) -> float:
    """Return the higher of two limits: by the past, and by the peers' present counts, high on a busy day for all."""
    present = usual(now) if len(now) >= _FEW else (0.0, 0.0)
    return max(floor - 1, *(middle + deviations * max(apart, 1.0) for middle, apart in (past, present)))


def _median(counted: Sequence[tuple[float, int]]) -> float:
    half, total = sum(number for _, number in counted) / 2, 0
    for value, number in counted:
        total += number
        if total >= half:
            return value
    return 0.0
