"""Who the requester is to this patient: each function is one ground, or None when it does not carry.

Source: rules B1 to B13 (representatives, carers), C1 to C15 (consent, care team), D4 and E4 (declared physician).
"""

from collections.abc import Iterable
from datetime import datetime

from consent_rules.decision.decision_context import DecisionContext
from consent_rules.lifecycle import is_minor, is_minor_with_account
from consent_rules.model import Directive, RuleApplied
from consent_rules.vocabulary import Capacity, DirectiveKind, Purpose

_TEAMS = ("Organization/", "CareTeam/")
RELATIVE = "RelatedPerson/"
_LIMITING = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.BLOCK, DirectiveKind.WITHHELD})
_CONSENT = {Capacity.OCCUPATIONAL_PHYSICIAN: "I4", Capacity.COORDINATING_PHYSICIAN: "C14", Capacity.NONE: "C4"}


def patient(context: DecisionContext) -> RuleApplied | None:
    """The holder, in the own space."""
    return RuleApplied("B1", "permit") if context.requester.person == f"Patient/{context.record.patient}" else None


def representative(context: DecisionContext) -> RuleApplied | None:
    """A legal representative of a minor, or the guardian of a protected adult."""
    found = _naming(context, DirectiveKind.GUARDIAN)
    if is_minor(context.record, context.at, context.profile):
        found += _naming(context, DirectiveKind.REPRESENTATIVE)
    return _permit("B2", found)


def limits(context: DecisionContext) -> list[Directive]:
    """Return what a minor with an account keeps from this legal representative, where the profile lets it (B2, B11).

    Only what names the representative counts; nobody over age is represented by whom the patient may limit.
    """
    may = context.profile.minor_limits_representatives and is_minor_with_account(
        context.record, context.at, context.profile
    )
    return [directive for directive in withheld(context) if context.requester.person in directive.actors] if may else []


def shares(context: DecisionContext) -> list[Directive]:
    """Return the documents that the minor leaves to this legal representative; such a choice lets nobody in (B2)."""
    person, given_by_minor = frozenset({context.requester.person}), context.in_force(DirectiveKind.AGREEMENT)
    closer = [d for d in given_by_minor if d.by_patient and d.names(person)]
    return [d for d in closer if _speaks_for(d, context.request.purpose)]


def is_about_relative(directive: Directive) -> bool:
    """Tell whether an agreement or a refusal is about a related person: what a minor leaves to a representative."""
    named = directive.actors | directive.excluded
    return directive.kind in _LIMITING and any(actor.startswith(RELATIVE) for actor in named)


def carer(context: DecisionContext) -> RuleApplied | None:
    """A carer whom the holder named, for the time that was said."""
    return _permit("B13", carer_directives(context))


def carer_directives(context: DecisionContext) -> list[Directive]:
    """Return the choices that name the requester as a carer; one without an end does not count."""
    return [directive for directive in _naming(context, DirectiveKind.CARER) if directive.end is not None]


def declared_physician(context: DecisionContext) -> RuleApplied | None:
    """The declared *médecin traitant*: a physician, whomever the declaration names."""
    if context.requester.profession not in context.profile.declared_physician_professions:
        return None
    return _permit("D4", _appointments(context, DirectiveKind.DECLARED_PHYSICIAN))


def administrator(context: DecisionContext) -> RuleApplied | None:
    """A professional to whom the holder gave the declared physician's rights."""
    return _permit("E4", _appointments(context, DirectiveKind.ADMINISTRATOR))


def care_team(context: DecisionContext) -> RuleApplied | None:
    """A member of a team to which the holder has once agreed (C2, C3, L2)."""
    return _permit("C2", [directive for directive in agreements(context) if is_for_team(directive)])


def consent(context: DecisionContext) -> RuleApplied | None:
    """A professional outside the team, by a consent for this consultation (C4, L4)."""
    statement = _CONSENT[context.requester.capacity]
    return _permit(statement, [directive for directive in agreements(context) if not is_for_team(directive)])


def agreements(context: DecisionContext) -> list[Directive]:
    """Return the agreements that open this space to the requester now."""
    found = context.memo.get("agreements")
    if found is None:
        found = [d for d in given(context, context.in_force(DirectiveKind.AGREEMENT)) if is_current(context, d)]
        if context.has(DirectiveKind.ASK_FIRST):
            found = [d for d in found if d.by_patient]
        if context.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:  # I4: the consent names this physician
            found = [d for d in found if not is_for_team(d)]
        context.memo["agreements"] = found
    return found


