"""Planted misuse of six kinds in equal shares, eighteen in a hospital's month; planned before the rules were tuned.

In a hospital about one professional in three hundred misuses an access in a month. Here it is more than five times as
many, so that eight months have enough cases to state a share; what is planted of a kind is the same.

Every kind has cases that leave no link at all between actor and patient: no rule on the directory can find these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.detection.month import DAY, HOUR, START, Month, Stay, Worker, instant
from tests.detection.town import Person, neighbours_of

KINDS = ("family", "colleague", "neighbour", "celebrity", "former partner", "scraper")
_OF_EACH_KIND = 3 / 1000


@dataclass(frozen=True, slots=True)
class Incident:
    """One misuse. actors: references. spaces: those misused. first: the first access.

    noticed: when the patient contests; None when the patient says nothing, or is not told because the access rests on
    an admission.
    """

    kind: str
    actors: frozenset[str]
    spaces: frozenset[str]
    first: datetime
    noticed: datetime | None
    how: str = ""


def plant(month: Month, kinds: Sequence[str] | None = None) -> list[Incident]:
    """Add the misuse of a month to its accesses. kinds: None for all kinds alike, in the usual number."""
    chance = Random(f"misuse {month.seed}")
    incidents = [_PLANTERS[kind](chance, month) for kind in kinds or _kinds(month)]
    month.accesses.sort(key=lambda access: access.at)
    return incidents


def _kinds(month: Month) -> list[str]:
    return list(KINDS) * max(1, round(len(month.workers) * _OF_EACH_KIND))


def _actor(chance: Random, month: Month, able: Callable[[Worker], bool] = lambda _: True) -> Worker:
    return chance.choice([worker for worker in month.workers if not worker.back_on and able(worker)])


def _look(chance: Random, month: Month, actor: Worker, patient: Person, plan: tuple[int, float]) -> list[datetime]:
    """Enter a space a few times: at work, or at an hour when the actor has nothing to do there.

    plan: how often, and how likely it is that the actor is off duty.
    """
    times, off = plan
    own = sorted({access.at for access in month.accesses if access.person == actor.reference})
    at, entered = chance.uniform(1, month.days - 6) * DAY, []
    for _ in range(times):
        if chance.random() >= off:
            near = min(own, key=lambda one: abs(_seconds(one) - at))
            moment = _seconds(near) + chance.uniform(-1200, 1200)
        else:
            moment = at
        month.enter(actor, patient, max(moment, 0.0), emergency=chance.random() < 0.04)
        entered.append(month.accesses[-1].at)
        at += chance.choice((0.02, 0.2, 1, 3, 6)) * DAY
        if at > (month.days - 2) * DAY:
            break
    return sorted(entered)


def _seconds(at: datetime) -> float:

    return (at - START).total_seconds()


def _treated(chance: Random, month: Month, patient: Person, share: float) -> str:
    """Make some patients known to the hospital; they are the harder cases."""
    if chance.random() < share:
        month.deposits[patient.space].append(chance.uniform(-20, month.days) * DAY)
        return "treated here"
    return ""


def _incident(
    chance: Random, kind: str, month: Month, found: tuple[Worker, Person, list[datetime], str], notices: float
) -> Incident:
    actor, patient, entered, how = found
    declared = next(
        (one for one in month.accesses if one.person == actor.reference and one.space == patient.space), None
    )
    told = declared is not None and declared.grade is not None and declared.grade.value == "declared"
    noticed = None
    if told:
        noticed = entered[0] + timedelta(hours=chance.expovariate(1 / 10)) if chance.random() < notices else None
    return Incident(kind, frozenset({actor.reference}), frozenset({patient.space}), entered[0], noticed, how)


def _family(chance: Random, month: Month) -> Incident:
    actor = _actor(chance, month, lambda one: bool(_relatives(one.person)))
    how, patient = chance.choice(_relatives(actor.person))
    how = f"{how} {_treated(chance, month, patient, 0.4)}".strip()
    entered = _look(chance, month, actor, patient, (chance.choice((1, 1, 2, 3, 4)), 0.4))
    return _incident(chance, "family", month, (actor, patient, entered, how), 0.35)


def _relatives(person: Person) -> list[tuple[str, Person]]:
    siblings = [one for one in person.parent.children if one is not person] if person.parent else []
    return [
        *(("partner", one) for one in [person.partner] if one),
        *(("parent", one) for one in [person.parent] if one),
        *(("child", one) for one in person.children),
        *(("sibling", one) for one in siblings),
    ]


def _colleague(chance: Random, month: Month) -> Incident:
    actor = _actor(chance, month)
    same = [one for one in month.workers if one.unit == actor.unit and one is not actor]
    others = [one for one in month.workers if one is not actor]
    patient = chance.choice(same if chance.random() < 0.6 else others).person
    how = (
        f"{'same unit' if patient.unit == actor.unit else 'other unit'} {_treated(chance, month, patient, 0.4)}".strip()
    )
    entered = _look(chance, month, actor, patient, (chance.choice((1, 2, 2, 3, 4)), 0.45))
    return _incident(chance, "colleague", month, (actor, patient, entered, how), 0.3)


def _neighbour(chance: Random, month: Month) -> Incident:
    actor = _actor(chance, month)
    near = neighbours_of(month.town, actor.person)
    is_known = bool(near) and chance.random() < 0.9
    patient = chance.choice(near if is_known else month.town.people)
    how = f"{'same street' if is_known else 'round the corner'} {_treated(chance, month, patient, 0.25)}".strip()
    entered = _look(chance, month, actor, patient, (chance.choice((1, 2, 2, 3)), 0.5))
    return _incident(chance, "neighbour", month, (actor, patient, entered, how), 0.3)


def _former_partner(chance: Random, month: Month) -> Incident:
    actor = _actor(chance, month)
    patient = chance.choice([one for one in month.town.people if 20 < one.age < 70 and one is not actor.person])
    how = []
    if chance.random() < 0.65:
        patient.former_household = actor.person.household
        how.append("earlier address")
    if chance.random() < 0.3:
        patient.contact_phones.add(actor.person.mobile)
        how.append("still a contact")
    if chance.random() < 0.2:
        patient.used_name = actor.person.birth_name
        how.append("kept the name")
    how.append(_treated(chance, month, patient, 0.3))
    entered = _look(chance, month, actor, patient, (chance.randint(2, 7), 0.5))
    return _incident(chance, "former partner", month, (actor, patient, entered, ", ".join(filter(None, how))), 0.4)


def _celebrity(chance: Random, month: Month) -> Incident:

    patient, day = chance.choice(month.town.people), chance.uniform(1, month.days - 5)
    how = ""
    if chance.random() < 0.7:
        unit = chance.choice([worker.unit for worker in month.workers if worker.unit.startswith("ward")])
        month.stays[patient.space].append(Stay(patient, unit, day * DAY, (day + 4) * DAY, day * DAY))
        month.deposits[patient.space].append((day + 0.5) * DAY)
        for worker in [one for one in month.workers if one.unit == unit][:12]:
            month.enter(worker, patient, (day + chance.uniform(0, 3)) * DAY)
        how = "patient of the hospital"
    actors = chance.sample([one for one in month.workers if not one.back_on], chance.randint(6, 14))
    times = sorted(day + chance.expovariate(1 / 0.6) for _ in actors)
    for actor, at in zip(actors, times, strict=True):
        month.enter(actor, patient, min(at, month.days - 1) * DAY)

    first = instant(times[0] * DAY)
    noticed = first + timedelta(hours=chance.expovariate(1 / 12)) if chance.random() < 0.4 and not how else None
    return Incident(
        "celebrity", frozenset(one.reference for one in actors), frozenset({patient.space}), first, noticed, how
    )


def _scraper(chance: Random, month: Month) -> Incident:
    actor = _actor(chance, month)
    how = chance.choices(("fast", "slow", "by number"), (45, 35, 20))[0]
    day = chance.uniform(3, month.days - 7)
    if how == "by number":
        stems: dict[str, list[Person]] = {}
        for person in month.town.people:
            stems.setdefault(person.stem, []).append(person)
        targets = [one for stem in sorted(stems, key=lambda one: -len(stems[one]))[:60] for one in stems[stem]]
    else:
        targets = chance.sample(month.town.people, min(3000, len(month.town.people)))
    taken: list[Person] = []
    at = day * DAY
    while targets and at < (day + 6) * DAY and at < (month.days - 1) * DAY:
        patient = targets.pop()
        taken.append(patient)
        month.enter(actor, patient, at)
        if how == "fast":
            at += chance.expovariate(1 / 20)
        elif how == "slow":  # a few between the own patients, some twenty a day
            at += chance.expovariate(1 / 2000) if at % DAY < 18 * HOUR else 14 * HOUR
        else:
            at += chance.expovariate(1 / 240)
        if len(taken) >= 2000:
            break

    return Incident(
        "scraper",
        frozenset({actor.reference}),
        frozenset(one.space for one in taken),
        instant(day * DAY),
        None,
        how,
    )


_PLANTERS: dict[str, Callable[[Random, Month], Incident]] = {
    "family": _family,
    "colleague": _colleague,
    "neighbour": _neighbour,
    "celebrity": _celebrity,
    "former partner": _former_partner,
    "scraper": _scraper,
}
