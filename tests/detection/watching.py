"""Plays a month to the rules as the worker would: each access at once, and again when evidence has had its time.

The ceilings for newly entered spaces are simulated: an access beyond them is refused.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent_rules.rule_profile import Detection
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.conduct import Conduct, hour_of
from fhir_server.domain.detection.explaining import doubt_of, explain
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Explanation, Hit, Traits
from fhir_server.domain.detection.judging import Holder, at_once, settled, unexpected
from fhir_server.domain.detection.peers import Peers
from fhir_server.domain.detection.strangers import Strangers
from tests.detection.month import DAY, START, Month, instant
from tests.detection.town import Person

_TEAMMATE = Around(teammate=True)


@dataclass(slots=True)
class Ceilings:
    """Sliding windows of spaces newly entered on the declared grade; a space counts as new once in a month."""

    an_hour: int
    a_day: int
    entered: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    times: dict[str, deque[datetime]] = field(default_factory=lambda: defaultdict(deque))

    def lets(self, access: Accessed) -> bool:
        """Tell whether an access stays below the ceilings; count it if it does."""
        if access.grade is not Grade.DECLARED or access.emergency or access.space in self.entered[access.person]:
            return True
        times, now = self.times[access.person], access.at
        while times and times[0] <= now - timedelta(days=1):
            times.popleft()
        in_hour = sum(time > now - timedelta(hours=1) for time in times)
        if in_hour >= self.an_hour or len(times) >= self.a_day:
            return False
        times.append(now)
        self.entered[access.person].add(access.space)
        return True


@dataclass(slots=True)
class Case:
    """One case for the officer: the first hit of a kind about the same things. accesses: how many hits it gathers."""

    hit: Hit
    opened: datetime
    persons: set[str]


@dataclass(slots=True)
class Report:
    """What came of a month."""

    accesses: int = 0
    explained: dict[Explanation | None, int] = field(default_factory=lambda: defaultdict(int))
    refused: list[Accessed] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    unexplained: list[Accessed] = field(default_factory=list)
    met_by_evidence: int = 0
    emergencies_refused: int = 0
    declared: int = 0
    read: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))


class Watch:
    """The state that the worker keeps, in memory."""

    def __init__(self, month: Month, numbers: Detection, ceilings: Ceilings) -> None:
        self.month, self.numbers, self.ceilings = month, numbers, ceilings
        self.people = {person.space: person for person in month.town.people}
        self.workers = {worker.reference: worker for worker in month.workers}
        self.conducts: dict[str, Conduct] = defaultdict(Conduct)
        self.peers: dict[str | None, Peers] = defaultdict(Peers)
        self.strong: dict[str, dict[str | None, dict[str, datetime]]] = defaultdict(lambda: defaultdict(dict))
        self.visitors: dict[str, dict[str, datetime]] = defaultdict(dict)
        self.strangers: dict[str, Strangers] = defaultdict(Strangers)
        self.open: dict[tuple[object, ...], Case] = {}
        self.stays = {
            space: [(stay.known, stay.start, stay.end, stay.named) for stay in stays if stay.known is not None]
            for space, stays in month.stays.items()
        }
        self.traits: dict[tuple[int, bool], Traits] = {}
        self.report = Report()

    def watch(self) -> Report:
        """Play the month."""
        waiting: deque[Accessed] = deque()
        for access in self.month.accesses:
            while waiting and waiting[0].at + self.numbers.settles.exact <= access.at:
                self._settle(waiting.popleft())
            waiting.append(self._see(access))
        while waiting:
            self._settle(waiting.popleft())
        return self.report

    def _see(self, access: Accessed) -> Accessed:
        self.report.accesses += 1
        self.report.declared += access.grade is Grade.DECLARED
        if not self.ceilings.lets(access):
            self.report.refused.append(access)
            access = Accessed(
                access.person,
                access.where,
                access.team,
                access.profession,
                access.space,
                access.at,
                access.grade,
                refused=True,
            )
        conduct, peers = self.conducts[access.person], self.peers[access.profession]
        if len(conduct.entered) > 64 or len(conduct.duty) > 40:
            conduct.forget(hour_of(access.at))
        around = self._around(access, access.at)
        for hit in at_once(access, around, self._holder(access.space), (conduct, peers), self.numbers):
            self._open(hit, access.at, access.person)
        self._famous(access, access.at, doubt_of(explain(access, around)), is_settled=False)
        if not access.refused:
            self._remember(access)
        return access

    def _holder(self, space: str) -> Holder:
        ended = self.month.ended.get(space)
        return Holder(self.people[space].stem, instant(ended) if ended is not None else None)

    def _remember(self, access: Accessed) -> None:
        self.report.read[access.person].append(access.at)
        self.visitors[access.space][access.person] = access.at
        if access.grade is not Grade.DECLARED:
            self.strong[access.space][access.team][access.person] = access.at

    def _settle(self, access: Accessed) -> None:
        now = access.at + self.numbers.settles.exact
        around = self._around(access, now)
        if not access.refused:
            explanation = explain(access, around)
            self.report.explained[explanation] += 1
            if explanation is None:
                self.report.unexplained.append(access)
        actor, holder = self.workers[access.person].person, self.people[access.space]
        conduct = self.conducts[access.person]
        doubt = doubt_of(explain(access, around))
        self._famous(access, now, doubt, is_settled=True)
        traits = self._traits(actor, holder=False), self._traits(holder, holder=True)
        hit = settled(access, around, traits, conduct, self.numbers)
        if hit:
            self._open(hit, now, access.person)

    def _famous(self, access: Accessed, now: datetime, doubt: Doubt, *, is_settled: bool) -> None:
        strangers = self.strangers[access.space]
        known = self.conducts[access.person], strangers
        hit = unexpected(access, doubt, known, self.numbers, is_settled=is_settled)
        if hit:
            self._open(hit, now, *strangers.entered)

    def _traits(self, person: Person, *, holder: bool) -> Traits:
        key = (person.number, holder)
        if key not in self.traits:
            self.traits[key] = self.month.town.traits(person, self.numbers.rare_name, holder=holder)
        return self.traits[key]

    def _around(self, access: Accessed, now: datetime) -> Around:
        space, person = access.space, access.person
        seconds, present = (access.at - START).total_seconds(), (now - START).total_seconds()
        mates = self.strong[space].get(access.team) if space in self.strong else None
        if mates and any(other != person and at > access.at - self.numbers.team.exact for other, at in mates.items()):
            return _TEAMMATE
        known = {
            named
            for recorded, start, end, named in self.stays.get(space, ())
            if recorded <= present and start - DAY <= seconds < end + 2 * DAY
        }
        return Around(
            person in known,
            bool(known),
            any(seconds - 30 * DAY <= at <= present for at in self.month.deposits.get(space, ())),
            teammate=False,
            elsewhere=any(
                other != person and at > access.at - self.numbers.team.exact
                for other, at in self.visitors.get(space, {}).items()
            ),
            filed=any(seconds < at <= present for at in self.month.deposits.get(space, ())),
            others=sum(other != person for other in self.visitors.get(space, {})),
        )

    def _open(self, hit: Hit, now: datetime, *persons: str) -> None:
        """Open a case, or add to the one that is open: one for an actor and a space, or for an actor and a rule."""
        key = (hit.person, hit.space) if hit.space else (hit.person, hit.rule)
        case = self.open.get(key)
        if case is None:
            case = self.open[key] = Case(hit, now, set())
            self.report.cases.append(case)
        case.persons.update(persons)


def watch(month: Month, numbers: Detection, ceilings: Ceilings) -> Report:
    """Play a month to the rules."""
    return Watch(month, numbers, ceilings).watch()
