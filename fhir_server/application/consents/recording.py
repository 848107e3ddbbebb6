"""Recording and ending choices: each Consent that is stored or changed rebuilds the decision state in the same commit.

The patient or a representative records choices. A professional writes down what the patient agreed to. The insurer's
software records who represents a minor and which physician is declared.

Source: IHE PCF 1.1, ITI-108 (https://profiles.ihe.net/ITI/PCF/ITI-108.html); rules C1 to C8, F1 to F6 and G4.
"""

from dataclasses import dataclass, replace

import orjson

from consent_rules.consents import recording
from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS, hides_by_default
from consent_rules.model import OF_THE_REGISTRY, Directive
from consent_rules.vocabulary import Action, DirectiveKind, PatientId, RequesterKind
from fhir_server.application.consents import authority
from fhir_server.application.consents.choices import Choice, Said, choice_of, in_force
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.access import NOTHING_SEEN
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, of_kinds
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out, is_registry_operator
from fhir_server.application.documents import replacement_chain
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import consent_repairs, default_consents, terms
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import carrier, causes_of
from fhir_server.domain.consents.directives import access_of, consent_of, directives_of, speaks
from fhir_server.domain.consents.writing import ending
from fhir_server.domain.problem import Issue, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.parsing import load_json

CONSENT = ("Consent",)
_KINDS_OF_THE_INSURER = frozenset(kind.value for kind in OF_THE_REGISTRY)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a choice is recorded.

    before: the Consent that it changes, None for a new one. root: the FHIRPath of the Consent.
    """

    id: str
    interaction: Interaction = Interaction.CREATE
    before: Stored | None = None
    root: str = "Consent"


@carrier
def record(runtime: Runtime, caller: Caller, choice: Choice) -> Written:
    """Record a new choice.

    Raises: Problem(FORBIDDEN) when the caller may not record it, BUSINESS_RULE when it states more than the rules allow
    or names something unknown; whatever the decision about the space raises.
    """

    def plan(work: UnitOfWork) -> Written:
        written = _written(work, choice, work.runtime.ports.ids.new())
        smart_scopes.demand(caller, CONSENT, "c", choice.patient)
        note_documents(work, written.consent or {})
        open_record(work, choice.patient, action_of(caller))
        return plan_choice(work, written, Place(written.said[0].id))

    return carry_out(runtime, caller, AuditedInteraction(Interaction.CREATE, "Consent"), plan)


@carrier
def revoke(runtime: Runtime, caller: Caller, id_: str) -> Written:
    """End a choice: an agreement, a block, a declaration, a switch. id_: of its Consent.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike; FORBIDDEN for who may not change this choice.
    """
    audited = AuditedInteraction(Interaction.UPDATE, "Consent", target=f"Consent/{id_}")

    def plan(work: UnitOfWork) -> Written:
        before = find(work, id_)
        authority.demand_recorder(work, before)
        patient, held = before.facts.access.compartment, load_json(before.body)
        consent = held | {"status": "inactive"}
        choice = choice_of(patient, directives_of(consent, id_), consent, in_force(held, id_))
        return plan_choice(work, choice, Place(id_, Interaction.UPDATE, before))

    return carry_out(runtime, caller, audited, plan)


def _written(work: UnitOfWork, choice: Choice, id_: str) -> Choice:
    """Return a choice with its Consent, as it is written for a choice that was stated by its parts.

    Raises: Problem(BUSINESS_RULE) for what no Consent can state exactly.
    """
    stated = replace(choice.said[0], id=id_, recorded_at=work.at)
    consent = consent_of(stated, choice.patient, work.caller.requester.organization)
    return replace(choice, said=directives_of(consent, id_), consent=consent)


def plan_choice(work: UnitOfWork, choice: Choice, place: Place) -> Written:
    """Plan a choice with its Consent, in the space that the caller has entered.

    Raises: as `authority.recorded`.
    """
    consent = choice.consent or {}
    said = authority.recorded(work, choice.said, consent | {"id": place.id}, place.root)
    shortened = bool(said) and said[0].end != choice.said[0].end
    if shortened and said[0].end:
        consent = ending(consent, said[0].end)
    written = keep(work, consent, place, said)
    kind = next(iter(causes_of(type(choice))), None)
    if place.before is None and said and said[0].kind is DirectiveKind.AGREEMENT and not said[0].by_patient:
        confidential = HIDDEN_FROM_GUARDIANS in work.writes["Consent", place.id].after.facts.access.marks
        notices_owed.of_declaration(work, said[0], confidential=confidential)
    for carer in (one for one in said if one.kind is DirectiveKind.CARER and speaks(consent)):
        terms.begin_of_care(work, carer)
    work.trace(AuditedInteraction(place.interaction, "Consent", kind=kind), (f"Consent/{place.id}",))
    return replace(written, notes=(_shortened(said[0], place.root),)) if shortened else written


def _shortened(directive: Directive, root: str) -> Issue:
    """Return the warning of when a team's agreement that a professional recorded ends, and how to extend it (V4)."""
    end = directive.end.isoformat(timespec="seconds").replace("+00:00", "Z") if directive.end else ""
    text = (
        f"an agreement for a team that a professional records ends on {end}; "
        "record it again then, or let the patient give it themselves"
    )
    return Issue(text, f"{root}.provision.period.end", "shortened")


