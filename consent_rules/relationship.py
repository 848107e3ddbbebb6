"""Who the requester is to this patient: each function is one ground, or None when it does not carry.

Source: rules B1 to B13 (representatives, carers), C1 to C15 (consent, care team), D4 and E4 (declared physician).
"""

from collections.abc import Iterable
from datetime import datetime

from consent_rules.case import Case
from consent_rules.lifecycle import is_minor, is_minor_with_account
from consent_rules.model import Directive, RuleApplied
from consent_rules.vocabulary import Capacity, DirectiveKind, Purpose

_TEAMS = ("Organization/", "CareTeam/")
RELATIVE = "RelatedPerson/"
_LIMITING = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.BLOCK, DirectiveKind.WITHHELD})
_CONSENT = {Capacity.OCCUPATIONAL_PHYSICIAN: "I4", Capacity.COORDINATING_PHYSICIAN: "C14", Capacity.NONE: "C4"}


def patient(case: Case) -> RuleApplied | None:
    """The holder, in the own space."""
    return RuleApplied("B1", "permit") if case.requester.person == f"Patient/{case.record.patient}" else None


def representative(case: Case) -> RuleApplied | None:
    """A legal representative of a minor, or the guardian of a protected adult."""
    found = _naming(case, DirectiveKind.GUARDIAN)
    if is_minor(case.record, case.at, case.profile):
        found += _naming(case, DirectiveKind.REPRESENTATIVE)
    return _permit("B2", found)


def limits(case: Case) -> list[Directive]:
    """Return what a minor with an account keeps from this legal representative, where the profile lets it (B2, B11).

    Only what names the representative counts; nobody over age is represented by whom the patient may limit.
    """
    may = case.profile.minor_limits_representatives and is_minor_with_account(case.record, case.at, case.profile)
    return [directive for directive in withheld(case) if case.requester.person in directive.actors] if may else []


def shares(case: Case) -> list[Directive]:
    """Return the documents that the minor leaves to this legal representative; such a choice lets nobody in (B2)."""
    person, given_by_minor = frozenset({case.requester.person}), case.in_force(DirectiveKind.AGREEMENT)
    closer = [d for d in given_by_minor if d.by_patient and d.names(person)]
    return [d for d in closer if _speaks_for(d, case.request.purpose)]


def is_about_relative(directive: Directive) -> bool:
    """Tell whether an agreement or a refusal is about a related person: what a minor leaves to a representative."""
    named = directive.actors | directive.excluded
    return directive.kind in _LIMITING and any(actor.startswith(RELATIVE) for actor in named)


def carer(case: Case) -> RuleApplied | None:
    """A carer whom the holder named, for the time that was said."""
    return _permit("B13", carer_directives(case))


def carer_directives(case: Case) -> list[Directive]:
    """Return the choices that name the requester as a carer; one without an end does not count."""
    return [directive for directive in _naming(case, DirectiveKind.CARER) if directive.end is not None]


def declared_physician(case: Case) -> RuleApplied | None:
    """The declared *médecin traitant*: a physician, whomever the declaration names."""
    if case.requester.profession not in case.profile.declared_physician_professions:
        return None
    return _permit("D4", _appointments(case, DirectiveKind.DECLARED_PHYSICIAN))


def administrator(case: Case) -> RuleApplied | None:
    """A professional to whom the holder gave the declared physician's rights."""
    return _permit("E4", _appointments(case, DirectiveKind.ADMINISTRATOR))


def care_team(case: Case) -> RuleApplied | None:
    """A member of a team to which the holder has once agreed (C2, C3, L2)."""
    return _permit("C2", [directive for directive in agreements(case) if is_for_team(directive)])


def consent(case: Case) -> RuleApplied | None:
    """A professional outside the team, by a consent for this consultation (C4, L4)."""
    statement = _CONSENT[case.requester.capacity]
    return _permit(statement, [directive for directive in agreements(case) if not is_for_team(directive)])


def agreements(case: Case) -> list[Directive]:
    """Return the agreements that open this space to the requester now."""
    found = case.memo.get("agreements")
    if found is None:
        found = [d for d in given(case, case.in_force(DirectiveKind.AGREEMENT)) if is_current(case, d)]
        if case.has(DirectiveKind.ASK_FIRST):
            found = [d for d in found if d.by_patient]
        if case.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:  # I4: the consent names this physician
            found = [d for d in found if not is_for_team(d)]
        case.memo["agreements"] = found
    return found


