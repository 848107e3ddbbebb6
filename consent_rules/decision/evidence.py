"""The evidence behind a ground of care: its grade, how long it holds, and whom it reaches (V1–V5).

A professional's own word is the weakest evidence: it opens little, for a short time. What somebody else recorded of the
care, such as an admission, supports that word. Software that names a person who has not logged in is believed about its
establishment, not about the person.
Source: docs/adr/0081; L.1110-4 and L.1111-17 of the French public health code make consent and effective care
conditions of an access, and leave to the service how they are shown.
"""

from collections.abc import Iterable
from datetime import datetime

from consent_rules.decision.decision_context import DecisionContext
from consent_rules.model import Directive, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import DirectiveKind, Grade

TEAMS = ("Organization/", "CareTeam/")
SUPPORT = "support"
"""Outcome of the rule by which a fact of care raises the grade of a ground."""
_SUPPORTED = (RuleApplied("V1", SUPPORT),)
_WITHOUT_LOGIN = (RuleApplied("V5", "without-login"),)


def grade_of(context: DecisionContext, used: Iterable[Directive]) -> Grade:
    """Return the best grade among the directives behind a ground and the facts of care beside them."""
    best = Grade.DECLARED
    for directive in used:
        grade = _believed(context, directive)
        if grade is Grade.PATIENT:
            return Grade.PATIENT
        if grade is Grade.THIRD_PARTY:
            best = Grade.THIRD_PARTY
    return Grade.THIRD_PARTY if best is Grade.DECLARED and supporting(context) else best


def supporting(context: DecisionContext) -> list[Directive]:
    """Return the facts of care in force that name the requester and that somebody else recorded (V1)."""
    found = context.memo.get(SUPPORT)
    if found is None:
        found = [fact for fact in context.in_force(DirectiveKind.CARE) if _supports(context, fact)]
        context.memo[SUPPORT] = found
    return found


def noted(context: DecisionContext) -> tuple[RuleApplied, ...]:
    """Return what the audit log says of the evidence: facts of care that raised the grade, and a missing login."""
    support = _SUPPORTED if context.memo.get(SUPPORT) else ()
    return (*support, *_WITHOUT_LOGIN) if context.request.requester.vouched else support


def is_for_team(directive: Directive) -> bool:
    """Tell whether a consent is given to an establishment or a care team."""
    for actor in directive.actors:  # noqa: SIM110 - a generator costs three calls more, in each request
        if actor.startswith(TEAMS):
            return True
    return False


def reaches_by_team(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether a consent reaches the requester as a member of an establishment or team, not by name.

    A declared consent reaches only members whom somebody else placed there (V4).
    """
    if directive.by_patient:
        return is_for_team(directive)
    requester, actors = context.request.requester, directive.actors
    if directive.grade is Grade.DECLARED:
        return requester.organization in actors or not actors.isdisjoint(context.confirmed)
    return not actors.isdisjoint(context.identities - {requester.person, requester.role})


def reaches(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether a consent that names the requester lets the requester in (V4)."""
    if directive.grade is not Grade.DECLARED:
        return True
    requester, actors = context.request.requester, directive.actors
    return requester.person in actors or requester.role in actors or reaches_by_team(context, directive)


def end_for_team(directive: Directive, given_at: datetime, profile: RuleProfile) -> datetime:
    """Return when a team's consent that a professional recorded ends at the latest, whatever it states (V4)."""
    declared = directive.grade is Grade.DECLARED
    span = profile.declared_team_consent if declared else profile.proofs[directive.proof]
    return span.after(given_at)


def _believed(context: DecisionContext, directive: Directive) -> Grade:
    """Return the grade of a directive, lower when software names a person who has not logged in (V5).

    The patient's own act then counts as a third party's if it names the establishment, team or practice situation, and
    as declared if it names the person alone.
    """
    requester = context.requester
    if directive.grade is not Grade.PATIENT or not requester.vouched:
        return directive.grade
    names_place = not directive.actors.isdisjoint(context.identities - {requester.person})
    return Grade.THIRD_PARTY if names_place else Grade.DECLARED


def _supports(context: DecisionContext, fact: Directive) -> bool:
    requester, given_at = context.requester, fact.recorded_at or fact.start
    if fact.grade is Grade.DECLARED or fact.recorder in {requester.person, requester.client} - {""}:
        return False
    longest = context.profile.proofs.get(fact.proof)
    if given_at is None or longest is None or not fact.names(context.identities):
        return False
    return fact.end is not None or context.at < longest.after(given_at)
