"""People and establishments: the registry operator's software creates and updates them.

A new Patient opens a space in the same commit. An identifier names one resource of its type, for ever.

Source: https://hl7.org/fhir/R4/http.html#create, #ccreate and #update; R.1111-28 (rule A1) for the opening.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import orjson

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import NO_SPACE, Action, PatientId, RequesterKind
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, NOTHING_SEEN, KnownFilters, Opened
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.system_views import ReadingReason, recorded_by, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out, is_registry_operator
from fhir_server.application.core.write_request import SCOPE_LETTERS, WriteRequest, demand_match
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import lifecycle
from fhir_server.domain import bodies, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, translator
from fhir_server.domain.directory import about_patients
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters, SpaceWrite
from fhir_server.r4.parsing import load_json
from fhir_server.r4.patch import demand_valid
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, ResourceType


@command(EventKind.SPACE_ANNOUNCED)
def announce(runtime: Runtime, caller: Caller, patient: Json) -> Written:
    """Record an insured person and announce the space: it opens after the term unless it is opposed (A2, A3).

    patient: a Patient. Raises: as the creation of a Patient.
    """
    request = WriteRequest(Interaction.CREATE, REGISTRY[PATIENT], resource=patient, announced=True)
    return carry_out(
        runtime, caller, AuditedInteraction(Interaction.CREATE, PATIENT), partial(record_identity, request=request)
    )


@command(EventKind.RESOURCE_CREATED, EventKind.SPACE_CREATED)
def record_identity(work: UnitOfWork, request: WriteRequest) -> Written:
    """Record a person or an establishment; a new Patient opens a space."""
    row = request.row
    _demand_registry_operator(work.caller, row)
    smart_scopes.demand(work.caller, (row.name,), "c")
    if request.condition:
        found = match(work, request)
        if found:
            return _existing(work, row, found)
    id_ = request.id or work.runtime.ports.ids.new()
    _demand_somebody(request)
    _demand_no_patient(request)
    patient = _patient_of(work, request, id_)
    smart_scopes.demand(work.caller, (row.name,), "c", patient)
    _demand_targets(work, request)
    after = _stored(work, request, id_, 1, _access(work, patient))
    touched: tuple[str, ...] = (f"{row.name}/{id_}",)
    if row.access is AccessRule.IDENTITY:
        born = str(request.resource.get("birthDate", ""))
        touched += lifecycle.begin(work, patient, born, announced=request.announced)
    elif patient:
        work.spaces.setdefault(patient, _pin(work, patient))
    _claim_identifiers(work, request, frozenset())
    work.put(after)
    kind = EventKind.SPACE_ANNOUNCED if request.announced else None
    work.trace_unopened(AuditedInteraction(Interaction.CREATE, row.name, kind=kind), touched, patient)
    return Written(work.shown(after, NOTHING_SEEN), created=True)


@command(EventKind.RESOURCE_UPDATED)
def change_identity(work: UnitOfWork, request: WriteRequest) -> Written:
    """Replace what is recorded of a person or an establishment."""
    row = request.row
    _demand_registry_operator(work.caller, row)
    before, opened = find(work, row, request.id, "u")
    _demand_somebody(request)
    _demand_no_patient(request)
    demand_match(request.if_match, before, knows_marks=False)
    patient = before.facts.access.compartment
    if row.patient_path == "patient" and _patient_of(work, request, request.id) != patient:
        raise Problem.of(Category.BUSINESS_RULE, "the patient cannot be changed", request.at("patient"))
    _demand_targets(work, request)
    if opened is not None:
        _demand_same_link(work, request, before)
    _claim_identifiers(work, request, _identifiers_ever(work, before))
    after = _stored(work, request, request.id, before.version + 1, before.facts.access)
    work.change(before, after)
    if row.access is AccessRule.IDENTITY and opened is not None:
        record = work.record()
        born = lifecycle.born(str(request.resource.get("birthDate", "")))
        if born != record.birth_date:
            work.decide(replace(record, birth_date=born))
    audited, touched = AuditedInteraction(Interaction.UPDATE, row.name), (f"{row.name}/{after.id}",)
    if opened is None:
        work.trace_unopened(audited, touched, patient)
    else:
        work.trace(audited, touched)
    return Written(work.shown(after, NOTHING_SEEN))


@translator
def plan_patch(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan a patch of a directory resource.

    Raises: Problem(BUSINESS_RULE) when the result is not valid.
    """
    _demand_registry_operator(work.caller, request.row)
    before, _ = find(work, request.row, request.id, "u")
    wanted = request.patch.apply(load_json(before.body))
    demand_valid(wanted, before.body)
    return change_identity(work, replace(request, resource=wanted))


