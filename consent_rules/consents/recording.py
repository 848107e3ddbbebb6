"""Who may record which directive; a recorded directive says who gave it and when.

Source: rules B2 and B11 (what a minor hides from representatives), B13 (carers), C5 and C6 (consent written down by a
professional), E4, F2, G5, C7.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from consent_rules.decision.conditions import is_about_relative, is_switch, limits
from consent_rules.decision.decision_context import DecisionContext
from consent_rules.decision.evidence import end_for_team, is_for_team
from consent_rules.lifecycle import is_minor_with_account
from consent_rules.model import Deny, Directive, RecordState, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import SETTINGS, DirectiveKind, Grade, Proof, Purpose, Reason, RequesterKind

_BY_HOLDER = SETTINGS | frozenset(
    {
        DirectiveKind.AGREEMENT,
        DirectiveKind.BLOCK,
        DirectiveKind.WITHHELD,
        DirectiveKind.DECLARED_PHYSICIAN,
        DirectiveKind.ADMINISTRATOR,
        DirectiveKind.CARER,
    }
)
_BY_REPRESENTATIVE = _BY_HOLDER | {DirectiveKind.REPRESENTATIVE}
_NOT_WHILE_LIMITED = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.CARER, DirectiveKind.HIDDEN_BY_DEFAULT})
"""What a representative may not record while a minor hides documents from the representative.

Nobody may give others access to documents, or hide documents, that they do not see themselves.
"""
_REPRESENTING = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN})
_ENDING = frozenset({DirectiveKind.EMERGENCY_OPENING, DirectiveKind.CARE})
_REPEATED = frozenset({DirectiveKind.EMERGENCY_OPENING, DirectiveKind.BLOCK_LIFTED})


def record(
    context: DecisionContext, directive: Directive, verified: Grade = Grade.DECLARED, *, writing: bool = False
) -> Directive | Deny:
    """Return the directive as this requester may record it now, with who gave it, when, and its grade, or the denial.

    verified: the grade of what a professional's software showed and the server itself checked, such as a redeemed code;
    the request alone never gives a grade (V1). writing: whether a written consent comes with its writing; without it,
    the professional only says that the patient agreed (V2).

    The requester already has a permit for Action.DIRECT (F1). The time is the server's, or an earlier time that the
    directive states.
    """
    by_patient = context.requester.kind in (RequesterKind.PATIENT, RequesterKind.RELATED)
    stated = directive if by_patient or writing else _without_writing(directive)
    denied = _why_not(context, stated)
    if denied:
        return denied
    given_at = min(stated.recorded_at or context.at, context.at)
    if by_patient:
        own = replace(stated, by_patient=True, recorder="", proof=Proof.PATIENT, grade=Grade.PATIENT)
        return replace(own, recorded_at=given_at)
    start = stated.start and min(stated.start, context.at)
    said = replace(stated, start=start, by_patient=False, recorder=context.requester.person, recorded_at=given_at)
    said = replace(said, grade=verified)
    return _shortened(said, given_at, context.profile) if is_for_team(said) else said


def grade_of_writing(context: DecisionContext, writing: AccessFacts) -> Grade:
    """Return the grade of a consent whose writing is a document of the space (V2).

    A consent certificate that somebody else filed is evidence of a third party; any other document proves no more than
    the declaration of the professional who names it.
    """
    requester = context.requester
    is_own = writing.is_owned_by(context.identities | {requester.client})
    is_certificate = writing.kind in context.profile.consent_certificate_kinds
    return Grade.THIRD_PARTY if is_certificate and writing.owners and not is_own else Grade.DECLARED


def _without_writing(directive: Directive) -> Directive:
    return replace(directive, proof=Proof.ORAL) if directive.proof is Proof.WRITTEN else directive


def _shortened(directive: Directive, given_at: datetime, profile: RuleProfile) -> Directive:
    """Return a team's consent that a professional recorded, with the latest end that the profile lets it have (V4)."""
    latest = end_for_team(directive, given_at, profile)
    return replace(directive, end=latest if directive.end is None else min(directive.end, latest))


def may_follow(followed: int, profile: RuleProfile) -> bool:
    """Tell whether a carer who already follows this number of patients may follow one more (B13)."""
    return followed < profile.patients_per_carer


def tidied(record: RecordState, at: datetime, profile: RuleProfile) -> RecordState:
    """Return the state without what has ended for good: consents, emergency openings and facts of care.

    So the state stays small.
    The latest emergency opening by one person in one mode makes the earlier ones needless. So does the latest lifted
    block of the same persons. Consents that the patient gave to a team, and all other directives, stay.
    """
    latest: dict[object, Directive] = {_repeated(d) or d.id: d for d in record.directives}
    kept = tuple(d for d in record.directives if not (_is_over(d, at, profile) or _is_repeated(d, latest)))
    return record if len(kept) == len(record.directives) else replace(record, directives=kept)


def _is_repeated(directive: Directive, latest: dict[object, Directive]) -> bool:
    common = _repeated(directive)
    if common is None or latest[common] is directive:
        return False
    end = latest[common].end
    return end is None or (directive.end is not None and directive.end <= end)


def _repeated(directive: Directive) -> tuple[object, ...] | None:
    """Return a key; of two directives with the same key, the later makes the earlier needless.

    None for a directive that is never needless: of another kind, or of unknown time. Directives stand in the order in
    which they were given.
    """
    if directive.kind not in _REPEATED or directive.recorded_at is None:
        return None
    return (directive.kind, directive.actors, directive.excluded, directive.purposes)


