"""What the directory says an actor and the holder of a space have in common, and a rule that weighs it with oddities.

Source: statement V20 (docs/rules-index.csv).
"""

from collections.abc import Collection, Mapping

from consent_rules.rule_profile import Detection
from fhir_server.domain.detection.facts import Accessed, Doubt, Hit, Oddity, Rule, Tie, Traits

_RULES = {
    Tie.ADDRESS: Rule.SAME_ADDRESS,
    Tie.PHONE: Rule.SAME_ADDRESS,
    Tie.RARE_NAME: Rule.SAME_NAME,
    Tie.TEAM: Rule.SAME_EMPLOYER,
    Tie.EMPLOYER: Rule.SAME_EMPLOYER,
    Tie.STREET: Rule.SAME_ADDRESS,
    Tie.NAME: Rule.SAME_NAME,
}
"""The rule that a tie belongs to."""


def ties(actor: Traits, holder: Traits) -> tuple[Tie, ...]:
    """Return what two people have in common, in the order of the rules."""
    rare = not actor.rare_names.isdisjoint(holder.rare_names)
    shared = {
        Tie.ADDRESS: not actor.addresses.isdisjoint(holder.addresses),
        Tie.PHONE: not actor.phones.isdisjoint(holder.phones),
        Tie.RARE_NAME: rare,
        Tie.TEAM: not actor.teams.isdisjoint(holder.teams),
        Tie.EMPLOYER: not actor.employers.isdisjoint(holder.employers),
        Tie.STREET: not actor.streets.isdisjoint(holder.streets),
        Tie.NAME: not rare and not actor.names.isdisjoint(holder.names),
    }
    return tuple(tie for tie in _RULES if shared[tie])


def weighed(
    access: Accessed, doubt: Doubt, shared: Collection[Tie], odd: Mapping[Oddity, float], numbers: Detection
) -> Hit | None:
    """Return the hit of an access whose strongest tie and oddities are too many bits together, None for fewer.

    Ties are not independent: who shares an address shares the street. So only the strongest counts.
    """
    strongest = max(shared, key=lambda tie: numbers.points[tie], default=None)
    bits = sum(odd.values()) + (numbers.points[strongest] if strongest else 0)
    if doubt is Doubt.NONE or bits < numbers.enough_bits:
        return None
    rule = _RULES[strongest] if strongest else Rule.OUT_OF_PLACE
    evidence = {tie.value: numbers.points[tie] for tie in shared} | {one.value: round(odd[one]) for one in odd}
    return Hit(rule, access.at, access.at + numbers.usual.exact, access.person, access.space, evidence)
