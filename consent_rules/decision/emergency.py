"""Break-glass and the regulation of emergency calls: two modes, each with a switch, a time limit, a reason, a notice.

Regulation is the work of the physician in an emergency call centre, who decides which help a caller gets.

A professional uses a mode by an emergency opening: a recorded act on one space, with its reason. Each read in that mode
looks for the opening and decides again, so that a patient who switches the mode off stops it at once.

Source: L.1111-17 I and R.1111-48 of the French public health code (rules G1 to G9).
"""

from datetime import datetime

from consent_rules.decision.decision_context import DecisionContext
from consent_rules.model import AccessRequest, Directive, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, Obligation, Purpose

MODES = (Purpose.BREAK_GLASS, Purpose.EMERGENCY)
STATEMENTS = {Purpose.BREAK_GLASS: "G1", Purpose.EMERGENCY: "G2"}
OBLIGATIONS = {
    Purpose.BREAK_GLASS: frozenset(
        {
            Obligation.NOTIFY_PATIENT,
            Obligation.NOTIFY_DECLARED_PHYSICIAN,
            Obligation.SHOW_EMERGENCY_MODE,
            Obligation.REVIEW,
        }
    ),
    Purpose.EMERGENCY: frozenset(
        {Obligation.NOTIFY_PATIENT, Obligation.NOTIFY_DECLARED_PHYSICIAN, Obligation.SHOW_EMERGENCY_MODE}
    ),
}


def break_glass(context: DecisionContext) -> RuleApplied | None:
    """Permit a health professional who has opened the space of somebody in immediate danger (G1)."""
    return _opened(context, Purpose.BREAK_GLASS)


def regulation(context: DecisionContext) -> RuleApplied | None:
    """Permit the regulating physician of the emergency call centre who has opened the space (G2)."""
    return _opened(context, Purpose.EMERGENCY)


def is_entitled(context: DecisionContext, mode: Purpose) -> bool:
    """Tell whether the requester's profession may use a mode at all (G9); the patient makes no difference."""
    profession = context.requester.profession
    if mode is Purpose.EMERGENCY:
        at_the_centre = context.requester.capacity is not Capacity.OCCUPATIONAL_PHYSICIAN
        return at_the_centre and profession in context.profile.regulation_professions
    return context.matrix.is_health_profession(profession)


def until(mode: Purpose, opened_at: datetime, profile: RuleProfile) -> datetime:
    """Return when an emergency opening ends."""
    span = profile.regulation if mode is Purpose.EMERGENCY else profile.break_glass
    return span.after(opened_at)


def review_due(opened_at: datetime, profile: RuleProfile) -> datetime:
    """Return the deadline for the review of a break-glass."""
    return profile.review.after(opened_at)


def opening(request: AccessRequest, id_: str, reason: str, profile: RuleProfile) -> Directive:
    """Return the directive that opens a space in the mode of the request; the requester already has the permit for it.

    Raises: ValueError when the purpose is no emergency mode or the reason is blank (G8).
    """
    mode = request.purpose
    if mode not in MODES or not reason.strip():
        raise ValueError("an emergency is opened in one of its modes and with a reason")
    return Directive(
        id=id_,
        kind=DirectiveKind.EMERGENCY_OPENING,
        actors=frozenset({request.requester.person}),
        purposes=frozenset({mode}),
        start=request.at,
        end=until(mode, request.at, profile),
        recorded_at=request.at,
        recorder=request.requester.person,
        reason=reason.strip(),
    )


def shows_hidden(context: DecisionContext) -> bool:
    """Tell whether the patient lets emergency readers see hidden documents (G5)."""
    return context.profile.hidden_in_emergency_offered and context.has(DirectiveKind.HIDDEN_IN_EMERGENCY)


def _opened(context: DecisionContext, mode: Purpose) -> RuleApplied | None:
    openings = [d for d in context.in_force(DirectiveKind.EMERGENCY_OPENING) if _is_for(context, d, mode)]
    if not openings:
        return None
    return RuleApplied(STATEMENTS[mode], "permit", tuple(found.id for found in openings), Grade.DECLARED)


def _is_for(context: DecisionContext, opening: Directive, mode: Purpose) -> bool:
    given = opening.recorded_at or opening.start
    return (
        mode in opening.purposes
        and bool(opening.reason)
        and context.requester.person in opening.actors
        and given is not None
        and context.at < until(mode, given, context.profile)
    )
