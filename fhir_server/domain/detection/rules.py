"""The named rules about conduct and about one space; the rule about ties is in `ties`.

Each returns a hit with its evidence and its deadline, or None.
Source: statement V20 (docs/rules-index.csv).
"""

from collections.abc import Iterable
from datetime import datetime

from consent_rules.rule_profile import Detection
from fhir_server.domain.detection.conduct import DAY, Conduct, hour_of
from fhir_server.domain.detection.facts import Accessed, Doubt, Hit, Rule
from fhir_server.domain.detection.peers import Peers


def celebrity(latest: Accessed, readers: Iterable[tuple[str | None, float]], numbers: Detection) -> Hit | None:
    """Readers of one space in a day whom nobody expects there. readers: the unit of each, and the surprise in bits.

    A unit counts once, by its most surprising reader, because several readers of one unit care for the patient
    together.
    """
    units: dict[str | None, float] = {}
    for unit, bits in readers:
        units[unit] = max(bits, units.get(unit, 0.0))
    surprising, total = sum(bits > 0 for bits in units.values()), int(sum(units.values()))
    if surprising < numbers.celebrity_units or total < numbers.celebrity_bits:
        return None
    return _hit(Rule.CELEBRITY, latest, numbers, {"units": surprising, "bits": total}, space=latest.space)


def volume(access: Accessed, conduct: Conduct, peers: Peers, numbers: Detection) -> Hit | None:
    """More spaces entered without explanation than is usual for the profession, in this hour, a day or seven days."""
    now = hour_of(access.at)
    in_hour, in_day, in_week = (conduct.new_doubts(now, hours) for hours in (1, DAY, 7 * DAY))
    limit_of_day = peers.limit_of_day(numbers.day_floor, numbers.deviations)
    if (
        in_hour <= peers.limit_of_hour(numbers.hour_floor, numbers.deviations)
        and in_day <= limit_of_day
        and in_week <= max(numbers.week_floor - 1, 2 * limit_of_day)
    ):
        return None
    counts = {"spaces-in-hour": in_hour, "spaces-in-day": in_day, "spaces-in-week": in_week}
    return _hit(Rule.VOLUME, access, numbers, counts)


def sequence(access: Accessed, conduct: Conduct, numbers: Detection) -> Hit | None:
    """Spaces whose national numbers are near each other, entered without explanation in a day."""
    count = conduct.neighbours(hour_of(access.at))
    if count < numbers.neighbours:
        return None
    return _hit(Rule.SEQUENCE, access, numbers, {"near-numbers": count})


def emergencies(access: Accessed, conduct: Conduct, numbers: Detection) -> Hit | None:
    """A great share of a day's entries with a declared emergency as their ground."""
    count, entered = len(conduct.emergencies), len(conduct.entered)
    if count < numbers.emergencies_floor or count * 100 < entered * numbers.emergencies_percent:
        return None
    return _hit(Rule.EMERGENCIES, access, numbers, {"emergencies": count, "entered": entered})


def refusals(access: Accessed, conduct: Conduct, numbers: Detection) -> Hit | None:
    """Many spaces in a day to which the actor was refused access."""
    count = len(conduct.refusals)
    if count < numbers.refusals_floor:
        return None
    return _hit(Rule.REFUSALS, access, numbers, {"refused-spaces": count})


def dormant(access: Accessed, before: int | None, doubt: Doubt, numbers: Detection) -> Hit | None:
    """An entry without explanation by an account that was not used for a long time. before: hour of its last use."""
    if before is None or doubt is not Doubt.FULL:
        return None
    unused = hour_of(access.at) - before
    if unused * 3600 < numbers.dormant.exact.total_seconds():
        return None
    return _hit(Rule.DORMANT, access, numbers, {"days-unused": unused // DAY}, space=access.space)


def ended(
    access: Accessed, ended_at: datetime | None, doubt: Doubt, conduct: Conduct, numbers: Detection
) -> Hit | None:
    """An access, or an attempt, some time after the patient's death or the closing of the space.

    An access that only the establishment explains is a hit only for an actor who seldom enters where nobody of the own
    team has been.
    """
    if ended_at is None or access.at < ended_at + numbers.after_end.exact or doubt is Doubt.NONE:
        return None
    if doubt is Doubt.SOME and not conduct.is_astray(hour_of(access.at), numbers.seldom_percent, numbers.few_strays):
        return None
    return _hit(Rule.ENDED, access, numbers, {"days-after": (access.at - ended_at).days}, space=access.space)


_URGENT = frozenset({Rule.CELEBRITY, Rule.SEQUENCE, Rule.VOLUME})


def _hit(
    rule: Rule,
    access: Accessed,
    numbers: Detection,
    evidence: dict[str, int],
    *,
    space: str | None = None,
) -> Hit:
    due = access.at + (numbers.urgent.exact if rule in _URGENT else numbers.usual.exact)
    return Hit(rule, access.at, due, None if rule is Rule.CELEBRITY else access.person, space, evidence)
