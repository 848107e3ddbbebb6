"""What the server itself reads of a space, beyond what the caller was shown, each time for a stated reason.

Every other filter comes from the decision. Nothing that is read through a SystemView is shown as it is: it only serves
its reason, and docs/threat-model.md says for each reason what it gives away.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import Mark


class ReadingReason(StrEnum):
    """Why the server reads for itself. docs/threat-model.md has a row for each; a test compares."""

    APP_RESTRICTIONS = "app-restrictions"
    AUDITED_NAMES = "audited-names"
    CONFIDENTIALITY = "confidentiality"
    DEFAULT_CHOICES = "default-choices"
    ERASURE = "erasure"
    HIDING_ALL = "hiding-all"
    IDENTITY_PROOF = "identity-proof"
    ONESELF = "oneself"
    OPERATOR = "operator"
    OWN_FILINGS = "own-filings"
    OWN_RECORDS = "own-records"
    PERSONS_NAMED = "persons-named"
    REGISTERED = "registered"
    REPAIR = "repair"
    REPLACEMENTS = "replacements"
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView(Visibility):
    """A filter that the server made for itself."""

    reason: ReadingReason


def whole_space(reason: ReadingReason, patient: str) -> SystemView:
    """Return the view of everything in a space."""
    return SystemView(patient, (Clause(knows_marks=True),), reason=reason)


def recorded_by(reason: ReadingReason, patient: str, owners: frozenset[str]) -> SystemView:
    """Return the view of what these parties have recorded in a space, whatever it is."""
    return SystemView(patient, (Clause(owned_by=owners),), reason=reason)


def of_kinds(reason: ReadingReason, patient: str, kinds: frozenset[str]) -> SystemView:
    """Return the view of some kinds of things in a space."""
    return SystemView(patient, (Clause(kinds=kinds, knows_marks=True),), reason=reason)


def left_open(
    reason: ReadingReason, patient: str, marks: Mark = Mark.NONE, *, unsealed_at: datetime | None = None
) -> SystemView:
    """Return the view of what none of these marks closes. unsealed_at: nor waits to be announced at that instant."""
    return SystemView(patient, (Clause(closed_by=marks, unsealed_at=unsealed_at),), reason=reason)