def match(work: UnitOfWork, request: WriteRequest) -> str:
    """Return the id of the resource that the condition of a write names, "" when the caller sees none.

    Raises: Problem(MULTIPLE_MATCHES), and as `conditional_requests.read_criteria` and `find`.
    """
    row, letter = request.row, SCOPE_LETTERS[request.interaction]
    _demand_registry_operator(work.caller, row)
    smart_scopes.demand(work.caller, (row.name,), letter)

    def view(patient: PatientId) -> Filters:
        try:
            return _filters_of(work, row, patient, letter)[1]
        except Problem:
            return NOTHING_SEEN

    return conditional.match(work, row, request.criteria(work.runtime.fhir_base), view)


def find(work: UnitOfWork, row: ResourceType, id_: str, letter: str) -> tuple[Stored, Opened | None]:
    """Return a resource that the caller may change, and the space to which it belongs.

    Only the software that recorded an identity, or other software of the same establishment, may change it: what a
    person may read depends on the practice situation.
    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike; FORBIDDEN for other software.
    """
    smart_scopes.demand(work.caller, (row.name,), letter)
    location = work.snapshot.locate(row.name, id_)
    if location is None:
        raise not_found()
    opened, filters = _filters_of(work, row, location.compartment, letter)
    found = work.read(row.name, id_, filters)
    if found is None:
        raise not_found()
    if not _own(work.caller) & found.facts.access.owners:
        text = "only the software that recorded an identity, or other software of its establishment, may change it"
        raise Problem.of(Category.FORBIDDEN, text)
    return found, opened


def _filters_of(
    work: UnitOfWork, row: ResourceType, compartment: PatientId, letter: str
) -> tuple[Opened | None, Filters]:
    if row.access is AccessRule.DIRECTORY:
        smart_scopes.demand(work.caller, (row.name,), letter, NO_SPACE)
        return None, IN_DIRECTORY if not compartment else NOTHING_SEEN
    try:
        limits = smart_scopes.demand(work.caller, (row.name,), letter, compartment)
    except Problem as problem:
        raise not_found() from problem
    keeps = is_registry_operator(work, compartment)  # corrects an identity also while the space waits or is closed
    opened = open_unnamed(work, compartment, Action.OPERATE_REGISTRY if keeps else Action.IDENTIFY)
    if opened is None:
        return None, NOTHING_SEEN
    if row.access is not AccessRule.DIRECTIVE:
        return opened, opened.within(work.caller, letter, {row.name: limits})
    own = _own(work.caller)  # software does not see a RelatedPerson that it did not record
    recorded = recorded_by(ReadingReason.OWN_RECORDS, compartment, own)
    return opened, KnownFilters({row.name: smart_scopes.narrow(recorded, limits)})


def _own(caller: Caller) -> frozenset[str]:
    """Return the references by which an identity names the software that recorded it."""
    return frozenset({caller.requester.client, caller.requester.organization} - {""})


def _demand_registry_operator(caller: Caller, row: ResourceType) -> None:
    """Refuse a caller who may not write this type.

    Software of an establishment records people and establishments. Only the operator's software, which belongs to no
    establishment, records practice situations, which decide what a person may read, and addresses to which others send.
    """
    if row.by_operator and caller.requester.organization:
        text = f"only the operator of the directory may record a {row.name}; an establishment may not"
        raise Problem.of(Category.FORBIDDEN, text)
    if caller.requester.kind is not RequesterKind.SYSTEM:
        text = "only software may record patients, relatives, practitioners and establishments; a person may not"
        raise Problem.of(Category.FORBIDDEN, text)


def _existing(work: UnitOfWork, row: ResourceType, id_: str) -> Written:
    location = work.snapshot.locate(row.name, id_)
    compartment = location.compartment if location else NO_SPACE
    smart_scopes.demand(work.caller, (row.name,), "r", compartment)
    found = work.read(row.name, id_, _registered(compartment))
    if found is None:
        raise not_found()
    work.trace_unopened(AuditedInteraction(Interaction.READ, row.name), (f"{row.name}/{id_}",), compartment)
    return Written(work.shown(found, NOTHING_SEEN))


def _patient_of(work: UnitOfWork, request: WriteRequest, id_: str) -> PatientId:
    """Return the compartment of a resource: the patient whom it names, a Patient's own id, or NO_SPACE."""
    if request.row.access is AccessRule.IDENTITY:
        return PatientId(id_)
    if request.row.access is AccessRule.DIRECTORY:
        return NO_SPACE
    named = request.resource.get(request.row.patient_path, {}).get("reference", "")
    target = references.split(named, work.runtime.fhir_base)
    if target is None or target[0] != PATIENT or not (work.is_known(*target) and _is_kept(work, PatientId(target[1]))):
        text = "the patient is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, request.at(request.row.patient_path), "unknown-patient")
    return PatientId(target[1])


def _is_kept(work: UnitOfWork, patient: PatientId) -> bool:
    """Tell whether the caller recorded the identity of this patient, or records it in this work."""
    return (PATIENT, patient) in work.writes or is_registry_operator(work, patient)


