"""What the server itself reads in a space, beyond what the caller may see, each time for a stated reason.

Every other filter comes from the decision. The server shows nothing as it reads it through a SystemView: such a read
only serves its reason, and docs/threat-model.md says for each reason what the read gives away.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import NO_SPACE, Mark, PatientId

_ALL_MARKS = Mark.MASQUE_PS | Mark.INVISIBLE_REPRESENTANTS_LEGAUX | Mark.MASQUE_PSOCIAL | Mark.MASQUE_PT


class ReadingReason(StrEnum):
    """Why the server reads for itself. docs/threat-model.md has a row for each reason; a test compares the two."""

    APP_RESTRICTIONS = "app-restrictions"
    AUDITED_NAMES = "audited-names"
    AUDIT_FEED = "audit-feed"
    CONFIDENTIALITY = "confidentiality"
    DEFAULT_CHOICES = "default-choices"
    DELIVERY = "delivery"
    DETECTION = "detection"
    ERASURE = "erasure"
    HIDING_ALL = "hiding-all"
    IDENTITY_PROOF = "identity-proof"
    LOGICAL_REFERENCES = "logical-references"
    ONESELF = "oneself"
    OPERATOR = "operator"
    OWN_FILINGS = "own-filings"
    OWN_RECORDS = "own-records"
    PERSONS_NAMED = "persons-named"
    REGISTERED = "registered"
    REINDEXING = "reindexing"
    REPAIR = "repair"
    REPLACEMENTS = "replacements"
    REVIEW = "review"
    TERMS = "terms"


CONTROLLED = frozenset({"access", "refusal"})
"""The kinds of audit events that auditors see (H4, H8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView(Visibility):
    """A filter that the server made for itself."""

    reason: ReadingReason

    def of(self, type_: str) -> "SystemView":  # noqa: ARG002
        """Return the filter of a type: the same for all, as the reason says what is read."""
        return self


def whole_space(reason: ReadingReason, patient: PatientId) -> SystemView:
    """Return the view of everything in a space."""
    return SystemView(patient, (Clause(knows_marks=True),), reason=reason)


def controlled(reason: ReadingReason) -> SystemView:
    """Return the view of the audit events, of all spaces and of no space, that auditors see: no choice of a patient."""
    return SystemView(NO_SPACE, (Clause(kinds=CONTROLLED),), everywhere=True, reason=reason)


def recorded_by(reason: ReadingReason, patient: PatientId, owners: frozenset[str]) -> SystemView:
    """Return the view of everything that these parties have recorded in a space."""
    return SystemView(patient, (Clause(owned_by=owners),), reason=reason)


def of_kinds(reason: ReadingReason, patient: PatientId, kinds: frozenset[str]) -> SystemView:
    """Return the view of resources of some kinds in a space."""
    return SystemView(patient, (Clause(kinds=kinds, knows_marks=True),), reason=reason)


def seen_by_everybody(reason: ReadingReason, patient: PatientId, at: datetime) -> SystemView:
    """Return the view of what is hidden from nobody: not from the patient, a guardian or any professional.

    Of audit events it shows those that are about no document, or about one that the view shows.
    """
    shown = Clause(closed_by=_ALL_MARKS, unsealed_at=at)
    return SystemView(patient, (shown._replace(of_seen=True),), (shown,), reason=reason)


def left_open(
    reason: ReadingReason, patient: PatientId, marks: Mark = Mark.NONE, *, unsealed_at: datetime | None = None
) -> SystemView:
    """Return the view of what has none of these marks.

    unsealed_at: the view also leaves out what is sealed from the patient at this instant.
    """
    return SystemView(patient, (Clause(closed_by=marks, unsealed_at=unsealed_at),), reason=reason)
