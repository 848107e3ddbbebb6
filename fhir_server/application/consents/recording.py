"""Recording Consents: each Consent that is created or changed rebuilds the decision state in the same commit.

The patient or a representative records Consents. A professional writes down what the patient agreed to. The insurer's
software records who represents a minor and which physician is declared.

Source: IHE PCF 1.1, ITI-108 (https://profiles.ihe.net/ITI/PCF/ITI-108.html); rules C1 to C8, F1 to F6 and G4.
"""

from dataclasses import dataclass, replace

import orjson

from consent_rules.consents import recording
from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS, hides_by_default
from consent_rules.vocabulary import Action, PatientId, RequesterKind
from fhir_server.application.consents.authority import (
    OF_THE_INSURER,
    Said,
    demand_recorder,
    demand_seen_whole,
    said_by,
)
from fhir_server.application.core import smart_scopes, unit_of_work
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.search_index import identify
from fhir_server.application.core.system_views import ReadingReason, of_kinds
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, is_registry_operator
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.documents import replacement_chain
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import consent_repairs, default_consents
from fhir_server.domain import bodies, conditional_requests, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.consents.directives import access_of, speaks
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.parsing import load_json
from fhir_server.r4.patch import demand_valid
from fhir_server.registry import PATIENT, REGISTRY

_CONSENT = ("Consent",)
_KINDS_OF_THE_INSURER = frozenset(kind.value for kind in OF_THE_INSURER)


@dataclass(frozen=True, slots=True)
class Version:
    """The id and number of a version to be stored, and the version before it."""

    id: str
    number: int
    before: Stored | None = None