def given(case: Case, directives: Iterable[Directive]) -> list[Directive]:
    """Return the agreements that name the requester, holding or not; those given before a block do not revive (F5)."""
    named = [
        d
        for d in directives
        if d.kind is DirectiveKind.AGREEMENT and d.names(case.identities) and _speaks_for(d, case.request.purpose)
    ]
    return _given_since(case, named)


def files_without_consent(case: Case) -> bool:
    """Tell whether filing needs no authorisation (C9): of health professionals, the occupational physician not (I4)."""
    requester = case.requester
    outside = requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN
    return case.matrix.is_health_profession(requester.profession) and not outside


def is_current(case: Case, directive: Directive) -> bool:
    """Tell whether an agreement holds now: its own period, and no longer than its proof and the profile allow."""
    given_at = directive.recorded_at or directive.start
    if given_at is None or directive.proof not in case.profile.proofs or not directive.holds_at(case.at):
        return False
    return is_for_team(directive) or case.at < _limit_of(case, directive, given_at)


def awaits_approval(case: Case, directive: Directive) -> bool:
    """Tell whether the patient is still asked about an agreement; silence for too long is a refusal."""
    given_at = directive.recorded_at or directive.start
    asked = case.has(DirectiveKind.ASK_FIRST) and not directive.by_patient
    return asked and given_at is not None and case.at < case.profile.approval_waits.after(given_at)


def is_for_team(directive: Directive) -> bool:
    """Tell whether an agreement is given to an establishment or a care team."""
    return any(actor.startswith(_TEAMS) for actor in directive.actors)


def blocks(case: Case, purpose: Purpose) -> list[Directive]:
    """Return the blocks of persons and establishments that reach the requester for a purpose (F2, F3, F6, G4)."""
    identities, held = case.identities, case.in_force(DirectiveKind.BLOCK)
    named = [d for d in held if not d.actors or not d.actors.isdisjoint(identities)]  # most are about others
    return [d for d in named if _reaches(d, identities) and _speaks_for(d, purpose)]


def withheld(case: Case) -> list[Directive]:
    """Return what the patient withholds from the requester for this purpose: some documents, not the whole space (E1).

    Who is excepted is left what there would be without the withholding; an exception grants nothing.
    """
    held = case.held.get(DirectiveKind.WITHHELD)
    if not held:
        return []
    profession, purpose = case.requester.profession, case.request.purpose
    return [
        d for d in held if _reaches(d, case.identities) and profession not in d.professions and _speaks_for(d, purpose)
    ]


def is_switch(directive: Directive) -> bool:
    """Tell whether a block is no block of somebody but the switching off of an emergency mode for all (G4)."""
    return not directive.actors and bool(directive.purposes) and Purpose.TREATMENT not in directive.purposes


def _limit_of(case: Case, directive: Directive, given_at: datetime) -> datetime:
    """Return the instant until which an agreement with one professional may hold at most."""
    stated = directive.end is not None and directive.by_patient
    limit = case.profile.longest_named_consent if stated else case.profile.named_consent
    begun = max(given_at, directive.start or given_at)
    return min(limit.after(begun), case.profile.proofs[directive.proof].after(begun))


def _naming(case: Case, kind: DirectiveKind) -> list[Directive]:
    held = case.held.get(kind)
    if not held:
        return []
    person = frozenset({case.requester.person, case.requester.role} - {""})
    return [d for d in held if d.names(person)]


def _appointments(case: Case, kind: DirectiveKind) -> list[Directive]:
    """Return what gives this person special rights; none while acting for an employer (I4)."""
    named = _naming(case, kind)
    if not named or case.requester.capacity is Capacity.OCCUPATIONAL_PHYSICIAN:
        return []
    return _given_since(case, named)


def _given_since(case: Case, named: list[Directive]) -> list[Directive]:
    """Return what was given since the last block that ended; the end of a block restores nothing (F5)."""
    ended = [d for d in case.lifted if _reaches(d, case.identities) and not is_switch(d)]
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
