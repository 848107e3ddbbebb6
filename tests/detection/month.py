"""A hospital's month: wards, shifts, nights, emergencies, mobility, late admissions, and an outage of their feed.

Nothing here knows the rules. The noise is meant: staff who treat relatives and neighbours, spaces opened by mistake,
advice by telephone that leaves no trace, letters written at home, and a well-known person in ordinary care.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.facts import Accessed
from tests.detection.town import HOSPITAL, Person, Town, people_of

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = 3600, 86400
_SHIFTS = {"day": (7, 8), "evening": (14, 8), "night": (21, 9)}
_BEDS, _WARD_STAFF = 24, 34
_EMERGENCY, _IMAGING, _PHARMACY, _ANAESTHESIA, _REHABILITATION = "er", "imaging", "pharmacy", "anaesthesia", "physio"
_ACROSS = (_IMAGING, _PHARMACY, _ANAESTHESIA, _REHABILITATION)


def instant(seconds: float) -> datetime:
    return START + timedelta(seconds=int(seconds))


@dataclass(slots=True)
class Worker:
    """One professional. rota: "day" for physicians and services, "turns" for whoever changes shifts."""

    person: Person
    unit: str
    profession: str
    rota: str
    reference: str
    back_on: int = 0


@dataclass(slots=True)
class Stay:
    """A stay or a visit that a third party records at `known`, None when nobody does. named: whom a referral names."""

    patient: Person
    unit: str
    start: float
    end: float
    known: float | None
    named: str | None = None


@dataclass(slots=True)
class Month:
    """Everything that happened. stays, deposits, ended: by space. accesses: sorted by time."""

    town: Town
    workers: list[Worker]
    seed: int
    days: int
    accesses: list[Accessed] = field(default_factory=list)
    stays: dict[str, list[Stay]] = field(default_factory=lambda: defaultdict(list))
    deposits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, float] = field(default_factory=dict)

    def enter(self, worker: Worker, patient: Person, at: float, *, emergency: bool = False) -> None:
        """Enter a space on the best evidence that the engine knows at that moment."""
        space = patient.space
        cared = any(
            stay.known is not None and stay.known <= at and stay.start - DAY <= at < stay.end + 2 * DAY
            for stay in self.stays.get(space, ())
        )
        grade = Grade.THIRD_PARTY if cared else Grade.DECLARED
        access = Accessed(
            worker.reference,
            HOSPITAL,
            worker.unit,
            worker.profession,
            space,
            instant(at),
            grade,
            emergency=emergency and not cared,
        )
        self.accesses.append(access)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the hospital is."""

    people: int = 100_000
    professionals: int = 1000
    days: int = 30

    @property
    def wards(self) -> int:
        return max(2, self.professionals * 68 // 100 // _WARD_STAFF)


def month_of(seed: int, size: Size) -> Month:
    """Return one month; the same seed gives the same month."""
    chance = Random(f"month {seed}")
    town = people_of(chance, size.people)
    month = Month(town, _hire(chance, town, size), seed, size.days)
    _Life(chance, month, size).live()
    return month


def _hire(chance: Random, town: Town, size: Size) -> list[Worker]:
    """Hire professionals and other staff among the people of the town."""
    adults = [person for person in town.people if 22 <= person.age <= 62]
    chosen = chance.sample(adults, size.professionals * 5 // 2)
    workers = []
    for number, person in enumerate(chosen):
        person.is_staff = True
        if number < size.professionals:
            worker = _post(chance, number, person, size)
            person.unit = worker.unit
            workers.append(worker)
    return workers


def _post(chance: Random, number: int, person: Person, size: Size) -> Worker:
    share = number / size.professionals
    if share < 0.68:
        unit = f"ward{number % size.wards}"
        profession = chance.choices(("10", "60", "91"), (25, 60, 15))[0]
    elif share < 0.82:
        unit, profession = _EMERGENCY, chance.choices(("10", "60"), (35, 65))[0]
    else:
        unit = _ACROSS[number % len(_ACROSS)]
        profession = {_IMAGING: "98", _PHARMACY: "21", _ANAESTHESIA: "10", _REHABILITATION: "70"}[unit]
    rota = "turns" if profession == "60" or unit == _EMERGENCY else "day"
    back_on = chance.randrange(2, size.days) if chance.random() < 0.01 else 0
    return Worker(person, unit, profession, rota, f"Practitioner/{number}", back_on)


class _Life:
    """Lives through the month, day by day."""

    def __init__(self, chance: Random, month: Month, size: Size) -> None:
        self.chance, self.month, self.size = chance, month, size
        people = month.town.people
        self.sick = chance.choices(people, [1 + person.age / 20 for person in people], k=size.professionals * 12)
        self.beds: dict[str, list[Stay]] = {f"ward{number}": [] for number in range(size.wards)}
        outage = chance.uniform(5, size.days - 2) * DAY if size.days > 8 else -DAY
        self.outage = (outage, outage + 6 * HOUR)
        self.known: list[Person] = []
        famous_day = chance.randrange(1, max(2, size.days - 5))
        self.famous = (famous_day, chance.choice(people))
        self.on: dict[str, list[tuple[Worker, float, float]]] = {}

    def live(self) -> None:
        """Live all days."""
        self._history()
        for day in range(self.size.days):
            self.on = self._rota(day)
            self._admit(day)
            self._visits()
            for unit, present in self.on.items():
                for worker, start, end in present:
                    self._work(worker, unit, start, end)
            self._emergencies(day)
            self._boards(day)
            self._telephone()
            self._noise(day)
        self.month.accesses.sort(key=lambda access: access.at)

    def _history(self) -> None:
        """Some people have been patients in the month before."""
        for person in self.chance.sample(self.month.town.people, self.size.professionals * 6):
            self.month.deposits[person.space].append(-self.chance.uniform(0, 30) * DAY)
            self.known.append(person)

    def _someone(self) -> Person:
        while True:
            person = self.chance.choice(self.sick)
            if person.space not in self.month.ended:
                return person

    def _recorded(self, at: float) -> float | None:
        """Return when the admission system tells of something that begins at an instant."""
        luck = self.chance.random()
        if luck < 0.015:
            return None
        known = at + (self.chance.uniform(-300, 60) if luck < 0.94 else self.chance.uniform(0.2, 10) * HOUR)
        return max(known, self.outage[1]) if self.outage[0] <= known < self.outage[1] else known

    def _stay(self, patient: Person, unit: str, start: float, end: float) -> Stay:
        stay = Stay(patient, unit, start, end, self._recorded(start))
        self.month.stays[patient.space].append(stay)
        self.known.append(patient)
        return stay

    def _rota(self, day: int) -> dict[str, list[tuple[Worker, float, float]]]:
        """Return who works today, where and when; nurses change shifts and sometimes help another ward."""
        present = defaultdict(list)
        weekend = day % 7 >= 5
        for worker in self.month.workers:
            if day < worker.back_on:
                continue
            shift = self._shift(worker, weekend=weekend)
            if shift is None:
                continue
            begin, length = _SHIFTS[shift]
            start = day * DAY + (begin + self.chance.uniform(-0.4, 0.4)) * HOUR
            unit = worker.unit
            if worker.profession == "60" and unit.startswith("ward") and self.chance.random() < 0.07:
                unit = self.chance.choice(list(self.beds))
            present[unit].append((worker, start, start + length * HOUR))
        return present

    def _shift(self, worker: Worker, *, weekend: bool) -> str | None:
        luck = self.chance.random()
        if worker.rota == "day":
            works = luck < (0.12 if weekend else 0.78)
            return ("night" if self.chance.random() < 0.07 else "day") if works else None
        if luck > 0.58:
            return None
        return self.chance.choices(("day", "evening", "night"), (45, 33, 22))[0]

    def _admit(self, day: int) -> None:
        for unit, stays in self.beds.items():
            for stay in [one for one in stays if one.end < day * DAY]:
                stays.remove(stay)
                self._discharge(stay)
            while len(stays) < _BEDS:
                start = day * DAY + self.chance.uniform(7, 19) * HOUR if day else -self.chance.uniform(0, 4) * DAY
                end = start + self.chance.expovariate(1 / 4.5) * DAY + 0.6 * DAY
                stays.append(self._stay(self._someone(), unit, start, end))
        day_of, famous = self.famous
        if day == day_of:
            unit = self.chance.choice(list(self.beds))
            self.beds[unit].append(self._stay(famous, unit, (day + 0.4) * DAY, (day + 4) * DAY))

    def _discharge(self, stay: Stay) -> None:
        self.month.deposits[stay.patient.space].append(stay.end)
        if self.chance.random() < 0.012:
            self.month.ended[stay.patient.space] = stay.end
        else:
            for _ in range(self.chance.randrange(2)):  # somebody of the ward finishes a letter or a code
                worker = self.chance.choice([one for one in self.month.workers if one.unit == stay.unit])
                self.month.enter(worker, stay.patient, stay.end + self.chance.uniform(1, 60) * HOUR)

    def _work(self, worker: Worker, unit: str, start: float, end: float) -> None:
        """Read in the spaces of the patients in care: own ward, or wards all over the house."""
        length = end - start
        if unit in self.beds:
            self._on_ward(worker, unit, start, end)
        elif unit in _ACROSS:
            self._across_wards(worker, unit, start, length)
        if worker.profession == "10":
            self._physician(worker, start, length)

    def _on_ward(self, worker: Worker, unit: str, start: float, end: float) -> None:
        chance = self.chance
        there = [stay for stay in self.beds[unit] if stay.start < end and stay.end > start]
        for stay in chance.sample(there, min(len(there), chance.randint(7, 16))):
            at = max(start, stay.start) + chance.random() ** 1.5 * (end - max(start, stay.start))
            self.month.enter(worker, stay.patient, at)
            if chance.random() < 0.25:
                self._file(stay.patient, at)

    def _across_wards(self, worker: Worker, unit: str, start: float, length: float) -> None:
        chance, wards = self.chance, list(self.beds.values())
        for _ in range(chance.randint(9, 16)):
            stay = chance.choice(chance.choice(wards))
            if stay.start < start + length:
                self.month.enter(worker, stay.patient, start + chance.random() * length)
                if unit == _IMAGING:
                    self._file(stay.patient, start + chance.random() * length)

    def _physician(self, worker: Worker, start: float, length: float) -> None:
        """See a patient of another ward, give advice by telephone, finish letters at home."""
        chance = self.chance
        for _ in range(chance.choice((0, 1, 1, 2))):
            stay = chance.choice(chance.choice(list(self.beds.values())))
            if stay.start < start + length:
                at = start + chance.random() * length
                if chance.random() < 0.7:
                    self._refer(worker, stay.patient, at - HOUR)
                self.month.enter(worker, stay.patient, at)
        for _ in range(chance.choice((0, 0, 1, 2, 3))):
            self._advice(worker, start + chance.random() * length)
        if chance.random() < 0.08 and worker.unit in self.beds:
            stay = chance.choice(self.beds[worker.unit])
            self.month.enter(worker, stay.patient, start + length + chance.uniform(1, 6) * HOUR)

    def _refer(self, worker: Worker, patient: Person, at: float) -> None:
        """Somebody asks this professional by name to see a patient."""
        stay = Stay(patient, worker.unit, at, at + DAY, self._recorded(at), worker.reference)
        self.month.stays[patient.space].append(stay)

    def _advice(self, worker: Worker, at: float) -> None:
        patient = self.chance.choice(self.known) if self.chance.random() < 0.5 else self._someone()
        self.month.enter(worker, patient, at)
        if self.chance.random() < 0.35:
            self._file(patient, at + self.chance.uniform(0.1, 20) * HOUR)
        if self.chance.random() < 0.1:
            self.month.enter(worker, patient, at + self.chance.uniform(1, 9) * DAY)

    def _file(self, patient: Person, at: float) -> None:
        self.month.deposits[patient.space].append(at)

    def _visits(self) -> None:
        """Patients with an appointment: a physician and a nurse or secretary of the unit."""
        for unit in self.beds:
            seeing = [one for one in self.on.get(unit, ()) if one[0].profession == "10" and one[0].unit == unit]
            others = [one for one in self.on.get(unit, ()) if one[0].profession != "10" and one[0].unit == unit]
            for worker, start, _ in seeing:
                for _ in range(self.chance.choice((0, 0, 8, 10))):
                    patient, at = self._someone(), start + self.chance.uniform(1, 7) * HOUR
                    stay = self._stay(patient, unit, at - HOUR, at + HOUR)
                    self.month.enter(worker, patient, at)
                    if others and self.chance.random() < 0.7:
                        self.month.enter(self.chance.choice(others)[0], patient, at - self.chance.uniform(0, 900))
                    if self.chance.random() < 0.8:
                        self._file(patient, stay.end + self.chance.uniform(0, 20) * HOUR)

    def _emergencies(self, day: int) -> None:
        """Arrivals by day and night; some are not registered when they are first seen, and some cannot speak."""
        present = self.on.get(_EMERGENCY, [])
        for _ in range(self.size.professionals * 14 // 100):
            at = day * DAY + self.chance.triangular(0, 24, 18) * HOUR
            near = [worker for worker, start, end in present if start <= at < end]
            if not near:
                continue
            patient = self._someone()
            stay = self._stay(patient, _EMERGENCY, at, at + 6 * HOUR)
            is_mute = self.chance.random() < 0.015
            if is_mute and stay.known is not None:
                stay.known += 3 * HOUR
            for number, worker in enumerate(self.chance.sample(near, min(len(near), self.chance.randint(2, 4)))):
                self.month.enter(worker, patient, at + number * 900, emergency=is_mute)
            if self.chance.random() < 0.9:
                self._file(patient, at + self.chance.uniform(1, 7) * HOUR)

    def _boards(self, day: int) -> None:
        """Twice a week, physicians of several units discuss patients, half of whom other hospitals treat."""
        present = [one for one in self._physicians() if one[0].unit in self.beds]
        if day % 7 not in (1, 3) or len(present) < 4:
            return
        for _ in range(self.size.professionals // 150):
            patients = [self._someone() for _ in range(4)] + self.chance.sample(self.known, 4)
            for worker, start, end in self.chance.sample(present, 4):
                for patient in self.chance.sample(patients, 6):
                    if patients.index(patient) % 3:  # the list of the others is not recorded
                        self._refer(worker, patient, start)
                    self.month.enter(worker, patient, self.chance.uniform(start, (start + end) / 2))

    def _physicians(self) -> list[tuple[Worker, float, float]]:
        return [one for present in self.on.values() for one in present if one[0].profession == "10"]

    def _telephone(self) -> None:
        """A few nurses answer calls all day, half of them from people whom the hospital has never seen."""
        for worker, start, end in self.on.get("ward0", ())[:4]:
            for _ in range(self.chance.randint(5, 11)):
                patient = self.chance.choice(self.known) if self.chance.random() < 0.5 else self._someone()
                self.month.enter(worker, patient, self.chance.uniform(start, end))

    def _noise(self, day: int) -> None:
        """What happens in every hospital and looks like misuse."""
        chance, on = self.chance, [one for present in self.on.values() for one in present]
        if not on:
            return
        scale = self.size.professionals / 1000
        for worker, patient in self._noisy(scale):
            start, end = next(((start, end) for one, start, end in on if one is worker), (day * DAY, (day + 1) * DAY))
            self.month.enter(worker, patient, chance.uniform(start, end))
        day_of, famous = self.famous
        if day_of <= day < day_of + 3 and self._physicians():  # consultants of several units see the well-known patient
            for _ in range(chance.randint(1, 3)):
                self.month.enter(chance.choice(self._physicians())[0], famous, day * DAY + chance.uniform(9, 17) * HOUR)

    def _noisy(self, scale: float) -> Iterator[tuple[Worker, Person]]:
        chance = self.chance
        present = [worker for units in self.on.values() for worker, _, _ in units]
        for _ in range(_times(chance, 4 * scale)):  # a space opened by mistake
            yield chance.choice(present), chance.choice(self.month.town.people)
        for _ in range(_times(chance, 0.25 * scale)):  # a colleague asks for a look at the own results
            yield chance.choice(present), chance.choice(self.month.workers).person
        for _ in range(_times(chance, 0.15 * scale)):  # a relative who comes to be treated, without an appointment
            worker = chance.choice(present)
            near = [one for one in (worker.person.partner, worker.person.parent, *worker.person.children) if one]
            if near:
                yield worker, chance.choice(near)


def _times(chance: Random, mean: float) -> int:
    """Return a number of times with a mean."""
    return int(mean) + (chance.random() < mean % 1)
