"""Admissions and appointments, as an establishment's registered system records them: a minimal Encounter.

The Encounter says who cares for the patient and when, and nothing about why. It becomes a fact of care of the grade
`third_party`. By itself it lets nobody in. The patient is told when an establishment begins to state a stay, and each
establishment may begin only a limited number in a day. An establishment that the patient blocks gets the same answers.
Source: https://hl7.org/fhir/R4/encounter.html; statements V1 and V10 of docs/rules.md; docs/adr/0092-admissions.md.
"""

from dataclasses import replace
from datetime import datetime

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS
from consent_rules.model import Directive
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, Grade, Mark, PatientId, Proof, RequesterKind
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, NOTHING_SEEN
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.system_views import ReadingReason, left_open, recorded_by
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import WriteRequest, demand_match
from fhir_server.application.directory import professionals
from fhir_server.application.identity import clients
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import care_facts
from fhir_server.domain import bodies, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.commands import command
from fhir_server.domain.encounters import ENDED, Stay, demand_minimal, stay_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Stored
from fhir_server.ports.store import Filters
from fhir_server.registry import PATIENT, REGISTRY

TYPE = "Encounter"


@command(EventKind.ADMISSION_RECORDED)
def record(work: UnitOfWork, request: WriteRequest) -> Written:
    """Record that a patient is, or will be, in the care of the caller's establishment.

    Raises: Problem(FORBIDDEN) for whoever is no registered admission system; BUSINESS_RULE for an unknown patient, an
    Encounter that is not minimal, and an impossible period. The commit raises TOO_MANY when the establishment has begun
    too many stays.
    """
    _demand_admission_system(work)
    smart_scopes.demand(work.caller, (TYPE,), "c")
    demand_minimal(request.resource, request.expression)
    if _is_confidential(request):
        work.carries_confidential()
    patient = _patient_of(work, request)
    smart_scopes.demand(work.caller, (TYPE,), "c", patient)
    open_record(work, patient, Action.DEPOSIT)
    id_ = request.id or work.runtime.ports.ids.new()
    after = _stored(work, request, id_, 1)
    work.put(after)
    _note(work, request, after)
    work.trace(AuditedInteraction(request.interaction, TYPE), (f"{TYPE}/{id_}",))
    return Written(work.shown(after, NOTHING_SEEN), created=True)


@command(EventKind.ADMISSION_CHANGED)
def change(work: UnitOfWork, request: WriteRequest) -> Written:
    """Change or end the stay that the caller's establishment recorded; a stay that has ended supports no access.

    A change that lets an ended stay go on counts as a new beginning. Raises: as `record`; Problem(NOT_FOUND) for
    unknown Encounters and those of other establishments alike.
    """
    _demand_admission_system(work)
    demand_minimal(request.resource, request.expression)
    before = _find(work, request)
    demand_match(request.if_match, before, knows_marks=False)
    if _patient_of(work, request) != before.facts.access.compartment:
        raise Problem.of(Category.BUSINESS_RULE, "the patient cannot be changed", request.at("subject"))
    after = _stored(work, request, before.id, work.next_version(before))
    marks = before.facts.access.marks | after.facts.access.marks
    after = replace(after, facts=replace(after.facts, access=replace(after.facts.access, marks=marks)))
    work.change(before, after)
    _note(work, request, after)
    work.trace(AuditedInteraction(request.interaction, TYPE), (f"{TYPE}/{before.id}",))
    return Written(work.shown(after, NOTHING_SEEN))


def _note(work: UnitOfWork, request: WriteRequest, after: Stored) -> None:
    """Plan the fact of care that an Encounter states, or its end; a beginning is counted and told to the patient.

    A stay that is hidden from guardians does not replace the notice of an open one: a missing notice would tell
    guardians of it.
    """
    fact = _fact(work, request, after.id)
    if fact is None:
        care_facts.drop(work, after.id)
        return
    is_confidential = HIDDEN_FROM_GUARDIANS in after.facts.access.marks
    known = care_facts.stays_in(work, work.caller.requester.organization)
    if not known:
        work.admissions += 1
    if not (known if is_confidential else _left_open(work, known)):
        notices_owed.of_admission(work, f"{TYPE}/{after.id}", confidential=is_confidential)
    care_facts.put(work, fact)


def _left_open(work: UnitOfWork, stays: frozenset[str]) -> frozenset[str]:
    """Return the stays that are not hidden from guardians."""
    view = left_open(ReadingReason.CONFIDENTIALITY, work.entered.patient, HIDDEN_FROM_GUARDIANS)
    return work.snapshot.visible_ids(TYPE, stays, view) if stays else stays


def _demand_admission_system(work: UnitOfWork) -> None:
    """Refuse whoever is not registered now as the admission system of an establishment; the same for every patient."""
    caller = work.caller
    client = clients.find(work.runtime, caller.granted.client_id)
    is_software = caller.requester.kind is RequesterKind.SYSTEM and bool(caller.requester.organization)
    if not (is_software and client and client.admissions):
        raise Problem.of(Category.FORBIDDEN, "only a registered admission system of an establishment may do this")


