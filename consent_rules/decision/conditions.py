"""The conditions of access: which ground the requester has, and which directives hold now and for this purpose.

A ground is a function that returns None when it does not hold. A directive is a Consent as the rules read it.
Source: rules B1 to B13 (representatives, carers), C1 to C15 (consent, care team), D4 and E4 (declared physician), E1
and F2 to F6 (what the patient withholds and blocks).
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from consent_rules.decision import evidence
from consent_rules.decision.decision_context import DecisionContext
from consent_rules.lifecycle import is_minor, is_minor_with_account
from consent_rules.model import Directive, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, Purpose

RELATIVE = "RelatedPerson/"
_LIMITING = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.BLOCK, DirectiveKind.WITHHELD})
_CONSENT = {Capacity.OCCUPATIONAL_PHYSICIAN: "I4", Capacity.COORDINATING_PHYSICIAN: "C14", Capacity.NONE: "C4"}


def patient(context: DecisionContext) -> RuleApplied | None:
    """Permit the patient in their own space."""
    return RuleApplied("B1", "permit") if context.requester.person == f"Patient/{context.record.patient}" else None


def representative(context: DecisionContext) -> RuleApplied | None:
    """Permit a legal representative of a minor, or the guardian of a protected adult."""
    found = _naming(context, DirectiveKind.GUARDIAN)
    if is_minor(context.record, context.at, context.profile):
        found += _naming(context, DirectiveKind.REPRESENTATIVE)
    return _permit("B2", found)


def limits(context: DecisionContext) -> list[Directive]:
    """Return the directives by which a minor hides documents from this representative, if the profile allows (B2, B11).

    Only directives that name the representative count. An adult cannot limit a guardian.
    """
    may = context.profile.minor_limits_representatives and is_minor_with_account(
        context.record, context.at, context.profile
    )
    return [directive for directive in withheld(context) if context.requester.person in directive.actors] if may else []


def shares(context: DecisionContext) -> list[Directive]:
    """Return the directives that leave documents to this representative of a minor; they alone give no access (B2)."""
    person, given_by_minor = frozenset({context.requester.person}), context.in_force(DirectiveKind.AGREEMENT)
    closer = [d for d in given_by_minor if d.by_patient and d.names(person)]
    return [d for d in closer if _speaks_for(d, context.request.purpose)]


def is_about_relative(directive: Directive) -> bool:
    """Tell whether a directive names a related person: what a minor leaves to, or hides from, a representative."""
    named = directive.actors | directive.excluded
    return directive.kind in _LIMITING and any(actor.startswith(RELATIVE) for actor in named)


def carer(context: DecisionContext) -> RuleApplied | None:
    """Permit a carer whom the patient named, for the stated time."""
    return _permit("B13", carer_directives(context))


def carer_directives(context: DecisionContext) -> list[Directive]:
    """Return the directives that name the requester as a carer; a directive without an end does not count."""
    return [directive for directive in _naming(context, DirectiveKind.CARER) if directive.end is not None]


def declared_physician(context: DecisionContext) -> RuleApplied | None:
    """Permit the declared *médecin traitant*, who must be a physician whomever the declaration names."""
    if context.requester.profession not in context.profile.declared_physician_professions:
        return None
    return _care(context, "D4", _appointments(context, DirectiveKind.DECLARED_PHYSICIAN))


def administrator(context: DecisionContext) -> RuleApplied | None:
    """Permit a professional to whom the patient gave the declared physician's rights."""
    return _care(context, "E4", _appointments(context, DirectiveKind.ADMINISTRATOR))


def care_team(context: DecisionContext) -> RuleApplied | None:
    """Permit a member of a team to which the patient has agreed once (C2, C3, L2)."""
    return _care(context, "C2", [d for d in agreements(context) if evidence.reaches_by_team(context, d)])


def consent(context: DecisionContext) -> RuleApplied | None:
    """Permit a professional outside the team, by a consent for this consultation (C4, L4)."""
    statement = _CONSENT[context.requester.capacity]
    return _care(context, statement, [d for d in agreements(context) if not evidence.reaches_by_team(context, d)])


def treatment(context: DecisionContext) -> RuleApplied | None:
    """Permit on the first ground of ordinary treatment that the requester, or software's establishment, has."""
    found = (ground(context) for ground in (declared_physician, administrator, care_team, consent))
    return next((permit for permit in found if permit), None)


def agreements(context: DecisionContext) -> list[Directive]:
    """Return the consents that give the requester access to this space now."""
    found = context.memo.get("agreements")
    if found is None:
        named = given(context, context.in_force(DirectiveKind.AGREEMENT))
        found = [d for d in named if is_current(context, d) and evidence.reaches(context, d)]
        if context.has(DirectiveKind.ASK_FIRST):
            found = [d for d in found if _is_own_act(d)]
        if context.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:  # I4: the consent names this physician
            found = [d for d in found if not evidence.is_for_team(d)]
        context.memo["agreements"] = found
    return found


def given(context: DecisionContext, directives: Iterable[Directive]) -> list[Directive]:
    """Return the consents that name the requester, in force or not, but none given before a block that ended (F5)."""
    named = [
        d
        for d in directives
        if d.kind is DirectiveKind.AGREEMENT and d.names(context.identities) and _speaks_for(d, context.request.purpose)
    ]
    return _given_since(context, named)


