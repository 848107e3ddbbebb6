"""How often something happens at an establishment on a day, and what is usual there, from a few weeks of its own past.

Days are those of UTC. What is kept is bounded: one number for each day of the window, and a few names.
Source: statement V10 of docs/rules.md; docs/adr/0104-what-is-usual-for-an-establishment.md.
"""

from dataclasses import dataclass, field
from datetime import date
from math import ceil
from statistics import median

_LATEST = 20
"""How many names are kept, so that what is counted again after a sudden death of the worker counts once."""


@dataclass(slots=True)
class DailyCounts:
    """Counts of one establishment. days: by the ordinal of the day. latest: names of what was counted last."""

    days: dict[int, int] = field(default_factory=dict)
    latest: list[str] = field(default_factory=list)

    def note(self, day: date, name: str, window: int) -> int:
        """Count something of a day, once for its name; return the number of that day. window: in days."""
        own = day.toordinal()
        if name not in self.latest:
            self.days[own] = self.days.get(own, 0) + 1
            self.latest = [*self.latest, name][-_LATEST:]
        newest = max(self.days)
        self.days = {kept: number for kept, number in self.days.items() if kept >= newest - window}
        return self.days.get(own, 0)

    def usual(self, day: date, window: int) -> int:
        """Return the median of the days before a day, rounded up; 0 without a past.

        The past begins with the first known day of the window. A day on which nothing happened counts as 0.
        """
        own = day.toordinal()
        known = [kept for kept in self.days if own - window <= kept < own]
        if not known:
            return 0
        return ceil(median(self.days.get(one, 0) for one in range(min(known), own)))
