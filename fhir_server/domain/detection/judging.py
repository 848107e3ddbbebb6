"""The two looks at an access: at once, for what many accesses show together, and when evidence has had its time.

Whoever calls keeps the state and finds what is around the access; a look may be repeated.
Source: statements V19 and V20 (docs/rules-index.csv).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from consent_rules.rule_profile import Detection
from fhir_server.domain.detection import rules
from fhir_server.domain.detection.conduct import DAY, Conduct, hour_of
from fhir_server.domain.detection.explaining import doubt_of, explain
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Explanation, Hit, Oddity, Traits
from fhir_server.domain.detection.peers import Peers
from fhir_server.domain.detection.ties import ties, weighed


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a space. stem: what national numbers of one birth place and month share; None when unknown.

    ended_at: when the patient died or the space was closed, None while it is open.
    """

    stem: str | None = None
    ended_at: datetime | None = None


def at_once(
    access: Accessed, around: Around, holder: Holder, known: tuple[Conduct, Peers], numbers: Detection
) -> Iterator[Hit]:
    """Note an access in what is known of its actor and their peers, and yield what the rules of conduct say.

    known: the conduct of the actor and of the peers; both change.
    """
    conduct, peers = known
    doubt, before, now = doubt_of(explain(access, around)), conduct.last, hour_of(access.at)
    conduct.note(access, doubt, holder.stem)
    hits = [rules.ended(access, holder.ended_at, doubt, numbers)]
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
    doubt = doubt_of(explain(access, around))
    if access.refused:
        return None
    conduct.settle(access.space, hour_of(access.at), doubt)
    if doubt is Doubt.NONE:
        return None
    return weighed(access, doubt, ties(*people), oddities(access, around, conduct, numbers), numbers)


def surprise(access: Accessed, doubt: Doubt, conduct: Conduct) -> float:
    """Return how surprising a settled access is, in bits; 0 when the actor has to do with the patient."""
    return 0.0 if access.refused or doubt is Doubt.NONE else conduct.surprise(hour_of(access.at))


def oddities(access: Accessed, around: Around, conduct: Conduct, numbers: Detection) -> tuple[Oddity, ...]:
    """Return what is unusual about a settled access."""
    explanation = explain(access, around)
    is_rare = conduct.hardly_ever_unexplained(numbers.hardly_ever_percent)
    hour, near = hour_of(access.at), int(numbers.on_duty.exact.total_seconds()) // 3600
    found = {
        Oddity.OFF_DUTY: not conduct.is_on_duty(hour, near),
        Oddity.ALONE: not (around.elsewhere or around.care or around.deposit),
        Oddity.RETURNS: is_rare and conduct.was_there_before(access.space, hour),
        Oddity.EMERGENCY: access.emergency,
        Oddity.UNUSUAL: explanation is None and is_rare,
        Oddity.ASTRAY: conduct.is_astray(hour, numbers.seldom_percent, numbers.few_strays),
        Oddity.OWN_WORD: explanation is Explanation.DEPOSIT,
    }
    return tuple(oddity for oddity, is_so in found.items() if is_so)
