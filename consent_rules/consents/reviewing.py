"""The review of a break-glass: who may carry it out, how it stands at an instant, and who may contest the access.

Time alone makes a review overdue; no job is needed.
Source: rule G8 (the reason that was stated is what a review judges); the term is the rule profile's `review`.
"""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.model import Deny, Requester, RuleApplied
from consent_rules.vocabulary import Reason, ReviewOutcome, ReviewState


@dataclass(frozen=True, slots=True)
class Review:
    """How the review of one opening stands.

    person: reference of who opened the space. due: by when it is to be reviewed. outcome: None until it was.
    contested: whether the holder's side disputes the access.
    """

    person: str
    due: datetime
    outcome: ReviewOutcome | None = None
    contested: bool = False


def state_at(review: Review, at: datetime) -> ReviewState:
    """Return how a review stands: what it came to, else whether its term has passed."""
    if review.outcome:
        return ReviewState(review.outcome)
    return ReviewState.OVERDUE if at >= review.due else ReviewState.PENDING


def may_look(requester: Requester, review: Review) -> RuleApplied | Deny:
    """Tell whether somebody who entered to review may look into this one: nobody into the own access (G8)."""
    if requester.person == review.person:
        return _denial(Reason.OWN_OPENING)
    return RuleApplied("G8", "permit")


def may_review(requester: Requester, review: Review) -> RuleApplied | Deny:
    """Tell whether somebody who entered to review may say what it came to: once for each opening (G8)."""
    looked = may_look(requester, review)
    if isinstance(looked, RuleApplied) and review.outcome:
        return _denial(Reason.ALREADY_REVIEWED)
    return looked


def may_contest(review: Review) -> RuleApplied | Deny:
    """Tell whether the holder's side may still dispute an access: as long as it waits for its review (G8)."""
    return _denial(Reason.ALREADY_REVIEWED) if review.outcome else RuleApplied("G8", "permit")


def _denial(reason: Reason) -> Deny:
    return Deny(reason, (RuleApplied("G8", "refuse"),))
