"""Recording a vaccination as a resource of its own, governed by the matrix like a document of the kind of its row.

Source: https://hl7.org/fhir/R4/immunization.html; rules D3 and E7; docs/labels.md for the marks.
"""

from dataclasses import replace

import orjson

from consent_rules.consents.visibility_marks import marks_at_filing, sealed_until
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, Mark, PatientId, RequesterKind
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.documents import versions
from fhir_server.application.reading import conditional
from fhir_server.domain import bodies, references
from fhir_server.domain.documents.security_labels import labels_of, split_marks
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Facts, Stored, authored_of
from fhir_server.domain.values import Json
from fhir_server.registry import PATIENT, ResourceType


def plan_create(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the record of a vaccination that a professional has given or learnt of.

    Raises: Problem(FORBIDDEN) for anybody but a professional; BUSINESS_RULE for a reference that names nothing.
    """
    row, resource = request.row, request.resource
    if work.caller.requester.kind is not RequesterKind.PROFESSIONAL:
        raise Problem.of(Category.FORBIDDEN, "only a professional may record a vaccination", row.name)
    smart_scopes.demand(work.caller, (row.name,), "c")
    patient = _patient_of(work, request)
    smart_scopes.demand(work.caller, (row.name,), "c", patient)
    plain, asked = split_marks(resource)
    if Mark.INVISIBLE_REPRESENTANTS_LEGAUX in asked:
        work.carries_confidential()
    open_record(work, patient, Action.DEPOSIT)
    faults = tuple(resources.unknown_targets(work, resource, request.expression))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    id_ = request.id or work.runtime.ports.ids.new()
    body = bodies.stamped(plain, id_, 1, work.stamp)
    facts = _facts(work, row, orjson.loads(body), _access(work, request, asked))
    after = Stored(row.name, id_, 1, 0, deleted=False, last_updated=work.stamp, marked_at=None, body=body, facts=facts)
    work.put(after)
    work.trace(work.audited, (f"{row.name}/{id_}",))
    if Mark.INVISIBLE_PATIENT in facts.access.marks:
        confidential = Mark.INVISIBLE_REPRESENTANTS_LEGAUX in facts.access.marks
        notices_owed.of_waiting(work, work.record(), (id_,), confidential=confidential)
    notices_owed.of_documents(work, EventKind.DOCUMENT_PUBLISHED, (after,))
    return Written(work.shown(after, work.entered), created=True)


def _patient_of(work: UnitOfWork, request: WriteRequest) -> PatientId:
    path = request.row.patient_path
    literal = str(request.resource.get(path, {}).get("reference", ""))
    target = references.split(literal, work.runtime.fhir_base)
    if target and target[0] == PATIENT and work.is_known(*target):
        return PatientId(target[1])
    conditional.refuse_as_unknown(work, request.row.name, Action.DEPOSIT)
    raise Problem(Category.BUSINESS_RULE, conditional.unknown_reference(request.at(f"{path}.reference")))


def _access(work: UnitOfWork, request: WriteRequest, asked: Mark) -> AccessFacts:
    requester = work.caller.requester
    versions.demand_filing_marks(work, asked, None, request.at("meta.security"))
    marks = marks_at_filing(work.record(), asked, work.at)
    sealed = sealed_until(work.at, work.runtime.profile) if Mark.INVISIBLE_PATIENT in marks else None
    return AccessFacts(
        work.entered.patient,
        request.row.kind,
        marks=marks,
        sealed_until=sealed,
        owner_person=requester.person,
        owner_organization=requester.organization,
    )


def _facts(work: UnitOfWork, row: ResourceType, resource: Json, access: AccessFacts) -> Facts:
    facts = facts_of(resource, access, row)
    category = work.runtime.matrix.kinds[row.kind].category
    authored, labels = authored_of(facts.dates), labels_of(resource)
    judged = replace(access, id=str(resource["id"]), category=category, authored=authored, labels=labels)
    return replace(facts, access=judged)
