"""What one actor did lately, in bounded state: spaces entered without explanation, emergencies, refusals, duty hours.

Spaces are counted once each, and noting or settling the same access twice changes nothing, so that a message may be
handled again, also after later ones. Instants are whole hours since 1970.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from math import log2

from fhir_server.domain.detection.facts import Accessed, Doubt

DAY = 24
_KEPT_HOURS = 30 * DAY
_KEPT_SPACES = 1000
_KEPT_DUTY = 2 * DAY
_KEPT_SETTLED = 500
"""How many settled accesses are remembered by their hash; a message that comes again comes before so many others."""
_LONG_UNUSED = 7 * DAY
"""Hours without an access after which the next one is remembered as a return."""
_ENOUGH, _MANY = 20, 400
"""The fewest accesses that show a habit, and the number above which the counts are halved so that old habits fade."""
_PRIOR, _PRIOR_ALONE = 10, 2
"""Accesses with which every count begins, and how many of them count as made where nobody of the own team has been."""
_PRIOR_JUDGED, _PRIOR_SOLITARY = 20, 0.5
"""The same for accesses in which the actor was alone with a patient."""


def hour_of(at: datetime) -> int:
    """Return the number of the hour of an instant."""
    return int(at.timestamp()) // 3600


@dataclass(slots=True)
class Conduct:
    """One actor in one establishment.

    last: hour of the latest access, None before the first. doubtful: by space, the first and the last hour of entries
    without any explanation. emergencies, refusals, entered, strays: by space, the hour of the latest emergency,
    refusal, entry, and entry that is not fully explained, each within the last day. duty: hours of the last two days
    with a fully explained access. stems: by doubtful space, the digits of the holder's national number that people born
    at one place in one month share. counted, alone: how many accesses were settled, and how many of these were not
    fully explained. judged, solitary: how many accesses were settled, and in how many spaces the actor was alone with
    the patient. alone_in: by space, the first hour in which the actor was alone with the patient. settled: hashes of
    the accesses that were counted, the newest last. woken: the space and the hour of the latest access after a long
    time without any, and the hour of the one before.
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
    settled: list[str] = field(default_factory=list)
    woken: tuple[str, int, int] | None = None

    def note(self, access: Accessed, doubt: Doubt, stem: str | None = None) -> None:
        """Note an access, with the doubt that there is now. stem: as in `stems`, for the holder of the space."""
        hour, space = hour_of(access.at), access.space
        if self.last is not None and hour - self.last >= _LONG_UNUSED:
            self.woken = space, hour, self.last
        self.last = max(self.last or hour, hour)
        if access.refused:
            self.refusals[space] = max(hour, self.refusals.get(space, hour))
            return
        self.entered[space] = max(hour, self.entered.get(space, hour))
        if access.emergency:
            self.emergencies[space] = max(hour, self.emergencies.get(space, hour))
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
        """Note how much doubt is left about an access, once evidence has had its time to arrive.

        alone: nobody else of the establishment has entered the space lately, and nobody has recorded the care.
        """
        if doubt is Doubt.NONE:
            self.duty.add(hour)
            self.strays.pop(space, None)
        if doubt is not Doubt.FULL:
            self.clear(space)
        if not self._is_first_time(space, hour):
            return
        self.counted, self.alone = self.counted + 1, self.alone + (doubt is not Doubt.NONE)
        self.judged, self.solitary = self.judged + 1, self.solitary + (alone and space not in self.alone_in)
        if alone:
            self.alone_in[space] = min(hour, self.alone_in.get(space, hour))
        if self.counted > _MANY:
            self.counted, self.alone = self.counted // 2, self.alone // 2
        if self.judged > _MANY:
            self.judged, self.solitary = self.judged // 2, self.solitary // 2

    def _is_first_time(self, space: str, hour: int) -> bool:
        """Tell whether an access was not counted before, and remember that it is counted now."""
        mark = hashlib.blake2b(f"{hour} {space}".encode(), digest_size=8).hexdigest()
        if mark in self.settled:
            return False
        self.settled.append(mark)
        del self.settled[:-_KEPT_SETTLED]
        return True

    def used_before(self, space: str, hour: int) -> int | None:
        """Return the hour of the latest access before one that was noted; None when it is not known."""
        if self.woken and self.woken[:2] == (space, hour):
            return self.woken[2]
        return self.last

    def clear(self, space: str) -> None:
        """Forget the doubt about a space: an explanation has arrived."""
        self.doubtful.pop(space, None)
        self.stems.pop(space, None)

    def forget(self, now: int) -> None:
        """Drop what is too old for every rule, and the oldest spaces beyond the most that are kept."""
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
        """Return in how many spaces the first entry without explanation was within these last hours."""
        return sum(now - hours < first <= now for first, _ in self.doubtful.values())

    def hours_since_alone(self, space: str, at: int) -> int:
        """Return how many hours before an access the actor was first alone in this space; 0 when it is the first."""
        return max(0, at - self.alone_in.get(space, at))

    def is_on_duty(self, at: int, hours: int) -> bool:
        """Tell whether the actor has a fully explained access at most so many hours before or after."""
        return not self.duty.isdisjoint(range(at - hours, at + hours + 1))

    def is_astray(self, at: int, percent: int, few: int) -> bool:
        """Tell whether it is unusual for the actor to enter a space where nobody of the own team has been.

        It is not unusual for a pharmacist of the whole house, who does so often, nor for a nurse on a day of help in
        another ward. percent: the share of the actor's accesses below which this is seldom. few: the most such spaces
        around this hour that are not yet a day's help.
        """
        return self.counted >= _ENOUGH and self.alone * 100 < self.counted * percent and self._strays_near(at) <= few

    def surprise(self, at: int) -> float:
        """Return how surprising it is that the actor enters where nobody of the own team has been, in bits.

        The smaller the share of such entries among the actor's accesses, the greater the surprise. Several of them
        around this hour show that the actor helps another unit, so that each surprises less. For an actor without any
        past the share is one in five.
        """
        share = (self.alone + _PRIOR_ALONE) / (self.counted + _PRIOR)
        return max(0.0, -log2(share) - log2(max(1, self._strays_near(at))))

    def surprise_alone(self, at: int) -> float:
        """Return how surprising it is that the actor is alone with a patient, in bits; the access is settled already.

        The smaller the share of patients with whom the actor was alone before, the greater the surprise. Several
        entries around this hour where nobody of the own team has been make it smaller: the actor helps, or advises.
        """
        share = (max(0, self.solitary - 1) + _PRIOR_SOLITARY) / (max(0, self.judged - 1) + _PRIOR_JUDGED)
        return max(0.0, -log2(share) - log2(max(1, self._strays_near(at))) / 2)

    def _strays_near(self, at: int) -> int:
        return sum(abs(hour - at) < DAY // 2 for hour in self.strays.values())

    def neighbours(self, now: int) -> int:
        """Return the most holders of spaces newly doubtful in the last day who were born in one place and month."""
        counts: dict[str, int] = {}
        for space, stem in self.stems.items():
            if self.doubtful[space][0] > now - DAY:
                counts[stem] = counts.get(stem, 0) + 1
        return max(counts.values(), default=0)


def _newer(hours: dict[str, int], now: int) -> dict[str, int]:
    return {space: hour for space, hour in hours.items() if hour > now - DAY}
