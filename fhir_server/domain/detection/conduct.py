"""What one actor did lately, in bounded state: spaces entered without explanation, emergencies, refusals, duty.

Spaces are counted once each, and noting the same access twice changes nothing, so that a message may be handled again.
Instants are whole hours since 1970.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import log2

from fhir_server.domain.detection.facts import Accessed, Doubt

DAY = 24
_KEPT_HOURS = 30 * DAY
_KEPT_SPACES = 1000
_KEPT_DUTY = 2 * DAY
_ENOUGH, _MANY = 20, 400
"""Spaces from which a habit is read, and from which on the count is halved so that old habits fade."""
_PRIOR, _PRIOR_ALONE = 10, 2
"""Accesses that everybody is taken to have made before the first one, and how many of them without the own team."""


def hour_of(at: datetime) -> int:
    """Return the number of the hour of an instant."""
    return int(at.timestamp()) // 3600


@dataclass(slots=True)
class Conduct:
    """One actor in one establishment.

    last: hour of the latest access, None before the first. doubtful: by space, the first and the last hour of entries
    without any explanation. emergencies, refusals: by space, the last hour in the last day. entered: the same for all
    entries. strays: the same for entries with any doubt. duty: hours of the last two days with an access beyond
    question. stems: by space, what national numbers of people born at one place in one month share.
    counted, alone: how many accesses were settled, and for how many of these neither the patient nor the own team
    stands. judged, solitary: how many spaces were settled, and in how many the actor was alone with the patient.
    alone_in: by space, the hour of the first of these entries.
    """

    last: int | None = None
    doubtful: dict[str, tuple[int, int]] = field(default_factory=dict)
    emergencies: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    duty: set[int] = field(default_factory=set)
    strays: dict[str, int] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    counted: int = 0
    alone: int = 0
    judged: int = 0
    solitary: int = 0
    alone_in: dict[str, int] = field(default_factory=dict)

    def note(self, access: Accessed, doubt: Doubt, stem: str | None = None) -> None:
        """Note an access as it is seen now. stem: of the national number of the space's holder."""
        hour, space = hour_of(access.at), access.space
        self.last = max(self.last or hour, hour)
        if access.refused:
            self.refusals[space] = hour
            return
        self.entered[space] = max(hour, self.entered.get(space, hour))
        if access.emergency:
            self.emergencies[space] = hour
        if doubt is not Doubt.NONE:
            self.strays[space] = max(hour, self.strays.get(space, hour))
        if doubt is Doubt.FULL:
            first, last = self.doubtful.get(space, (hour, hour))
            self.doubtful[space] = min(first, hour), max(last, hour)
            if stem:
                self.stems[space] = stem
        elif doubt is Doubt.NONE:
            self.duty.add(hour)

    def settle(self, space: str, hour: int, doubt: Doubt, *, alone: bool = False) -> None:
        """Note what is left of the doubt about an access when evidence has had its time to arrive.

        alone: nobody else of the establishment has entered the space lately, and nobody has recorded the care.
        """
        if doubt is Doubt.NONE:
            self.duty.add(hour)
            self.strays.pop(space, None)
        if doubt is not Doubt.FULL:
            self.clear(space)
        self.counted, self.alone = self.counted + 1, self.alone + (doubt is not Doubt.NONE)
        self.judged, self.solitary = self.judged + 1, self.solitary + (alone and space not in self.alone_in)
        if alone:
            self.alone_in[space] = min(hour, self.alone_in.get(space, hour))
        if self.counted > _MANY:
            self.counted, self.alone = self.counted // 2, self.alone // 2
        if self.judged > _MANY:
            self.judged, self.solitary = self.judged // 2, self.solitary // 2

    def clear(self, space: str) -> None:
        """Forget the doubt about a space: an explanation has arrived."""
        self.doubtful.pop(space, None)
        self.stems.pop(space, None)

    def forget(self, now: int) -> None:
        """Drop what is older than any rule looks, and the oldest of too many spaces."""
        self.doubtful = {space: span for space, span in self.doubtful.items() if span[1] > now - _KEPT_HOURS}
        for space in sorted(self.doubtful, key=lambda one: self.doubtful[one][1])[:-_KEPT_SPACES]:
            del self.doubtful[space]
        self.emergencies = _newer(self.emergencies, now)
        self.refusals = _newer(self.refusals, now)
        self.strays = _newer(self.strays, now)
        self.entered = _newer(self.entered, now)
        self.duty = {hour for hour in self.duty if hour > now - _KEPT_DUTY}
        lately = {space: hour for space, hour in self.alone_in.items() if hour > now - _KEPT_HOURS}
        self.alone_in = dict(sorted(lately.items(), key=lambda one: one[1])[-_KEPT_SPACES:])
        self.stems = {space: stem for space, stem in self.stems.items() if space in self.doubtful}

    def new_doubts(self, now: int, hours: int) -> int:
        """Return how many spaces the actor entered for the first time in these last hours, without explanation."""
        return sum(now - hours < first <= now for first, _ in self.doubtful.values())

    def was_there_before(self, space: str, at: int) -> bool:
        """Tell whether the actor was alone with the patient in this space before, at least one whole hour earlier."""
        return space in self.alone_in and self.alone_in[space] <= at - 2

    def is_on_duty(self, at: int, hours: int) -> bool:
        """Tell whether the actor did something beyond question some hours before or after."""
        return not self.duty.isdisjoint(range(at - hours, at + hours + 1))

    def is_astray(self, at: int, percent: int, few: int) -> bool:
        """Tell whether an actor of a team has entered a space where no other member of the team has been.

        A pharmacist of the whole house often does so, and a nurse who helps another ward does so all day.
        percent: of the spaces entered, what is seldom. few: spaces around this hour, what is less than a day's help.
        """
        return self.counted >= _ENOUGH and self.alone * 100 < self.counted * percent and self._strays_near(at) <= few

    def surprise(self, at: int) -> float:
        """Return how surprising it is that the actor enters where nobody of the own team has been, in bits.

        The share of such entries among the actor's own says it; an actor who makes several of them around this hour
        helps another unit, and each of them surprises less. Somebody of whom little is known makes one in five.
        """
        share = (self.alone + _PRIOR_ALONE) / (self.counted + _PRIOR)
        return max(0.0, -log2(share) - log2(max(1, self._strays_near(at))))

    def is_hardly_ever_alone(self, percent: int) -> bool:
        """Tell whether the actor was alone with hardly any earlier patient. percent: what is hardly any."""
        return self.judged >= _ENOUGH and (self.solitary - 1) * 100 < self.judged * percent

    def _strays_near(self, at: int) -> int:
        return sum(abs(hour - at) < DAY // 2 for hour in self.strays.values())

    def neighbours(self, now: int) -> int:
        """Return how many holders of the spaces doubted in the last day were born in one place and month."""
        counts: dict[str, int] = {}
        for space, stem in self.stems.items():
            if self.doubtful[space][0] > now - DAY:
                counts[stem] = counts.get(stem, 0) + 1
        return max(counts.values(), default=0)


def _newer(hours: dict[str, int], now: int) -> dict[str, int]:
    return {space: hour for space, hour in hours.items() if hour > now - DAY}