def given(context: DecisionContext, directives: Iterable[Directive]) -> list[Directive]:
    """Return the agreements that name the requester, holding or not; those given before a block do not revive (F5)."""
    named = [
        d
        for d in directives
        if d.kind is DirectiveKind.AGREEMENT and d.names(context.identities) and _speaks_for(d, context.request.purpose)
    ]
    return _given_since(context, named)


def files_without_consent(context: DecisionContext) -> bool:
    """Tell whether filing needs no authorisation (C9): of health professionals, the occupational physician not (I4)."""
    requester = context.requester
    outside = requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN
    return context.matrix.is_health_profession(requester.profession) and not outside


def is_current(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether an agreement holds now: its own period, and no longer than its proof and the profile allow."""
    given_at = directive.recorded_at or directive.start
    if given_at is None or directive.proof not in context.profile.proofs or not directive.holds_at(context.at):
        return False
    return is_for_team(directive) or context.at < _limit_of(context, directive, given_at)


def awaits_approval(context: DecisionContext, directive: Directive) -> bool:
    """Tell whether the patient is still asked about an agreement; silence for too long is a refusal."""
    given_at = directive.recorded_at or directive.start
    asked = context.has(DirectiveKind.ASK_FIRST) and not directive.by_patient
    return asked and given_at is not None and context.at < context.profile.approval_waits.after(given_at)


def is_for_team(directive: Directive) -> bool:
    """Tell whether an agreement is given to an establishment or a care team."""
    return any(actor.startswith(_TEAMS) for actor in directive.actors)


def blocks(context: DecisionContext, purpose: Purpose) -> list[Directive]:
    """Return the blocks of persons and establishments that reach the requester for a purpose (F2, F3, F6, G4)."""
    identities, held = context.identities, context.in_force(DirectiveKind.BLOCK)
    named = [d for d in held if not d.actors or not d.actors.isdisjoint(identities)]  # most are about others
    return [d for d in named if _reaches(d, identities) and _speaks_for(d, purpose)]


def withheld(context: DecisionContext) -> list[Directive]:
    """Return what the patient withholds from the requester for this purpose: some documents, not the whole space (E1).

    Who is excepted is left what there would be without the withholding; an exception grants nothing.
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
    """Tell whether a block is no block of somebody but the switching off of an emergency mode for all (G4)."""
    return not directive.actors and bool(directive.purposes) and Purpose.TREATMENT not in directive.purposes


def _limit_of(context: DecisionContext, directive: Directive, given_at: datetime) -> datetime:
    """Return the instant until which an agreement with one professional may hold at most."""
    stated = directive.end is not None and directive.by_patient
    limit = context.profile.longest_named_consent if stated else context.profile.named_consent
    begun = max(given_at, directive.start or given_at)
    return min(limit.after(begun), context.profile.proofs[directive.proof].after(begun))


def _naming(context: DecisionContext, kind: DirectiveKind) -> list[Directive]:
    held = context.held.get(kind)
    if not held:
        return []
    person = frozenset({context.requester.person, context.requester.role} - {""})
    return [d for d in held if d.names(person)]


def _appointments(context: DecisionContext, kind: DirectiveKind) -> list[Directive]:
    """Return what gives this person special rights; none while acting for an employer (I4)."""
    named = _naming(context, kind)
    if not named or context.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:
        return []
    return _given_since(context, named)


def _given_since(context: DecisionContext, named: list[Directive]) -> list[Directive]:
    """Return what was given since the last block that ended; the end of a block restores nothing (F5)."""
    ended = [d for d in context.lifted if _reaches(d, context.identities) and not is_switch(d)]
    return [d for d in named if not any(_is_before(d, block) for block in ended)]


def _speaks_for(directive: Directive, purpose: Purpose) -> bool:
    return not directive.purposes or purpose in directive.purposes


def _reaches(directive: Directive, identities: frozenset[str]) -> bool:
    return (not directive.actors or not directive.actors.isdisjoint(identities)) and directive.excluded.isdisjoint(
        identities
    )


def _is_before(agreement: Directive, block: Directive) -> bool:
    """Tell whether something was given before a block that has ended since; unknown times count as before."""
    given, blocked = agreement.recorded_at or agreement.start, block.recorded_at or block.start
    return given is None or blocked is None or given <= blocked


def _permit(statement: str, used: Iterable[Directive]) -> RuleApplied | None:
    consents = tuple(directive.id for directive in used)
    return RuleApplied(statement, "permit", consents) if consents else None
