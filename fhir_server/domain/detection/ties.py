"""What the directory says an actor and the holder of a space have in common, and a rule that weighs it with oddities.

Source: statement V20 (docs/rules-index.csv).
"""

from collections.abc import Collection

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
"""The rule that a tie belongs to. The first tie in this order names the rule of a hit."""


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
    access: Accessed, doubt: Doubt, shared: Collection[Tie], odd: Collection[Oddity], numbers: Detection
) -> Hit | None:
    """Return the hit of an access by its actor's ties to the holder and by its oddities, None for too few points.

    Without a tie, oddities make a hit only when the actor is alone with the patient and is hardly ever alone with one.
    """
    if doubt is Doubt.NONE or not (shared or Oddity.UNUSUAL in odd):
        return None
    points = sum(numbers.points[tie] for tie in shared) + sum(numbers.points[one] for one in odd)
    if doubt is Doubt.FULL:
        enough = numbers.full_doubt if shared else numbers.no_tie
    else:
        enough = numbers.some_doubt if shared else numbers.some_no_tie
    if points < enough:
        return None
    rule = next((_RULES[tie] for tie in _RULES if tie in shared), Rule.OUT_OF_PLACE)
    evidence = {tie.value: numbers.points[tie] for tie in shared} | {one.value: numbers.points[one] for one in odd}
    return Hit(rule, access.at, access.at + numbers.usual.exact, access.person, access.space, evidence)
