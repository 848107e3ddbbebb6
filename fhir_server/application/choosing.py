"""What a choice says, and whose it is to make: the holder's own, one that was written down, or the insurer's record.

Source: rules B13, C5 to C7, E4, F1 and G5; consent_rules.recording decides.
"""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from consent_rules import recording
from consent_rules.case import case_of
from consent_rules.model import AccessRequest, Directive
from consent_rules.vocabulary import Action, DirectiveKind, Purpose, Reason, RequesterKind, View
from fhir_server.application import caring, choice_limits, choosing_documents, consent_references, defaults
from fhir_server.application.enforcement import Opened
from fhir_server.application.keeping import keeps
from fhir_server.application.writing import Work
from fhir_server.domain.consents import directives_of, speaks
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored
from fhir_server.r4.parsing import load_json

Json = dict[str, Any]
Said = tuple[Directive, ...]
"""What one Consent says: its root first, then its exceptions."""

_HOLDERS = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
OF_THE_INSURER = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.DECLARED_PHYSICIAN})
_TOO_FAR = {
    Reason.TOO_MANY_CARERS: "there are as many carers as may be",
    Reason.EMERGENCY_OFF: "hidden documents are opened in emergencies only while one of the modes is on",
    Reason.REPRESENTATIVE_NOT_LIMITED: "nothing is kept from this person: only a minor with an account does that, of a "
    "legal representative, where the rule profile lets it",
    Reason.PERIOD_TOO_LONG: "a consent to one professional does not hold so long",
    Reason.POST_DATED: "an agreement that a professional writes down begins now or has begun",
}
"""Refusals that depend on what the Consent says and on what its author may know."""


@dataclass(frozen=True, slots=True)
class Choosing:
    """A Consent on its way in. id: chosen beforehand by a transaction, "" to choose one now. root: of expressions."""

    resource: Json
    id: str = ""
    root: str = "Consent"


def said_by(work: Work, opened: Opened, choice: Choosing, located: Json) -> Said:
    """Return what a Consent says; who gave it comes from the token and not from the body.

    Raises: Problem(FORBIDDEN) when it is not the caller's to record, BUSINESS_RULE when it goes too far.
    """
    compiled = directives_of(located, str(located["id"]))
    if not compiled and work.caller.requester.kind not in _HOLDERS:  # what holds anyway is still the holder's to say
        raise _not_yours(choice)
    if not speaks(located):
        return compiled
    consent_references.demand_known(work, opened, located, choice.root)
    recorded = tuple(_recorded(work, opened, choice, directive) for directive in compiled)
    choice_limits.demand_few(work, opened, recorded, choice.root)
    for directive in recorded:
        caring.demand_few_followed(work, directive, opened.space.patient, choice.root)
    defaults.demand_room(work, opened, located, choice.root)
    return choosing_documents.resolved(work, opened, recorded, choice.root)


def _recorded(work: Work, opened: Opened, choice: Choosing, compiled: Directive) -> Directive:
    requester = work.caller.requester
    if requester.kind is RequesterKind.SYSTEM:
        if compiled.kind in OF_THE_INSURER and keeps(work, opened.space.patient):
            return replace(compiled, recorded_at=work.at)
        raise _not_yours(choice)
    request = AccessRequest(requester, Action.DIRECT, Purpose(work.caller.purpose), work.at)
    case = case_of(request, work.record(opened).without(compiled.id), work.runtime.matrix, work.runtime.profile)
    recorded = recording.record(case, compiled)
    if isinstance(recorded, Directive):
        return recorded
    text = _TOO_FAR.get(Reason(recorded.reason))
    if text:
        element = ".period.start" if recorded.reason == Reason.POST_DATED else ""
        raise Problem.of(Category.BUSINESS_RULE, text, f"{choice.root}.provision{element}", str(recorded.reason))
    raise _not_yours(choice)


def _not_yours(choice: Choosing) -> Problem:
    text = "this choice is not the caller's to record"
    return Problem.of(Category.FORBIDDEN, text, f"{choice.root}.provision", "not-own-choice")


def demand_seen_whole(work: Work, opened: Opened, before: Stored, located: Json, choice: Choosing) -> None:
    """Let a choice about documents that the caller does not see be withdrawn only.

    They are left out of what the caller was shown: written back without them, the choice would reach the whole space.
    Raises: Problem(BUSINESS_RULE).
    """
    named = documents_named(orjson.dumps(load_json(before.body).get("provision")))
    if not named or not speaks(located):
        return
    if named - work.snapshot.visible_ids("DocumentReference", named, opened.sees(View.DOCUMENTS)):
        text = "this choice names documents that are not shown here; withdraw it and record another"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{choice.root}.provision", "unknown-document")


def demand_recorder(work: Work, held: Directive | None, before: Stored) -> None:
    """Let the holder change every choice, anybody else only what that one wrote down."""
    requester = work.caller.requester
    if requester.kind in _HOLDERS:
        return
    own = requester.client if requester.kind is RequesterKind.SYSTEM else requester.person
    recorder = held.recorder if held else ""
    is_insurers = requester.kind is RequesterKind.SYSTEM and before.facts.access.kind in OF_THE_INSURER
    if not (is_insurers or (own and own == recorder)):
        raise Problem.of(Category.FORBIDDEN, "this choice is not the caller's to change", "Consent", "not-own-choice")