def _patient_of(work: UnitOfWork, request: WriteRequest) -> PatientId:
    literal = str(request.resource.get("subject", {}).get("reference", ""))
    target = references.split(literal, work.runtime.fhir_base)
    if target is None or target[0] != PATIENT or not work.is_known(*target):
        conditional.refuse_as_unknown(work, TYPE, Action.DEPOSIT)
        text = "the patient is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, request.at("subject"), "unknown-patient")
    return PatientId(target[1])


def _find(work: UnitOfWork, request: WriteRequest) -> Stored:
    smart_scopes.demand(work.caller, (TYPE,), "u")
    location = work.snapshot.locate(TYPE, request.id)
    if location is None or open_unnamed(work, location.compartment, Action.DEPOSIT) is None:
        raise not_found()
    found = work.read(TYPE, request.id, _own(work, location.compartment))
    if found is None:
        raise not_found()
    return found


def _own(work: UnitOfWork, patient: PatientId) -> Filters:
    return recorded_by(ReadingReason.OWN_RECORDS, patient, frozenset({work.caller.requester.organization}))


def _is_confidential(request: WriteRequest) -> bool:
    """Tell whether a minor wants the stay hidden from their guardians (B5, B6)."""
    codings = request.resource.get("meta", {}).get("security", ())
    return any(coding.get("code") == HIDDEN_FROM_GUARDIANS.name for coding in codings)


def _stored(work: UnitOfWork, request: WriteRequest, id_: str, version: int) -> Stored:
    requester = work.caller.requester
    access = AccessFacts(
        compartment=work.entered.patient,
        kind=DirectiveKind.CARE.value,
        marks=HIDDEN_FROM_GUARDIANS if _is_confidential(request) else Mark.NONE,
        owner_organization=requester.organization,
        owner_client=requester.client,
    )
    resource = request.resource | {"serviceProvider": {"reference": requester.organization}}
    body = bodies.stamped(resource, id_, version, work.stamp)
    return work.version(TYPE, id_, version, body, facts_of(orjson.loads(body), access, REGISTRY[TYPE]))


def _fact(work: UnitOfWork, request: WriteRequest, id_: str) -> Directive | None:
    """Return the fact of care that an Encounter states, None when it states none or it is over."""
    stay = stay_of(request.resource, work.runtime.fhir_base)
    _demand_names(work, request, stay)
    start = _start(work, request, stay)
    proof = Proof.APPOINTMENT if stay.is_planned else Proof.ADMISSION
    latest = work.runtime.profile.proofs[proof].after(start if stay.is_planned else work.at)
    end = min(stay.end or latest, latest)
    if stay.status in ENDED or end <= work.at:
        return None
    return Directive(
        id_,
        DirectiveKind.CARE,
        frozenset({work.caller.requester.organization, *stay.professionals}),
        start=start,
        end=end,
        recorded_at=work.at,
        proof=proof,
        recorder=work.caller.requester.client,
        grade=Grade.THIRD_PARTY,
    )


def _start(work: UnitOfWork, request: WriteRequest, stay: Stay) -> datetime:
    """Return when the care begins: an admission not in the future, an appointment not too far ahead."""
    profile = work.runtime.profile
    latest = (profile.care_ahead if stay.is_planned else profile.clock_skew).after(work.at)
    if stay.start and stay.start > latest:
        text = "an appointment cannot be so far ahead" if stay.is_planned else "an admission cannot begin in the future"
        raise Problem.of(Category.BUSINESS_RULE, text, request.at("period.start"), "post-dated")
    return min(stay.start or work.at, work.at) if not stay.is_planned else stay.start or work.at


def _demand_names(work: UnitOfWork, request: WriteRequest, stay: Stay) -> None:
    """Demand that the establishment is the caller's own, and that the directory places the professionals there now.

    Else the system of one hospital would support professionals of another.
    """
    faults = []
    if stay.establishment not in {"", work.caller.requester.organization}:
        text = "the establishment must be the one whose system this is"
        faults.append(Issue(text, request.at("serviceProvider"), "not-own-establishment"))
    for number, professional in enumerate(stay.professionals):
        place = request.at(f"participant[{number}].individual")
        if not work.is_known(*professional.split("/", 1)):
            faults.append(conditional.unknown_reference(place))
        elif not _practises_here(work, professional):
            faults.append(Issue("the directory does not place this professional here", place, "not-own-establishment"))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _practises_here(work: UnitOfWork, professional: str) -> bool:
    """Tell whether a person, or a practice situation, belongs to the caller's establishment now."""
    person = professional
    if professional.startswith("PractitionerRole/"):
        stored = work.snapshot.read("PractitionerRole", professional.partition("/")[2], IN_DIRECTORY)
        person = str(orjson.loads(stored.body).get("practitioner", {}).get("reference", "")) if stored else ""
    return professional in professionals.names_in(work.snapshot, person, work.caller.requester.organization, work.at)
