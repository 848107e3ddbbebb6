"""What must hold before the decision looks at any ground: each function returns a denial, or None.

The preconditions about the caller come first, so that their answer never depends on the patient.
Source: rules A13 (open space), C16, I2, I4, I8 (who may ask at all), F3 (blocks), K2 (lockdown).
"""

from consent_rules.decision import conditions, emergency
from consent_rules.decision.decision_context import DecisionContext
from consent_rules.lifecycle import age_at, status_at
from consent_rules.model import AccessRequest, Deny, RuleApplied
from consent_rules.vocabulary import Capacity, Purpose, Reason, RequesterKind, SpaceStatus

_CARE = frozenset({Purpose.TREATMENT, Purpose.EMERGENCY, Purpose.BREAK_GLASS})
_CLOSED_BY = {
    SpaceStatus.ANNOUNCED: Reason.ANNOUNCED,
    SpaceStatus.OPPOSED: Reason.OPPOSED,
    SpaceStatus.SUSPENDED: Reason.SUSPENDED,
    SpaceStatus.CLOSED: Reason.CLOSED,
    SpaceStatus.ERASED: Reason.ERASED,
}
_STATEMENTS = {
    SpaceStatus.ANNOUNCED: "A3",
    SpaceStatus.OPPOSED: "A1",
    SpaceStatus.SUSPENDED: "A11",
    SpaceStatus.CLOSED: "A13",
    SpaceStatus.ERASED: "A8",
}


def denial(reason: Reason, statement: str, *consents: str) -> Deny:
    """Build a denial by one rule."""
    return Deny(reason, (RuleApplied(statement, "refuse", consents),))


def barred(request: AccessRequest) -> Deny | None:
    """Deny what is denied in every space; the state of the space is not needed."""
    return no_forbidden_party(request) or nothing_but_emergencies(request)


def no_forbidden_party(request: AccessRequest) -> Deny | None:
    """Insurers, employers, banks and the like never get a permit, whatever anybody consents to (I1, I2)."""
    return denial(Reason.FORBIDDEN_PARTY, "I2") if request.requester.kind is RequesterKind.FORBIDDEN else None


def nothing_but_emergencies(request: AccessRequest) -> Deny | None:
    """During a lockdown, only a professional in an emergency mode passes (K2).

    The purpose alone is not enough, because software may state any purpose.
    """
    if not request.in_lockdown:
        return None
    is_emergency = request.requester.kind is RequesterKind.PROFESSIONAL and request.purpose in emergency.MODES
    return None if is_emergency else denial(Reason.EMERGENCIES_ONLY, "K2")


def identified_professional(context: DecisionContext) -> Deny | None:
    """A professional is a named person (I8)."""
    named = context.requester.person.startswith("Practitioner/")
    return None if named else denial(Reason.UNIDENTIFIED, "I8")


def identified_software(context: DecisionContext) -> Deny | None:
    """Software is a registered client."""
    return None if context.requester.client else denial(Reason.UNIDENTIFIED, "I8")


def entitled_profession(context: DecisionContext) -> Deny | None:
    """Only professions of the matrix pass, for care (C13, C16, I6); the profile may admit other roles and posts (I4).

    An occupational physician is a health professional, and may break the glass like any other (G1).
    """
    requester = context.requester
    if context.request.purpose not in _CARE:
        return denial(Reason.NOT_ENTITLED, "I6")
    outside = requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN and not context.profile.occupational_physicians
    if outside and context.request.purpose is not Purpose.BREAK_GLASS:
        return denial(Reason.NOT_ENTITLED, "I4")
    if context.matrix.is_health_profession(requester.profession):
        return None
    known = context.matrix.is_care_role(requester.profession)
    return None if known and context.profile.non_health_roles else denial(Reason.NOT_ENTITLED, "C16")


def entitled_to_mode(context: DecisionContext) -> Deny | None:
    """Only the professions that the law names may use an emergency mode (G1, G2)."""
    mode = context.request.purpose
    if mode not in emergency.MODES or emergency.is_entitled(context, mode):
        return None
    return denial(Reason.NOT_ENTITLED, emergency.STATEMENTS[mode])


def emergency_purpose(context: DecisionContext) -> Deny | None:
    """An emergency opening has the purpose of one of the two modes."""
    return None if context.request.purpose in emergency.MODES else denial(Reason.NOT_ENTITLED, "G1")


def identified_person(context: DecisionContext) -> Deny | None:
    """Auditors and support staff are named persons (H8)."""
    return None if context.requester.person else denial(Reason.UNIDENTIFIED, "H8")


def own_space(context: DecisionContext) -> Deny | None:
    """A patient enters only their own space; this check comes before any that looks at the space."""
    return None if conditions.patient(context) else denial(Reason.NOT_ENTITLED, "B1")


def old_enough(context: DecisionContext) -> Deny | None:
    """A child has no account of their own before the age that the profile sets (B11)."""
    age = age_at(context.record.birth_date, context.at.date())
    return None if age is None or age >= context.profile.own_account_age else denial(Reason.TOO_YOUNG, "B11")


def open_space(context: DecisionContext) -> Deny | None:
    """Nothing is read or filed unless the space is open (A13)."""
    status = status_at(context.record, context.at, context.profile)
    return None if status is SpaceStatus.ACTIVE else denial(_CLOSED_BY[status], _STATEMENTS[status])


def not_erased(context: DecisionContext) -> Deny | None:
    """The patient may record directives in every state of the space but erased (A10)."""
    status = status_at(context.record, context.at, context.profile)
    return denial(Reason.ERASED, "A8") if status is SpaceStatus.ERASED else None


def not_blocked(context: DecisionContext) -> Deny | None:
    """A block beats every ground and emergency (C18, F3, F7, F8); a mode switched off is off for everybody (G4)."""
    found = conditions.blocks(context, context.request.purpose)
    if not found:
        return None
    if all(conditions.is_switch(block) for block in found):
        return denial(Reason.EMERGENCY_OFF, "G4", *(block.id for block in found))
    return denial(Reason.BLOCKED, "F3", *(block.id for block in found))