def plan_create(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the creation of a Consent."""
    smart_scopes.demand(work.caller, _CONSENT, "c")
    patient = _patient_of(work, request)
    smart_scopes.demand(work.caller, _CONSENT, "c", patient)
    _note_documents(work, request)
    open_record(work, patient, _action(work.caller))
    if request.condition:
        wanted = replace(conditional_requests.parse(request.condition), patient=patient, patient_identifier=None)
        found = conditional.only_match(
            conditional.matching_ids(work, REGISTRY["Consent"], wanted, _action(work.caller), "c")
        )
        if found:
            return _existing(work, found)
    id_ = request.id or work.runtime.ports.ids.new()
    located = _located(request.resource, patient)
    said = said_by(work, request, located | {"id": id_})
    after = _stored(work, located, Version(id_, 1), said)
    work.put(after)
    _decide(work, located | {"id": id_}, said)
    work.trace(AuditedInteraction(Interaction.CREATE, "Consent"), (f"Consent/{id_}",))
    return _written(work, after, created=True)


def plan_update(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the replacement of a Consent."""
    before = _find(work, request.id)
    return _plan_change(work, before, request)


def plan_patch(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan a patch of a Consent."""
    before = _find(work, request.id)
    shown = work.shown(before, work.entered)
    wanted = request.patch.apply(load_json(shown.stored.body))
    demand_valid(wanted, shown.stored.body)
    return _plan_change(work, before, replace(request, resource=wanted))


def _plan_change(work: UnitOfWork, before: Stored, request: WriteRequest) -> Written:
    _note_documents(work, request)
    unit_of_work.demand_match(request.if_match, before, knows_marks=False)
    patient = before.facts.access.compartment
    if _named_patient(work, request) != patient:
        raise Problem.of(Category.BUSINESS_RULE, "the patient cannot be changed", f"{request.expression}.patient")
    held = next((one for one in work.record().directives if one.id == before.id), None)
    demand_recorder(work, held, before)
    located = _located(request.resource, patient)
    demand_seen_whole(work, before, located, request)
    said = said_by(work, request, located | {"id": before.id})
    after = _stored(work, located, Version(before.id, work.next_version(before), before), said)
    work.change(before, after)
    _decide(work, located | {"id": before.id}, said)
    work.trace(AuditedInteraction(request.interaction, "Consent"), (f"Consent/{before.id}",))
    return _written(work, after, created=False)


def _action(caller: Caller) -> Action:
    """Return the action of recording a Consent; the insurer's software also records representatives in advance.

    It may do so before the space opens, so that it needs an action of its own.
    """
    return Action.OPERATE_REGISTRY if caller.requester.kind is RequesterKind.SYSTEM else Action.DIRECT


def _find(work: UnitOfWork, id_: str) -> Stored:
    """Enter the space of a Consent to change it, and return the Consent if the caller sees it.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike.
    """
    smart_scopes.demand(work.caller, _CONSENT, "u")
    work.names(f"Consent/{id_}")
    location = work.snapshot.locate("Consent", id_)
    is_software = work.caller.requester.kind is RequesterKind.SYSTEM
    if location is None or (is_software and not is_registry_operator(work, location.compartment)):
        raise not_found()
    try:
        smart_scopes.demand(work.caller, _CONSENT, "u", location.compartment)
    except Problem as problem:
        raise not_found() from problem
    opened = open_unnamed(work, location.compartment, _action(work.caller))
    found = work.read("Consent", id_, _changeable(work)) if opened else None
    if found is None:
        raise not_found()
    return found


def _note_documents(work: UnitOfWork, request: WriteRequest) -> None:
    """Note the documents that a Consent names: a failure to record it is as confidential as the documents (B10)."""
    work.carries(request.resource)
    named = documents_named(orjson.dumps(request.resource))
    work.names(*(f"DocumentReference/{id_}" for id_ in sorted(named)))


def _changeable(work: UnitOfWork) -> Filters:
    """Return which Consents the caller may change: the insurer's software, only those of the kinds that it records."""
    if work.caller.requester.kind is RequesterKind.SYSTEM:
        return of_kinds(ReadingReason.OWN_RECORDS, work.entered.patient, _KINDS_OF_THE_INSURER)
    return work.entered


def _patient_of(work: UnitOfWork, request: WriteRequest) -> PatientId:
    """Return the id of the patient whom a Consent names.

    Raises: Problem(BUSINESS_RULE) for an unknown patient, if the caller may record Consents of unknown patients at all;
        else the same Problem as for a known patient.
    """
    found = _named_patient(work, request)
    if not found:
        conditional.refuse_as_unknown(work, "Consent", _action(work.caller))
        text = "the patient is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{request.expression}.patient", "unknown-patient")
    return found


def _named_patient(work: UnitOfWork, request: WriteRequest) -> PatientId | None:
    """Return the id of the patient whom a Consent names, None when the patient is unknown."""
    named = request.resource.get("patient", {})
    literal = str(named.get("reference", ""))
    if literal.startswith("Patient?"):
        condition = conditional_requests.parse(literal.partition("?")[2], f"{request.expression}.patient.reference")
        return identify(work.snapshot, condition.system, condition.value)
    identifier = named.get("identifier", {})
    if not literal and identifier.get("system") and identifier.get("value"):
        return identify(work.snapshot, str(identifier["system"]), str(identifier["value"]))
    target = references.split(literal, work.runtime.fhir_base)
    is_known = target is not None and target[0] == PATIENT and work.is_known(*target)
    return PatientId(target[1]) if target and is_known else None


def _located(resource: Json, patient: PatientId) -> Json:
    return resource | {"patient": resource["patient"] | {"reference": f"Patient/{patient}"}}


def _decide(work: UnitOfWork, located: Json, said: Said) -> None:
    """Rebuild the decision state: a Consent in force adds its directives, any other Consent adds none."""
    before = recording.tidied(work.record(), work.at, work.runtime.profile)
    own = str(located["id"])
    after = before.with_directive(*said) if said and speaks(located) else before.without(own)
    after = default_consents.settle(work, after, own)
    if hides_by_default(after, work.at) and not hides_by_default(before, work.at):
        replacement_chain.hide_present(work, after.patient)
    work.decide(after)
    consent_repairs.close_unread(work)


def _stored(work: UnitOfWork, located: Json, version: Version, said: Said) -> Stored:
    """Return a Consent as it is stored: persons whom it names may read it; a confidential one stays confidential."""
    patient = PatientId(str(located["patient"]["reference"]).partition("/")[2])
    access = access_of(patient, *said)
    was_confidential = version.before is not None and HIDDEN_FROM_GUARDIANS in version.before.facts.access.marks
    if was_confidential or replacement_chain.are_confidential(work, patient, said):
        access = replace(access, marks=HIDDEN_FROM_GUARDIANS)
    id_, number = version.id, version.number
    body = bodies.stamped(located, id_, number, work.stamp)
    facts = default_consents.facts_of_choice(located, access)
    return work.version("Consent", id_, number, body, facts)


def _existing(work: UnitOfWork, id_: str) -> Written:
    found = work.read("Consent", id_, work.entered)
    if found is None:
        raise not_found()
    work.trace(AuditedInteraction(Interaction.READ, "Consent"), (f"Consent/{id_}",))
    return _written(work, found, created=False)


def _written(work: UnitOfWork, stored: Stored, *, created: bool) -> Written:
    return Written(work.shown(stored, work.entered), created)