def _pin(work: UnitOfWork, patient: PatientId) -> SpaceWrite:
    space = work.snapshot.load_space(patient)
    return SpaceWrite(patient, space.revision if space else 0)


def unknown_targets(work: UnitOfWork, resource: Json, root: str) -> Iterator[Issue]:
    """Yield a fault for each reference to a directory resource of this server that does not exist."""
    for expression, reference in references.references_in(resource, root):
        target = references.split(reference["reference"], work.runtime.fhir_base)
        row = REGISTRY.get(target[0]) if target else None
        if target and row and row.access is AccessRule.DIRECTORY and not work.is_known(*target):
            yield Issue(f"`{reference['reference']}` is not known here", f"{expression}.reference", "unknown-reference")


def _demand_targets(work: UnitOfWork, request: WriteRequest) -> None:
    faults = tuple(unknown_targets(work, request.resource, request.expression))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _demand_somebody(request: WriteRequest) -> None:
    """Refuse a Patient without identifier and name: the space of an unnamed patient could be given to anybody.

    Raises: Problem(BUSINESS_RULE).
    """
    if request.row.access is not AccessRule.IDENTITY:
        return
    numbered = any(one.get("system") and one.get("value") for one in request.resource.get("identifier", []))
    named = any(one.get("family") or one.get("text") for one in request.resource.get("name", []))
    if not (numbered or named):
        text = "a patient needs an `identifier` with system and value, or a `name`"
        raise Problem.of(Category.BUSINESS_RULE, text, request.at("identifier"), "required")


def _demand_same_link(work: UnitOfWork, request: WriteRequest, before: Stored) -> None:
    """Refuse to change what a merge has written: only its undoing takes that back (docs/adr/0125).

    Raises: Problem(BUSINESS_RULE) naming the element.
    """
    merged = work.record().merged
    if request.row.access is not AccessRule.IDENTITY or merged is None:
        return
    present = orjson.loads(before.body)
    for name in ("link", "active") if merged.replaced else ("link",):
        if request.resource.get(name) != present.get(name):
            text = f"`{name}` belongs to a merge: it changes by `$merge` and `$unmerge` only"
            raise Problem.of(Category.BUSINESS_RULE, text, request.at(name), "merged")


def _demand_no_patient(request: WriteRequest) -> None:
    """Refuse a resource of the directory that is about a patient.

    Raises: Problem(BUSINESS_RULE) naming each element.
    """
    faults = about_patients.faults(request.row, request.resource, request.expression)
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _access(work: UnitOfWork, patient: PatientId) -> AccessFacts:
    requester = work.caller.requester
    return AccessFacts(compartment=patient, owner_organization=requester.organization, owner_client=requester.client)


def _stored(work: UnitOfWork, request: WriteRequest, id_: str, version: int, access: AccessFacts) -> Stored:
    body = bodies.stamped(request.resource, id_, version, work.stamp)
    facts = facts_of(orjson.loads(body), access, request.row)
    return work.version(request.row.name, id_, version, body, facts)


def _claim_identifiers(work: UnitOfWork, request: WriteRequest, own: frozenset[tuple[str, str]]) -> None:
    """Claim every identifier that does not already belong to the resource."""
    if not request.row.unique:
        return
    for index, identifier in enumerate(request.resource.get("identifier", [])):
        pair = (str(identifier.get("system", "")), str(identifier.get("value", "")))
        if pair[1] and pair not in own:
            expression = request.at(f"identifier[{index}]")
            taken = Problem.of(Category.DUPLICATE, "this identifier names another resource", expression, "duplicate")
            named = pair if request.row.access is AccessRule.IDENTITY else None
            work.claim(f"{request.row.name.lower()}|{pair[0]}|{pair[1]}", taken, named)


def _identifiers_ever(work: UnitOfWork, stored: Stored) -> frozenset[tuple[str, str]]:
    """Return the identifiers that any version of a resource has had: they belong to the resource for ever."""
    compartment = stored.facts.access.compartment
    versions = work.snapshot.history(stored.type, stored.id, _registered(compartment))
    found = (item for version in versions if version.body for item in orjson.loads(version.body).get("identifier", []))
    return frozenset((str(item.get("system", "")), str(item.get("value", ""))) for item in found)


def recorded_patient(work: UnitOfWork, patient: PatientId) -> Json:
    """Return the identity that was recorded of a patient, empty for an erased one: to compare it, not to show it."""
    stored = work.snapshot.read(PATIENT, patient, _registered(patient))
    recorded: Json = orjson.loads(stored.body) if stored and stored.body else {}
    return recorded


def _registered(compartment: PatientId) -> Filters:
    """Return the view by which the server reads the recorded identities, whoever may see them."""
    return whole_space(ReadingReason.REGISTERED, compartment) if compartment else IN_DIRECTORY
