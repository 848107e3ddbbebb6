"""The people around a hospital: households, families, streets, names, telephones, and who works at the hospital."""

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from fhir_server.domain.detection.facts import Traits

HOSPITAL = "Organization/hospital"
_NAMES, _PER_STREET = 16_000, 45


@dataclass(slots=True)
class Person:
    """One insured person; `number` names the space. stem: what the national number shares with others."""

    number: int
    birth_name: int
    used_name: int
    household: int
    age: int
    stem: str
    mobile: int
    former_household: int | None = None
    contact_phones: set[int] = field(default_factory=set)
    partner: "Person | None" = None
    parent: "Person | None" = None
    children: list["Person"] = field(default_factory=list)
    unit: str | None = None
    is_staff: bool = False

    @property
    def space(self) -> str:
        return f"p{self.number}"

    @property
    def names(self) -> frozenset[str]:
        return frozenset({f"n{self.birth_name}", f"n{self.used_name}"})


@dataclass(slots=True)
class Town:
    """All persons, and how many bear each name."""

    people: list[Person]
    bearers: dict[str, int]

    def rare(self, person: Person, limit: int) -> frozenset[str]:
        return frozenset(name for name in person.names if self.bearers[name] <= limit)

    def traits(self, person: Person, rare_name: int, *, holder: bool) -> Traits:
        """Return what the directory says: a record knows earlier addresses and contacts, that of a worker does not."""
        homes = {person.household} | ({person.former_household} if person.former_household is not None else set())
        phones = {person.mobile} | (person.contact_phones if holder else set())
        return Traits(
            person.names,
            self.rare(person, rare_name),
            frozenset(f"a{home}" for home in homes),
            frozenset({f"s{person.household // _PER_STREET}"}),
            frozenset(f"t{phone}" for phone in phones),
            frozenset({HOSPITAL}) if person.is_staff else frozenset(),
            frozenset({person.unit}) if person.unit else frozenset(),
        )


def people_of(chance: Random, count: int) -> Town:
    """Return a town of so many people; a third of the households descend from another one of the town."""
    weights = list(accumulate(1 / (rank + 12) ** 0.85 for rank in range(_NAMES)))
    people: list[Person] = []
    heads: list[Person] = []
    household = 0
    while len(people) < count:
        names = chance.choices(range(_NAMES), cum_weights=weights, k=2)
        parent = chance.choice(heads) if heads and chance.random() < 0.35 else None
        head = _person(chance, len(people), parent.birth_name if parent else names[0], household, 22, 90)
        people.append(head)
        heads.append(head)
        if parent and parent.age > head.age + 18:
            head.parent = parent
            parent.children.append(head)
        if chance.random() < 0.55:
            partner = _person(chance, len(people), names[1], household, max(20, head.age - 8), head.age + 8)
            if chance.random() < 0.5:
                partner.used_name = head.birth_name
            head.partner, partner.partner = partner, head
            people.append(partner)
        for _ in range(chance.choice((0, 0, 1, 2, 3)) if head.age < 55 else 0):
            child = _person(chance, len(people), head.birth_name, household, 0, 18)
            child.parent = head
            head.children.append(child)
            people.append(child)
        household += 1
    people = people[:count]
    chance.shuffle(people)
    _know_each_other(chance, people, household)
    bearers: dict[str, int] = {}
    for person in people:
        for name in person.names:
            bearers[name] = bearers.get(name, 0) + 1
    return Town(people, bearers)


def _person(chance: Random, number: int, name: int, household: int, youngest: int, oldest: int) -> Person:
    age = chance.randint(youngest, oldest)
    commune = chance.randrange(30) if chance.random() < 0.4 else chance.randrange(1000)
    stem = f"{chance.randrange(2)}-{age}-{chance.randrange(12)}-{commune}"
    return Person(number, name, name, household, age, stem, number)


def _know_each_other(chance: Random, people: list[Person], households: int) -> None:
    """Give people contacts for emergencies, and some of them an earlier address."""
    for person in people:
        near = [one for one in (person.partner, person.parent, *person.children) if one]
        if near and chance.random() < 0.6:
            person.contact_phones.add(chance.choice(near).mobile)
        if chance.random() < 0.1:
            person.former_household = chance.randrange(households)


def neighbours_of(town: Town, person: Person) -> list[Person]:
    """Return the people of the same street who live in another household."""
    street = person.household // _PER_STREET
    return [one for one in town.people if one.household // _PER_STREET == street and one.household != person.household]