def files_without_consent(context: DecisionContext) -> bool:
    """Tell whether the requester files without consent: a health professional (C9), no occupational physician (I4)."""
    requester = context.requester
    outside = requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN
    return context.matrix.is_health_profession(requester.profession) and not outside


def is_current(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether a consent is in force: within its own period, and no longer than its evidence and the profile allow.

    What a professional recorded never begins later than its recording, whatever it states (V3).
    """
    given_at = directive.recorded_at or directive.start
    if given_at is None or directive.proof not in context.profile.proofs or not directive.holds_at(context.at):
        return False
    if evidence.reaches_by_team(context, directive):
        return directive.by_patient or context.at < evidence.end_for_team(directive, given_at, context.profile)
    return context.at < _limit_of(context, directive, given_at)


def awaits_approval(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether a consent still waits for the patient's approval; silence for too long is a refusal."""
    until = waits_until(directive, context.profile)
    return context.has(DirectiveKind.ASK_FIRST) and until is not None and context.at < until


def waits_until(directive: Directive, profile: RuleProfile) -> datetime | None:
    """Return until when a consent may wait for the approval of a patient who wants to be asked first.

    None for a consent that needs no approval: the patient gave it themselves.
    """
    given_at = directive.recorded_at or directive.start
    return None if _is_own_act(directive) or given_at is None else profile.approval_waits.after(given_at)


def blocks(context: DecisionContext, purpose: Purpose) -> list[Directive]:
    """Return the blocks that apply to the requester, or to their establishment, for a purpose (F2, F3, F6, G4)."""
    identities, held = context.identities, context.in_force(DirectiveKind.BLOCK)
    named = [d for d in held if not d.actors or not d.actors.isdisjoint(identities)]  # most are about others
    return [d for d in named if _reaches(d, identities) and _speaks_for(d, purpose)]


def withheld(context: DecisionContext) -> list[Directive]:
    """Return the directives that withhold documents, not the whole space, from the requester for this purpose (E1).

    An excepted person sees what they would see without the directive; the exception itself grants nothing.
    """
    held = context.held.get(DirectiveKind.WITHHELD)
    if not held:
        return []
    profession, purpose = context.requester.profession, context.request.purpose
    return [
        d
        for d in held
        if _reaches(d, context.identities) and profession not in d.professions and _speaks_for(d, purpose)
    ]


def is_switch(directive: Directive) -> bool:
    """Tell whether a block names nobody and switches an emergency mode off for everybody (G4)."""
    return not directive.actors and bool(directive.purposes) and Purpose.TREATMENT not in directive.purposes


def _limit_of(context: DecisionContext, directive: Directive, given_at: datetime) -> datetime:
    """Return the latest instant until which a consent given to one professional may hold."""
    stated = directive.end is not None and directive.by_patient
    limit = context.profile.longest_named_consent if stated else context.profile.named_consent
    begun = max(given_at, directive.start or given_at) if directive.by_patient else given_at
    return min(limit.after(begun), context.profile.proofs[directive.proof].after(begun))


def _naming(context: DecisionContext, kind: DirectiveKind) -> list[Directive]:
    held = context.held.get(kind)
    if not held:
        return []
    person = frozenset({context.requester.person, context.requester.role} - {""})
    return [d for d in held if d.names(person)]


def _appointments(context: DecisionContext, kind: DirectiveKind) -> list[Directive]:
    """Return the directives that give this person special rights; none while the person acts for an employer (I4)."""
    named = _naming(context, kind)
    if not named or context.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:
        return []
    return _given_since(context, named)


def _given_since(context: DecisionContext, named: list[Directive]) -> list[Directive]:
    """Return the directives given since the last block that ended; the end of a block restores nothing (F5)."""
    ended = [d for d in context.lifted if _reaches(d, context.identities) and not is_switch(d)]
    return [d for d in named if not any(_is_before(d, block) for block in ended)]


def _speaks_for(directive: Directive, purpose: Purpose) -> bool:
    return not directive.purposes or purpose in directive.purposes


def _reaches(directive: Directive, identities: frozenset[str]) -> bool:
    return (not directive.actors or not directive.actors.isdisjoint(identities)) and directive.excluded.isdisjoint(
        identities
    )


def _is_before(agreement: Directive, block: Directive) -> bool:
    """Tell whether a directive was given before a block that has since ended; unknown times count as before."""
    given, blocked = agreement.recorded_at or agreement.start, block.recorded_at or block.start
    return given is None or blocked is None or given <= blocked


def _permit(statement: str, used: Iterable[Directive]) -> RuleApplied | None:
    consents = tuple(directive.id for directive in used)
    return RuleApplied(statement, "permit", consents) if consents else None


def _care(context: DecisionContext, statement: str, used: list[Directive]) -> RuleApplied | None:
    """Permit on a ground of care, with the best grade of all evidence that the requester has (V1)."""
    if not used:
        return None
    grade = evidence.grade_of(context, chain(used, agreements(context)))
    return RuleApplied(statement, "permit", tuple(directive.id for directive in used), grade)


def _is_own_act(directive: Directive) -> bool:
    """Tell whether the patient gave a consent themselves: in the space, or by a code or card that they showed."""
    return directive.by_patient or directive.grade is Grade.PATIENT
