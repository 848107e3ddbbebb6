"""What detection is worth on generated months: how much it explains, finds and cries wolf, and what ceilings refuse."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt

from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.facts import Rule
from tests.detection.misuse import Incident, plant
from tests.detection.month import Month, Size, month_of
from tests.detection.watching import Case, Ceilings, Report, watch

TUNING = tuple(range(1, 61))
"""The numbers of the rule profile were chosen by looking at these months only."""
EARLIER = tuple(range(101, 109))
"""Held back until ADR 128, and looked at four times; no number was chosen by these months."""
HELD_BACK = tuple(range(201, 217))
"""Nobody looked at these months when the numbers were chosen; `make bench-detection` judges by them (ADR 128)."""
_DAY = timedelta(days=1)
WHOLE = Size()


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one planted misuse. case: how long after the first access a rule opened a case, None for never.

    contest: how long after it the patient contested. read: for a scraper, spaces read until an officer acts, who
    takes all the time that the case allows.
    """

    seed: int
    kind: str
    how: str
    case: timedelta | None
    contest: timedelta | None
    rule: str | None = None
    read: int | None = None

    @property
    def by_rules(self) -> bool:
        return self.case is not None and self.case <= _DAY

    @property
    def in_time(self) -> bool:
        return self.by_rules or (self.contest is not None and self.contest <= _DAY)


@dataclass(slots=True)
class Score:
    """The sums over some months. accesses, explained: ordinary ones that were not refused, none of them planted.

    met: ordinary declared accesses that met a ceiling.
    """

    accesses: int = 0
    explained: int = 0
    declared: int = 0
    met: int = 0
    better_met: int = 0
    emergencies: int = 0
    emergencies_met: int = 0
    cases: int = 0
    false: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        for name in (
            "accesses",
            "explained",
            "declared",
            "met",
            "better_met",
            "emergencies",
            "emergencies_met",
            "cases",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.false.update(other.false)
        self.found.extend(other.found)

    @property
    def share_explained(self) -> float:
        return self.explained / self.accesses

    @property
    def false_per_10_000(self) -> float:
        return sum(self.false.values()) / self.accesses * 10_000

    @property
    def share_found(self) -> float:
        return sum(one.in_time for one in self.found) / len(self.found)

    @property
    def likely_found(self) -> tuple[float, float]:
        """The bounds between which the share found is with 95 % probability (Wilson score interval)."""
        count, share, z = len(self.found), self.share_found, 1.96
        middle, apart = share + z * z / (2 * count), z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
        return tuple((middle + sign * apart) / (1 + z * z / count) for sign in (-1, 1))  # type: ignore[return-value]

    @property
    def share_by_rules(self) -> float:
        return sum(one.by_rules for one in self.found) / len(self.found)

    @property
    def share_met(self) -> float:
        return self.met / self.declared

    @property
    def most_read(self) -> int:
        return max((one.read for one in self.found if one.read is not None), default=0)


def score(seed: int, profile: RuleProfile, size: Size = WHOLE, kinds: Sequence[str] | None = None) -> Score:
    """Generate a month, plant misuse, and play it to the rules."""
    month = month_of(seed, size)
    incidents = plant(month, kinds)
    ceilings = profile.ceilings
    report = watch(month, profile.detection, Ceilings(ceilings.spaces_an_hour, ceilings.spaces_a_day))
    planted = {(actor, space) for one in incidents for actor in one.actors for space in one.spaces}
    refused = [one for one in report.refused if (one.person, one.space) not in planted]
    ordinary = [one for one in month.accesses if (one.person, one.space) not in planted]
    entered = len(ordinary) - len(refused)
    return Score(
        entered,
        entered - sum((one.person, one.space) not in planted for one in report.unexplained),
        sum(one.grade is Grade.DECLARED and not one.emergency for one in ordinary),
        sum(one.grade is Grade.DECLARED for one in refused),
        sum(one.grade is not Grade.DECLARED for one in report.refused),
        sum(one.emergency for one in ordinary),
        sum(one.emergency for one in report.refused),
        len(report.cases),
        Counter(case.hit.rule.value for case in report.cases if not any(_is_about(case, one) for one in incidents)),
        [_found(month, report, one) for one in incidents],
    )


def _is_about(case: Case, incident: Incident) -> bool:
    """Tell whether a case names who did it, and what was misused where it names a space."""
    if case.hit.rule is Rule.CELEBRITY:
        return case.hit.space in incident.spaces
    return case.hit.person in incident.actors and (case.hit.space is None or case.hit.space in incident.spaces)


def _found(month: Month, report: Report, incident: Incident) -> Found:
    cases = [case for case in report.cases if _is_about(case, incident) and case.opened >= incident.first]
    first = min(cases, key=lambda case: case.opened, default=None)
    read = _read_until(month, report, incident, _stopped(cases)) if incident.kind == "scraper" else None
    return Found(
        month.seed,
        incident.kind,
        incident.how,
        first.opened - incident.first if first else None,
        incident.noticed - incident.first if incident.noticed else None,
        first.hit.rule.value if first else None,
        read,
    )


def _stopped(cases: Iterable[Case]) -> datetime | None:
    return min((case.hit.due for case in cases), default=None)


def _read_until(month: Month, report: Report, incident: Incident, stopped: datetime | None) -> int:
    refused = {(one.space, one.at) for one in report.refused if one.person in incident.actors}
    return len(
        {
            one.space
            for one in month.accesses
            if one.person in incident.actors
            and one.space in incident.spaces
            and (one.space, one.at) not in refused
            and (stopped is None or one.at < stopped)
        }
    )
