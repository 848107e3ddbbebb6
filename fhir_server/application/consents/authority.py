"""Who may record which Consent, and how many.

The patient records a Consent, a professional writes a consent down, or the insurer records a fact. One space holds a
limited number of Consents, because every decision loads all of them. The limits of the patient and of each professional
are separate, and emergency openings are not counted. The number of patients whom a carer follows is counted over all
spaces; an identifier tells that two RelatedPersons in two spaces are the same carer.
Source: rules B13, C5 to C7, E4, F1 and G5; consent_rules.consents.recording decides.
"""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from consent_rules.consents import recording
from consent_rules.consents.recording import may_follow, tidied
from consent_rules.decision.decision_context import context_of
from consent_rules.model import OF_THE_REGISTRY, Directive
from consent_rules.vocabulary import Action, DirectiveKind, Grade, PatientId, Reason, RequesterKind
from fhir_server.application.consents import references
from fhir_server.application.consents.choices import Said
from fhir_server.application.core.access import PATIENTS_SIDE
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, is_registry_operator
from fhir_server.application.documents import replacement_chain
from fhir_server.application.spaces import default_consents
from fhir_server.domain.consents.directives import speaks
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.search import tokens
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.r4.parsing import load_json
from fhir_server.settings import limits

_SAME_PERSON = 100
"""How many RelatedPersons of one person are read at most: nobody has so many relatives."""

_UNCOUNTED = frozenset({DirectiveKind.EMERGENCY_OPENING, DirectiveKind.BLOCK_LIFTED})

_TOO_FAR = {
    Reason.TOO_MANY_CARERS: "the patient has named as many carers as the rules allow",
    Reason.EMERGENCY_OFF: "emergencies can open hidden documents only while an emergency mode of this space is on",
    Reason.REPRESENTATIVE_NOT_LIMITED: "documents cannot be hidden from this person: only a minor with an account "
    "may hide documents, only from a legal representative, and only where the rule profile allows it",
    Reason.PERIOD_TOO_LONG: "a consent to one professional cannot last this long; state an earlier end",
    Reason.POST_DATED: "an agreement that a professional records cannot begin in the future",
}
"""The denials whose reason the caller is told: they depend only on the Consent and on what its author may know."""


def demand_few_followed(work: UnitOfWork, directive: Directive, patient: PatientId, root: str) -> None:
    """Refuse a carer who already follows as many other patients as the profile allows.

    patient: id of the patient who names the carer. root: the FHIRPath of the Consent.
    System-level: this reads who is a carer in other spaces, and tells the patient only that the number is reached.
    If two patients name the same carer at the same instant, both Consents pass.
    Raises: Problem(BUSINESS_RULE).
    """
    if directive.kind is not DirectiveKind.CARER:
        return
    for carer in sorted(directive.actors):
        if not may_follow(len(_followed(work, carer, patient)), work.runtime.profile):
            text = "this carer already follows as many patients as the rules allow"
            raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision.actor", Reason.TOO_MANY_CARERS)


def _followed(work: UnitOfWork, carer: str, patient: PatientId) -> set[PatientId]:
    """Return the ids of the other patients who have named the same person as carer, now or for later."""
    return {
        other
        for other, entry in _entries(work, carer, patient)
        if any(
            said.kind is DirectiveKind.CARER and entry in said.actors and (said.end is None or work.at < said.end)
            for said in record_of(other, work.snapshot.load_space(other)).directives
        )
    }


def _entries(work: UnitOfWork, carer: str, patient: PatientId) -> Iterator[tuple[PatientId, str]]:
    """Yield (patient, reference) of each RelatedPerson in another space who is the same person."""
    stored = work.read("RelatedPerson", carer.partition("/")[2], whole_space(ReadingReason.PERSONS_NAMED, patient))
    for identifier in orjson.loads(stored.body).get("identifier", []) if stored else []:
        key = tokens.identifier_key("identifier", identifier.get("system", ""), identifier.get("value", ""))
        for other, id_ in work.snapshot.compartments_with("RelatedPerson", key, _SAME_PERSON):
            if other != patient:
                yield other, f"RelatedPerson/{id_}"


_OF_THE_PATIENT = "the patient's side has recorded as many consents as a space holds; withdraw one that is not needed"
_TOO_MANY = {
    RequesterKind.PATIENT: _OF_THE_PATIENT,
    RequesterKind.RELATED: _OF_THE_PATIENT,
    RequesterKind.PROFESSIONAL: "no more agreements can be recorded in this space; withdraw one that you recorded",
}


