"""The states of a space: announced, opposed, active, suspended, closed, erased; deadlines change them without any job.

Source: L.1111-13-1, R.1111-28 and R.1111-36 of the French public health code (rules A1 to A11).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType

from consent_rules.model import Deny, RecordState, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Reason, SpaceStatus

TRANSITIONS: Mapping[tuple[SpaceStatus, SpaceStatus], str] = MappingProxyType(
    {
        (SpaceStatus.ANNOUNCED, SpaceStatus.OPPOSED): "A1",
        (SpaceStatus.ANNOUNCED, SpaceStatus.ACTIVE): "A3",
        (SpaceStatus.OPPOSED, SpaceStatus.ACTIVE): "A10",
        (SpaceStatus.ACTIVE, SpaceStatus.SUSPENDED): "A11",
        (SpaceStatus.ACTIVE, SpaceStatus.CLOSED): "A7",
        (SpaceStatus.SUSPENDED, SpaceStatus.ACTIVE): "A11",
        (SpaceStatus.SUSPENDED, SpaceStatus.CLOSED): "A7",
        (SpaceStatus.CLOSED, SpaceStatus.ACTIVE): "A10",
        (SpaceStatus.CLOSED, SpaceStatus.ERASED): "A8",
    }
)
"""Every legal change of state, with the number of the statement that allows it; every other change is illegal."""


def status_at(record: RecordState, at: datetime, profile: RuleProfile) -> SpaceStatus:
    """Return the state in force: the state that was set last, or the state that passed deadlines have led to."""
    if record.since is None:
        return record.status
    match record.status:
        case SpaceStatus.ANNOUNCED if at >= profile.notice.after(record.since):
            return SpaceStatus.ACTIVE
        case SpaceStatus.SUSPENDED if at >= (closing := profile.suspension.after(record.since)):
            return SpaceStatus.ERASED if at >= profile.archive.after(closing) else SpaceStatus.CLOSED
        case SpaceStatus.CLOSED if at >= erased_at(record, record.since, profile):
            return SpaceStatus.ERASED
    return record.status


def erased_at(record: RecordState, closed_at: datetime, profile: RuleProfile) -> datetime:
    """Return when a closed space must be erased: at the end of its archive, or sooner after an express request."""
    archived = profile.archive.after(closed_at)
    if record.erasure_asked_at is None:
        return archived
    return min(archived, profile.erasure.after(record.erasure_asked_at))


def may_move(record: RecordState, wanted: SpaceStatus, at: datetime, profile: RuleProfile) -> RuleApplied | Deny:
    """Tell whether a space may change to a state now; deny an illegal change, and a change before its time."""
    present = status_at(record, at, profile)
    statement = TRANSITIONS.get((present, wanted))
    if statement is None:
        return Deny(Reason.ILLEGAL_TRANSITION, (RuleApplied("A", f"a space cannot change from {present} to {wanted}"),))
    if record.deceased and wanted is SpaceStatus.ACTIVE:
        return Deny(Reason.ILLEGAL_TRANSITION, (RuleApplied("A14", "the patient has died"),))
    if present is SpaceStatus.ANNOUNCED and wanted is SpaceStatus.ACTIVE:
        return Deny(Reason.TOO_EARLY, (RuleApplied("A3", "the notice period has not ended"),))
    asked = record.erasure_asked_at is not None
    if wanted is SpaceStatus.ERASED and not asked:
        return Deny(
            Reason.TOO_EARLY, (RuleApplied("A8", "the archive period has not ended, and nobody asked for erasure"),)
        )
    return RuleApplied("A9" if wanted is SpaceStatus.ERASED else statement, "permit")


def after_death(record: RecordState, at: datetime, profile: RuleProfile) -> RecordState:
    """Return the state after the patient's death is recorded: an open space closes, and no space opens (A14)."""
    present = status_at(record, at, profile)
    ending = {
        SpaceStatus.ACTIVE: SpaceStatus.CLOSED,
        SpaceStatus.SUSPENDED: SpaceStatus.CLOSED,
        SpaceStatus.ANNOUNCED: SpaceStatus.OPPOSED,
    }
    if present not in ending:
        return replace(record, deceased=True)
    return replace(record, deceased=True, status=ending[present], since=at)


def age_at(birth_date: date | None, day: date) -> int | None:
    """Return the age in whole years, None when the birth date is unknown."""
    if birth_date is None:
        return None
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def is_minor_with_account(record: RecordState, at: datetime, profile: RuleProfile) -> bool:
    """Tell whether the patient is known to be under age, and old enough for their own account (B11)."""
    age = age_at(record.birth_date, at.date())
    return age is not None and profile.own_account_age <= age < profile.majority_age


def is_minor(record: RecordState, at: datetime, profile: RuleProfile) -> bool:
    """Tell whether the patient is known to be under age."""
    age = age_at(record.birth_date, at.date())
    return age is not None and age < profile.majority_age
