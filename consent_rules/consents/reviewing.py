"""The review of a break-glass: who may carry it out, its state at an instant, and who may contest the access.

Time alone makes a review overdue; no job is needed.
Source: rule G8 (a review judges the reason that was stated); the rule profile's `review` sets the deadline.
"""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.model import Deny, Requester, RuleApplied
from consent_rules.vocabulary import Reason, ReviewOutcome, ReviewState


@dataclass(frozen=True, slots=True)
class Review:
    """The review of one emergency opening.

    person: reference of who opened the space. due: the deadline. outcome: None before the review.
    contested: whether the patient or a representative disputes the access.
    """

    person: str
    due: datetime
    outcome: ReviewOutcome | None = None
    contested: bool = False


def state_at(review: Review, at: datetime) -> ReviewState:
    """Return the state of a review: its outcome, or without one whether the review is pending or overdue."""
    if review.outcome:
        return ReviewState(review.outcome)
    return ReviewState.OVERDUE if at >= review.due else ReviewState.PENDING


def may_look(requester: Requester, review: Review) -> RuleApplied | Deny:
    """Tell whether a requester with a permit for reviews may read this review; nobody reviews their own access (G8)."""
    if requester.person == review.person:
        return _denial(Reason.OWN_OPENING)
    return RuleApplied("G8", "permit")


def may_review(requester: Requester, review: Review) -> RuleApplied | Deny:
    """Tell whether a requester with a permit for reviews may record the outcome: once for each opening (G8)."""
    looked = may_look(requester, review)
    if isinstance(looked, RuleApplied) and review.outcome:
        return _denial(Reason.ALREADY_REVIEWED)
    return looked


def may_contest(review: Review) -> RuleApplied | Deny:
    """Tell whether the patient or a representative may dispute an access: only until its review has an outcome (G8)."""
    return _denial(Reason.ALREADY_REVIEWED) if review.outcome else RuleApplied("G8", "permit")


def _denial(reason: Reason) -> Deny:
    return Deny(reason, (RuleApplied("G8", "refuse"),))