def _is_over(directive: Directive, at: datetime, profile: RuleProfile) -> bool:
    if directive.kind in _ENDING:
        return directive.end is not None and directive.end <= at
    if directive.kind is not DirectiveKind.AGREEMENT or is_about_relative(directive):
        return False
    if is_for_team(directive):
        return _is_over_for_team(directive, at, profile)
    given_at = max(filter(None, (directive.recorded_at, directive.start)), default=None)
    return given_at is not None and profile.longest_named_consent.after(given_at) <= at


def _is_over_for_team(directive: Directive, at: datetime, profile: RuleProfile) -> bool:
    given_at = directive.recorded_at or directive.start
    if directive.by_patient or directive.grade is not Grade.DECLARED or given_at is None:
        return False
    return end_for_team(directive, given_at, profile) <= at


def _why_not(context: DecisionContext, directive: Directive) -> Deny | None:
    match context.requester.kind:
        case RequesterKind.PATIENT:
            allowed = directive.kind in _BY_HOLDER
        case RequesterKind.RELATED:
            allowed = _may_represent(context, directive)
        case RequesterKind.PROFESSIONAL:
            allowed = _may_write_down(context, directive)
        case _:
            allowed = False
    if not allowed:
        return _denial(Reason.NOT_YOURS_TO_SAY, "C7")
    for goes_too_far, reason, statement in _TOO_FAR:
        if goes_too_far(context, directive):
            return _denial(reason, statement)
    return None


def _may_represent(context: DecisionContext, directive: Directive) -> bool:
    """A representative may record what the patient may, but nothing about what the minor hides from them (B2)."""
    limited = directive.kind in _NOT_WHILE_LIMITED and limits(context)
    return directive.kind in _BY_REPRESENTATIVE and not (is_about_relative(directive) or limited)


def _may_limit(context: DecisionContext, directive: Directive) -> bool:
    """A minor with an account may limit what their representatives see, where the profile allows it (B2, B11)."""
    named = (d for d in context.record.directives if d.kind in _REPRESENTING and (d.end is None or context.at < d.end))
    representing = frozenset[str]().union(*(d.actors for d in named))
    return (
        context.profile.minor_limits_representatives
        and is_minor_with_account(context.record, context.at, context.profile)
        and directive.kind is not DirectiveKind.BLOCK
        and directive.actors <= representing
        and not directive.excluded
    )


def _may_write_down(context: DecisionContext, directive: Directive) -> bool:
    """A professional may write down a consent with any proof of the profile but the patient's own act (C5).

    The consent may name any professional, the requester's own establishment and the requester's care teams.
    """
    own = context.identities
    return (
        directive.kind is DirectiveKind.AGREEMENT
        and directive.proof is not Proof.PATIENT
        and directive.proof in context.profile.proofs
        and all(actor in own or actor.startswith("Practitioner") for actor in directive.actors)
    )


def _carers(context: DecisionContext, directive: Directive) -> int:
    """Count the other carers of the patient, present or named for later."""
    return sum(
        1
        for d in context.record.directives
        if d.kind is DirectiveKind.CARER and d.id != directive.id and (d.end is None or context.at < d.end)
    )


def _may_widen(context: DecisionContext) -> bool:
    """The patient may open hidden documents to emergencies only while one of the two modes is on (G5)."""
    switched_off = {purpose for d in context.in_force(DirectiveKind.BLOCK) if is_switch(d) for purpose in d.purposes}
    return context.profile.hidden_in_emergency_offered and not {Purpose.EMERGENCY, Purpose.BREAK_GLASS} <= switched_off


def _is_post_dated(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether a consent that a professional records starts in the future.

    It may not: a professional records only what the patient has already agreed to (C6, V3).

    The clock of the professional's software may be a little ahead; the consent then starts at the server's time.
    """
    by_professional = context.requester.kind is RequesterKind.PROFESSIONAL
    latest = context.profile.clock_skew.after(context.at)
    return by_professional and directive.start is not None and directive.start > latest


def _is_too_long(context: DecisionContext, directive: Directive) -> bool:
    is_named = directive.kind is DirectiveKind.AGREEMENT and not is_for_team(directive)
    if not is_named or directive.end is None or is_about_relative(directive):
        return False
    by_professional = context.requester.kind is RequesterKind.PROFESSIONAL
    longest = context.profile.named_consent if by_professional else context.profile.longest_named_consent
    return directive.end > longest.after(max(directive.start or context.at, context.at))


_TOO_FAR: tuple[tuple[Callable[[DecisionContext, Directive], bool], Reason, str], ...] = (
    (lambda context, d: is_about_relative(d) and not _may_limit(context, d), Reason.REPRESENTATIVE_NOT_LIMITED, "B2"),
    (
        lambda context, d: d.kind is DirectiveKind.CARER and _carers(context, d) >= context.profile.carers_per_patient,
        Reason.TOO_MANY_CARERS,
        "B13",
    ),
    (
        lambda context, d: d.kind is DirectiveKind.HIDDEN_IN_EMERGENCY and not _may_widen(context),
        Reason.EMERGENCY_OFF,
        "G5",
    ),
    (_is_post_dated, Reason.POST_DATED, "C6"),
    (_is_too_long, Reason.PERIOD_TOO_LONG, "C4"),
)
"""The limits, each as (whether a directive goes beyond it, the reason of the denial, the number of the statement)."""


def _denial(reason: Reason, statement: str) -> Deny:
    return Deny(reason, (RuleApplied(statement, "refuse"),))