def keep(work: UnitOfWork, consent: Json, place: Place, said: Said) -> Written:
    """Plan a Consent and the decision state with its directives, in the space that the caller has entered.

    said: its directives, as the caller may record them.
    """
    after = _stored(work, consent, place, said)
    if place.before:
        work.change(place.before, after)
    else:
        work.put(after)
    _decide(work, consent | {"id": place.id}, said)
    return Written(work.shown(after, work.entered), created=place.before is None)


def action_of(caller: Caller) -> Action:
    """Return the action of recording a choice; the insurer's software also records representatives in advance.

    It may do so before the space opens, so that it needs an action of its own.
    """
    return Action.OPERATE_REGISTRY if caller.requester.kind is RequesterKind.SYSTEM else Action.DIRECT


def find(work: UnitOfWork, id_: str) -> Stored:
    """Enter the space of a Consent to change it, and return the Consent if the caller sees it.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike.
    """
    smart_scopes.demand(work.caller, CONSENT, "u")
    work.names(f"Consent/{id_}")
    location = work.snapshot.locate("Consent", id_)
    found = work.read("Consent", id_, changeable_in(work, location.compartment)) if location else None
    if found is None:
        raise not_found()
    return found


def changeable_in(work: UnitOfWork, patient: PatientId) -> Filters:
    """Enter a space to change Consents there, and return which ones the caller may change: none where that is denied.

    The insurer's software may change only those of the kinds that it records.
    """
    is_software = work.caller.requester.kind is RequesterKind.SYSTEM
    if is_software and not is_registry_operator(work, patient):
        return NOTHING_SEEN
    try:
        smart_scopes.demand(work.caller, CONSENT, "u", patient)
    except Problem:
        return NOTHING_SEEN
    if open_unnamed(work, patient, action_of(work.caller)) is None:
        return NOTHING_SEEN
    if is_software:
        return of_kinds(ReadingReason.OWN_RECORDS, patient, _KINDS_OF_THE_INSURER)
    return work.entered


def note_documents(work: UnitOfWork, consent: Json) -> None:
    """Note the documents that a Consent names: a failure to record it is as confidential as the documents (B10)."""
    work.carries(consent)
    named = documents_named(orjson.dumps(consent))
    work.names(*(f"DocumentReference/{id_}" for id_ in sorted(named)))


def _decide(work: UnitOfWork, located: Json, said: Said) -> None:
    """Rebuild the decision state: a Consent in force adds its directives, any other Consent adds none."""
    before = recording.tidied(work.record(), work.at, work.runtime.profile)
    own = str(located["id"])
    after = before.with_directive(*said) if said and speaks(located) else before.without(own)
    after = default_consents.settle(work, after, own)
    if hides_by_default(after, work.at) and not hides_by_default(before, work.at):
        replacement_chain.hide_present(work, after.patient)
    work.decide(after)
    if speaks(located):
        work.declares(said)
    consent_repairs.close_unread(work)


def _stored(work: UnitOfWork, consent: Json, place: Place, said: Said) -> Stored:
    """Return a Consent as it is stored: persons whom it names may read it; a confidential one stays confidential."""
    patient, before = work.entered.patient, place.before
    access = access_of(patient, *said)
    was_confidential = before is not None and HIDDEN_FROM_GUARDIANS in before.facts.access.marks
    if was_confidential or replacement_chain.are_confidential(work, patient, said):
        access = replace(access, marks=HIDDEN_FROM_GUARDIANS)
    number = work.next_version(before) if before else 1
    body = bodies.stamped(consent, place.id, number, work.stamp)
    facts = default_consents.facts_of_choice(consent, access)
    return work.version("Consent", place.id, number, body, facts)
