"""Translates the creation, replacement and patch of a Consent into the command that the Consent asks for.

Source: IHE PCF 1.1, ITI-108 (https://profiles.ihe.net/ITI/PCF/ITI-108.html); docs/consents.md.
"""

from dataclasses import replace
from functools import partial

from consent_rules.vocabulary import PatientId
from fhir_server.application.consents import authority
from fhir_server.application.consents.choices import choice_of, in_force
from fhir_server.application.consents.recording import (
    CONSENT,
    Place,
    action_of,
    changeable_in,
    find,
    note_documents,
    plan_choice,
)
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import NOTHING_SEEN
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import SCOPE_LETTERS, WriteRequest, demand_match
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.domain import conditional_requests, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.commands import translator
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.parsing import load_json
from fhir_server.r4.patch import demand_valid
from fhir_server.registry import PATIENT


@translator
def plan_create(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the choice that a new Consent states."""
    smart_scopes.demand(work.caller, CONSENT, "c")
    patient = _patient_of(work, request)
    smart_scopes.demand(work.caller, CONSENT, "c", patient)
    note_documents(work, request.resource)
    open_record(work, patient, action_of(work.caller))
    if request.condition:
        wanted = replace(request.criteria(work.runtime.fhir_base), patient=patient, patient_identifier=None)
        found = conditional.match(work, request.row, wanted, partial(_seen_to_create, work))
        if found:
            return _existing(work, found)
    id_ = request.id or work.runtime.ports.ids.new()
    located = _located(request.resource, patient)
    choice = choice_of(patient, directives_of(located, id_), located, None)
    return plan_choice(work, choice, Place(id_, root=request.expression))


@translator
def plan_update(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the choice that a Consent states in place of an earlier one."""
    before = find(work, request.id)
    return _plan_change(work, before, request)


@translator
def plan_patch(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the choice that a patched Consent states."""
    before = find(work, request.id)
    shown = work.shown(before, work.entered)
    wanted = request.patch.apply(load_json(shown.stored.body))
    demand_valid(wanted, shown.stored.body)
    return _plan_change(work, before, replace(request, resource=wanted))


def match(work: UnitOfWork, request: WriteRequest) -> str:
    """Return the id of the Consent that the condition of a write names, "" when the caller sees none.

    Raises: Problem(MULTIPLE_MATCHES), and as `conditional_requests.read_criteria`.
    """
    creates = request.interaction is Interaction.CREATE
    smart_scopes.demand(work.caller, CONSENT, SCOPE_LETTERS[request.interaction])
    note_documents(work, request.resource)
    view = partial(_seen_to_create if creates else changeable_in, work)
    return conditional.match(work, request.row, request.criteria(work.runtime.fhir_base), view)


def _seen_to_create(work: UnitOfWork, patient: PatientId) -> Filters:
    """Return which Consents of a space are visible to a caller who records one there."""
    try:
        limits = smart_scopes.demand(work.caller, CONSENT, "c", patient)
    except Problem:
        return NOTHING_SEEN
    opened = open_unnamed(work, patient, action_of(work.caller))
    return opened.within(work.caller, "c", {"Consent": limits}) if opened else NOTHING_SEEN


def _plan_change(work: UnitOfWork, before: Stored, request: WriteRequest) -> Written:
    note_documents(work, request.resource)
    demand_match(request.if_match, before, knows_marks=False)
    patient, root = before.facts.access.compartment, request.expression
    if _named_patient(work, request) != patient:
        raise Problem.of(Category.BUSINESS_RULE, "the patient cannot be changed", f"{root}.patient")
    authority.demand_recorder(work, before)
    located = _located(request.resource, patient)
    authority.demand_seen_whole(work, before, located, root)
    held = in_force(load_json(before.body), before.id)
    choice = choice_of(patient, directives_of(located, before.id), located, held)
    return plan_choice(work, choice, Place(before.id, request.interaction, before, root))


def _patient_of(work: UnitOfWork, request: WriteRequest) -> PatientId:
    """Return the id of the patient whom a Consent names.

    Raises: Problem(BUSINESS_RULE) for an unknown patient, if the caller may record Consents of unknown patients at all;
        else the same Problem as for a known patient.
    """
    found = _named_patient(work, request)
    if not found:
        conditional.refuse_as_unknown(work, "Consent", action_of(work.caller))
        text = "the patient is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{request.expression}.patient", "unknown-patient")
    return found


def _named_patient(work: UnitOfWork, request: WriteRequest) -> PatientId | None:
    """Return the id of the patient whom a Consent names, None when the patient is unknown."""
    named = request.resource.get("patient", {})
    literal = str(named.get("reference", ""))
    if literal.startswith("Patient?"):
        condition = conditional_requests.parse(literal.partition("?")[2], f"{request.expression}.patient.reference")
        return work.identify(condition.system, condition.value)
    identifier = named.get("identifier", {})
    if not literal and identifier.get("system") and identifier.get("value"):
        return work.identify(str(identifier["system"]), str(identifier["value"]))
    target = references.split(literal, work.runtime.fhir_base)
    is_known = target is not None and target[0] == PATIENT and work.is_known(*target)
    return PatientId(target[1]) if target and is_known else None


def _located(resource: Json, patient: PatientId) -> Json:
    return resource | {"patient": resource["patient"] | {"reference": f"Patient/{patient}"}}


def _existing(work: UnitOfWork, id_: str) -> Written:
    found = work.read("Consent", id_, work.entered)
    if found is None:
        raise not_found()
    work.trace(AuditedInteraction(Interaction.READ, "Consent"), (f"Consent/{id_}",))
    return Written(work.shown(found, work.entered))
