"""Judging an access twice: at once, for what many accesses show together, and when evidence has had its time to arrive.

The calling code stores the state and finds what others did around the access; an access may be judged again.
Source: statements V19 and V20 (docs/rules-index.csv).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log2

from consent_rules.rule_profile import Detection
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection import rules
from fhir_server.domain.detection.conduct import DAY, Conduct, hour_of
from fhir_server.domain.detection.explaining import doubt_of, explain
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Explanation, Hit, Oddity, Traits
from fhir_server.domain.detection.peers import Peers
from fhir_server.domain.detection.strangers import Strangers
from fhir_server.domain.detection.ties import ties, weighed

_SUPPORTED = (Grade.PATIENT, Grade.THIRD_PARTY)
_RETURN = 2
"""Hours after which an access is no longer part of the one before."""
_MANY_OTHERS = 15
"""More others than this in a space change nothing."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a space.

    stem: the digits of the national number that people born at one place in one month share; None when unknown.

    ended_at: when the patient died or the space was closed, None while it is open.
    """

    stem: str | None = None
    ended_at: datetime | None = None


def at_once(
    access: Accessed, around: Around, holder: Holder, known: tuple[Conduct, Peers], numbers: Detection
) -> Iterator[Hit]:
    """Note an access in the conduct of its actor and of the peers, and yield the hits of the rules of conduct.

    known: the conduct of the actor, and that of the peers; both are changed.
    """
    conduct, peers = known
    doubt, now = doubt_of(explain(access, around)), hour_of(access.at)
    conduct.note(access, doubt, holder.stem)
    before = conduct.used_before(access.space, now)
    hits = [rules.ended(access, holder.ended_at, doubt, conduct, numbers)]
    if access.refused:
        hits.append(rules.refusals(access, conduct, numbers))
    if access.emergency:
        hits.append(rules.emergencies(access, conduct, numbers))
    if doubt is Doubt.FULL and not access.refused:
        peers.note(access.person, now, conduct.new_doubts(now, 1), conduct.new_doubts(now, DAY))
        hits.append(rules.volume(access, conduct, peers, numbers))
        hits.append(rules.sequence(access, conduct, numbers))
        hits.append(rules.dormant(access, before, doubt, numbers))
    yield from (hit for hit in hits if hit)


def settled(
    access: Accessed, around: Around, people: tuple[Traits, Traits], conduct: Conduct, numbers: Detection
) -> Hit | None:
    """Judge an access for which evidence has had its time to arrive. people: the actor and the holder of the space."""
    explanation = explain(access, around)
    doubt = doubt_of(explanation)
    if access.refused:
        return None
    conduct.settle(access.space, hour_of(access.at), doubt, alone=_is_alone(explanation, around))
    if doubt is Doubt.NONE:
        return None
    return weighed(access, doubt, ties(*people), oddities(access, around, conduct, numbers), numbers)


def unexpected(
    access: Accessed, doubt: Doubt, known: tuple[Conduct, Strangers], numbers: Detection, *, is_settled: bool
) -> Hit | None:
    """Note a reader whom nobody expects in a space; return a hit when there are too many such readers.

    known: the conduct of the actor, and the unexpected readers of the space; the latter are changed. is_settled:
    whether evidence has had its time to arrive. A reader who enters on better evidence than a declaration shows that
    their unit cares for the patient: the other readers of this unit are then forgotten.
    """
    conduct, strangers = known
    if access.grade in _SUPPORTED and access.team is not None:
        strangers.drop_unit(access.team, access.person)
    bits = surprise(access, doubt, conduct, numbers, is_settled=is_settled)
    if bits:
        strangers.note(access.person, hour_of(access.at), access.team, bits)
        return rules.celebrity(access, strangers.readers(), numbers)
    if is_settled:
        strangers.drop(access.person)
    return None


def surprise(access: Accessed, doubt: Doubt, conduct: Conduct, numbers: Detection, *, is_settled: bool) -> float:
    """Return how surprising an access is, in bits; 0 when it is fully explained, or was refused.

    is_settled: whether the hours after the access are known too; then an actor who is off duty surprises more.
    """
    if access.refused or doubt is Doubt.NONE:
        return 0.0
    hour = hour_of(access.at)
    is_off = is_settled and is_off_duty(hour, conduct, numbers)
    return conduct.surprise(hour) + (numbers.off_duty_bits if is_off else 0)


def oddities(access: Accessed, around: Around, conduct: Conduct, numbers: Detection) -> Mapping[Oddity, float]:
    """Return what is unusual about a settled access, in bits; what makes it less unusual is below zero."""
    hour, points = hour_of(access.at), numbers.points
    alone = _is_alone(explain(access, around), around)
    since = conduct.hours_since_alone(access.space, hour)
    found = {
        Oddity.ALONE: conduct.surprise_alone(hour) if alone else 0.0,
        Oddity.ASTRAY: 0.0 if alone else conduct.surprise(hour) / 2,
        Oddity.OFF_DUTY: points[Oddity.OFF_DUTY] * (since < DAY and is_off_duty(hour, conduct, numbers)),
        Oddity.RETURNS: points[Oddity.RETURNS] * (alone and _RETURN <= since < DAY),
        Oddity.EMERGENCY: points[Oddity.EMERGENCY] * access.emergency,
        Oddity.FILED: points[Oddity.FILED] * around.filed,
        Oddity.OTHERS: -log2(1 + min(around.others, _MANY_OTHERS)),
    }
    return {oddity: bits for oddity, bits in found.items() if bits}


def is_off_duty(hour: int, conduct: Conduct, numbers: Detection) -> bool:
    """Tell whether the actor has no fully explained access in the hours before and after."""
    return not conduct.is_on_duty(hour, int(numbers.on_duty.exact.total_seconds()) // 3600)


def _is_alone(explanation: Explanation | None, around: Around) -> bool:
    return explanation in (None, Explanation.DEPOSIT) and not around.elsewhere