def demand_few(work: UnitOfWork, said: tuple[Directive, ...], root: str) -> None:
    """Refuse a Consent that would exceed a limit of the space.

    said: its directives. root: the FHIRPath of the Consent.

    Raises: Problem(BUSINESS_RULE).
    """
    kind, person = work.caller.requester.kind, work.caller.requester.person
    if kind is RequesterKind.SYSTEM or not said:
        return
    present = tidied(work.record(), work.at, work.runtime.profile).directives
    counted = [*said, *(d for d in present if d.id != said[0].id and d.kind not in _UNCOUNTED)]
    written_down = [d for d in counted if not d.by_patient and d.kind is DirectiveKind.AGREEMENT]
    allowed = limits.in_force()
    if kind is RequesterKind.PROFESSIONAL:
        own = sum(d.recorder == person for d in written_down)
        refused = own > allowed.agreements or len(written_down) > allowed.choices
    else:
        refused = sum(d.by_patient for d in counted) > allowed.choices
    if refused:
        raise Problem.of(Category.BUSINESS_RULE, _TOO_MANY.get(kind, _OF_THE_PATIENT), root, Reason.TOO_MANY_CHOICES)


def recorded(work: UnitOfWork, said: Said, consent: Json, root: str) -> Said:
    """Return the directives of a choice as the caller may record them; who gave it comes from the token.

    said: what the Consent compiles to. consent: with its id. root: the FHIRPath of the Consent.
    Raises: Problem(FORBIDDEN) when the caller may not record it, BUSINESS_RULE when it states more than the rules
    allow.
    """
    if not said and work.caller.requester.kind not in PATIENTS_SIDE:  # only the patient may state what holds anyway
        raise _not_yours(root)
    if not speaks(consent):
        return said
    references.demand_known(work, consent, root)
    writing = references.writing_of(work, consent, root)
    found = tuple(
        _recorded(work, directive, root, writing or Grade.DECLARED, writing=bool(writing)) for directive in said
    )
    demand_few(work, found, root)
    for directive in found:
        demand_few_followed(work, directive, work.entered.patient, root)
    default_consents.demand_room(work, consent, root)
    return replacement_chain.resolved(work, found, root)


def verified(work: UnitOfWork, said: Said, grade: Grade, root: str) -> Said:
    """Return directives as a professional records them on evidence that the server itself has checked (V1).

    grade: of the evidence. root: the FHIRPath of the Consent. Raises: as `recorded`.
    """
    found = tuple(_recorded(work, directive, root, grade) for directive in said)
    demand_few(work, found, root)
    return found


def _recorded(
    work: UnitOfWork, compiled: Directive, root: str, grade: Grade = Grade.DECLARED, *, writing: bool = False
) -> Directive:
    requester = work.caller.requester
    if requester.kind is RequesterKind.SYSTEM:
        if compiled.kind in OF_THE_REGISTRY and is_registry_operator(work, work.entered.patient):
            return replace(compiled, recorded_at=work.at, grade=Grade.THIRD_PARTY)
        raise _not_yours(root)
    others, runtime = work.record().without(compiled.id), work.runtime
    context = context_of(work.asks(Action.DIRECT), others, runtime.matrix, runtime.profile)
    answer = recording.record(context, compiled, grade, writing=writing)
    if isinstance(answer, Directive):
        return answer
    text = _TOO_FAR.get(answer.reason)
    if text:
        element = ".period.start" if answer.reason is Reason.POST_DATED else ""
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision{element}", answer.reason)
    raise _not_yours(root)


def _not_yours(root: str) -> Problem:
    return Problem.of(Category.FORBIDDEN, "you may not record this choice", f"{root}.provision", "not-own-choice")


def demand_seen_whole(work: UnitOfWork, before: Stored, consent: Json, root: str) -> None:
    """Refuse a change, other than an end, of a choice about documents that the caller does not see.

    The caller was shown the Consent without these documents. If the caller wrote that back, the Consent would apply to
    the whole space.
    Raises: Problem(BUSINESS_RULE).
    """
    named = documents_named(orjson.dumps(load_json(before.body).get("provision")))
    if not named or not speaks(consent):
        return
    if named - work.snapshot.visible_ids("DocumentReference", named, work.entered):
        text = "this choice names documents that you do not see; withdraw this choice and record another"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision", "unknown-document")


def demand_recorder(work: UnitOfWork, before: Stored) -> None:
    """Let the patient's side change every Consent, and everybody else only what they recorded themselves.

    Raises: Problem(FORBIDDEN).
    """
    held = next((one for one in work.record().directives if one.id == before.id), None)
    requester = work.caller.requester
    if requester.kind in PATIENTS_SIDE:
        return
    own = requester.client if requester.kind is RequesterKind.SYSTEM else requester.person
    recorder = held.recorder if held else ""
    is_insurers = requester.kind is RequesterKind.SYSTEM and before.facts.access.kind in OF_THE_REGISTRY
    if not (is_insurers or (own and own == recorder)):
        raise Problem.of(Category.FORBIDDEN, "you may not change this choice", "Consent", "not-own-choice")
