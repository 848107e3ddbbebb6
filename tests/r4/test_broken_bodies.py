"""https://hl7.org/fhir/R4/validation.html: every fault is found and named by its FHIRPath."""

import json

import pytest

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.parsing import check, parse
from tests.holds import holds
from tests.r4.bodies import BODIES, GONE, broken

DR, NARRATIVE = "DocumentReference", '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
REF = {"reference": "Organization/o1"}
EXTENSION = {"url": "http://example.org/e"}

BROKEN = [
    # type, element, value, expression of the fault
    # --- structure
    (DR, "nonsense", 1, DR),
    (DR, "content.0.attachment.colour", "red", f"{DR}.content[0].attachment"),
    (DR, "status", GONE, f"{DR}.status"),
    (DR, "content", GONE, f"{DR}.content"),
    (DR, "content.0.attachment", GONE, f"{DR}.content[0].attachment"),
    (DR, "content", {"attachment": {"url": "x"}}, f"{DR}.content"),
    (DR, "content", [], f"{DR}.content"),
    (DR, "category", {"text": "x"}, f"{DR}.category"),
    (DR, "category.0", "x", f"{DR}.category[0]"),
    (DR, "subject", [{"reference": "Patient/p1"}], f"{DR}.subject"),
    (DR, "subject", {}, f"{DR}.subject"),
    (DR, "status", None, f"{DR}.status"),
    (DR, "status", 7, f"{DR}.status"),
    (DR, "status", ["current"], f"{DR}.status"),
    (DR, "relatesTo.0.target", GONE, f"{DR}.relatesTo[0].target"),
    (DR, "relatesTo.0.code", GONE, f"{DR}.relatesTo[0].code"),
    (DR, "description", "", f"{DR}.description"),
    (DR, "description", "  ", f"{DR}.description"),
    (DR, "description", "a\u0000b", f"{DR}.description"),
    (DR, "meta", "x", f"{DR}.meta"),
    (DR, "meta.profile", "http://example.org/p", f"{DR}.meta.profile"),
    ("Patient", "active", "true", "Patient.active"),
    ("Patient", "name.0.given.0", None, "Patient.name[0].given[0]"),
    ("Patient", "name.0._given", [None], "Patient.name[0].given"),
    ("Patient", "name.0._given", {"id": "g"}, "Patient.name[0].given"),
    ("Patient", "_birthDate", {"nonsense": 1}, "Patient.birthDate"),
    ("Patient", "_birthDate", "x", "Patient.birthDate"),
    ("Patient", "_name", [{"id": "x"}], "Patient"),
    ("Patient", "deceasedDateTime", "2026-01-01", "Patient.deceased"),
    ("Patient", "link.0.type", GONE, "Patient.link[0].type"),
    ("RelatedPerson", "patient", GONE, "RelatedPerson.patient"),
    ("Binary", "contentType", GONE, "Binary.contentType"),
    ("List", "status", GONE, "List.status"),
    ("List", "mode", GONE, "List.mode"),
    ("Consent", "scope", GONE, "Consent.scope"),
    ("Consent", "category", GONE, "Consent.category"),
    ("Consent", "provision.provision.0.actor.0.role", GONE, "Consent.provision.provision[0].actor[0].role"),
    ("AuditEvent", "type", GONE, "AuditEvent.type"),
    ("AuditEvent", "recorded", GONE, "AuditEvent.recorded"),
    ("AuditEvent", "agent.0.requestor", GONE, "AuditEvent.agent[0].requestor"),
    ("AuditEvent", "source.observer", GONE, "AuditEvent.source.observer"),
    ("Practitioner", "qualification.0.code", GONE, "Practitioner.qualification[0].code"),
    ("Bundle", "type", GONE, "Bundle.type"),
    ("Bundle", "entry.0.request.url", GONE, "Bundle.entry[0].request.url"),
    # --- primitives
    (DR, "id", "has blanks", f"{DR}.id"),
    (DR, "id", "x" * 65, f"{DR}.id"),
    (DR, "date", "2026-01-05", f"{DR}.date"),
    (DR, "date", "2026-01-05T09:00", f"{DR}.date"),
    (DR, "date", "2026-01-05T09:00:00", f"{DR}.date"),
    (DR, "date", "2026-02-30T09:00:00Z", f"{DR}.date"),
    (DR, "content.0.attachment.creation", "05/01/2026", f"{DR}.content[0].attachment.creation"),
    (DR, "content.0.attachment.size", -1, f"{DR}.content[0].attachment.size"),
    (DR, "content.0.attachment.size", 1.5, f"{DR}.content[0].attachment.size"),
    (DR, "content.0.attachment.size", 2**31, f"{DR}.content[0].attachment.size"),
    (DR, "content.0.attachment.size", True, f"{DR}.content[0].attachment.size"),
    (DR, "content.0.attachment.hash", "not base64!", f"{DR}.content[0].attachment.hash"),
    (DR, "content.0.attachment.hash", "YWJj=", f"{DR}.content[0].attachment.hash"),
    (DR, "content.0.attachment.url", "has blanks", f"{DR}.content[0].attachment.url"),
    (DR, "content.0.attachment.language", " fr", f"{DR}.content[0].attachment.language"),
    (DR, "content.0.attachment.contentType", "pdf", f"{DR}.content[0].attachment.contentType"),
    (DR, "type.coding.0.code", "two  blanks", f"{DR}.type.coding[0].code"),
    (DR, "type.coding.0.userSelected", "yes", f"{DR}.type.coding[0].userSelected"),
    ("Patient", "birthDate", "1979-03-05T00:00:00Z", "Patient.birthDate"),
    ("Patient", "birthDate", "1979-13", "Patient.birthDate"),
    ("Patient", "extension", [{**EXTENSION, "valueOid": "1.2.3"}], "Patient.extension[0].value"),
    ("Patient", "extension", [{**EXTENSION, "valueUuid": "urn:uuid:x"}], "Patient.extension[0].value"),
    ("Patient", "extension", [{**EXTENSION, "valueDecimal": "1.0"}], "Patient.extension[0].value"),
    ("Patient", "extension", [{**EXTENSION, "valuePositiveInt": 0}], "Patient.extension[0].value"),
    (
        "PractitionerRole",
        "availableTime.0.availableStartTime",
        "8:00",
        "PractitionerRole.availableTime[0].availableStartTime",
    ),
    ("Binary", "data", "", "Binary.data"),
    (DR, "description", "x" * 1_048_577, f"{DR}.description"),
    (DR, "id", 7, f"{DR}.id"),
    (DR, "id", "", f"{DR}.id"),
    (DR, "date", 2026, f"{DR}.date"),
    (DR, "contained", "x", f"{DR}.contained"),
    (DR, "contained.1", "x", f"{DR}.contained[1]"),
    ("Binary", "data", 7, "Binary.data"),
    ("List", "meta", {"lastUpdated": "2026-01-05"}, "List.meta.lastUpdated"),
    # --- narrative
    (DR, "text.div", 7, f"{DR}.text.div"),
    (DR, "text.div", '<p xmlns="http://www.w3.org/1999/xhtml">x</p>', f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format('<p xmlns:o="urn:o" o:x="y">x</p>'), f"{DR}.text.div"),
    (DR, "text.div", "<div>no namespace</div>", f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format("<script>x</script>"), f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format('<p onclick="x()">x</p>'), f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format('<a href="javascript:x()">x</a>'), f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format(" "), f"{DR}.text.div"),
    (DR, "text.div", NARRATIVE.format("<p>"), f"{DR}.text.div"),
    (DR, "text.div", "<!DOCTYPE div>" + NARRATIVE.format("x"), f"{DR}.text.div"),
    # --- required codes
    (DR, "status", "final", f"{DR}.status"),
    (DR, "docStatus", "draft", f"{DR}.docStatus"),
    (DR, "relatesTo.0.code", "supersedes", f"{DR}.relatesTo[0].code"),
    (DR, "identifier.0.use", "main", f"{DR}.identifier[0].use"),
    (DR, "text.status", "ok", f"{DR}.text.status"),
    ("Patient", "gender", "f", "Patient.gender"),
    ("Patient", "name.0.use", "birth", "Patient.name[0].use"),
    ("Patient", "telecom.0.system", "mobile", "Patient.telecom[0].system"),
    ("Patient", "address.0.use", "main", "Patient.address[0].use"),
    ("Patient", "link.0.type", "same", "Patient.link[0].type"),
    ("PractitionerRole", "availableTime.0.daysOfWeek.0", "monday", "PractitionerRole.availableTime[0].daysOfWeek[0]"),
    ("List", "status", "superseded", "List.status"),
    ("List", "mode", "live", "List.mode"),
    ("Consent", "status", "valid", "Consent.status"),
    ("Consent", "provision.type", "forbid", "Consent.provision.type"),
    ("Consent", "provision.provision.0.data.0.meaning", "all", "Consent.provision.provision[0].data[0].meaning"),
    ("AuditEvent", "action", "X", "AuditEvent.action"),
    ("AuditEvent", "outcome", "1", "AuditEvent.outcome"),
    ("AuditEvent", "agent.0.network.type", "9", "AuditEvent.agent[0].network.type"),
    ("Bundle", "type", "message-batch", "Bundle.type"),
    ("Bundle", "entry.0.request.method", "post", "Bundle.entry[0].request.method"),
    # --- reference targets
    (DR, "subject", REF, f"{DR}.subject"),
    (DR, "author.0", {"reference": "http://h.example/fhir/Consent/1"}, f"{DR}.author[0]"),
    (DR, "custodian", {"reference": "Patient/p1"}, f"{DR}.custodian"),
    (DR, "custodian", {"type": "Patient", "identifier": {"value": "1"}}, f"{DR}.custodian"),
    (DR, "custodian", {"reference": "#pr"}, f"{DR}.custodian"),
    (DR, "relatesTo.0.target", {"reference": "Patient/p1"}, f"{DR}.relatesTo[0].target"),
    (DR, "subject", {"reference": "Organization?identifier=a|b"}, f"{DR}.subject"),
    ("Consent", "patient", REF, "Consent.patient"),
    ("PractitionerRole", "practitioner", REF, "PractitionerRole.practitioner"),
    # --- invariants
    (DR, "author.0", {"reference": "#nobody"}, f"{DR}.author[0].reference"),
    (DR, "contained.1", {"resourceType": "Patient", "id": "x", "active": True}, f"{DR}.contained[1]"),
    (DR, "contained.0.contained", [{"resourceType": "Patient", "id": "y"}], f"{DR}.contained[0].contained"),
    (DR, "contained.0.meta", {"versionId": "1"}, f"{DR}.contained[0].meta.versionId"),
    (DR, "contained.0.meta", {"lastUpdated": "2026-01-05T09:00:00Z"}, f"{DR}.contained[0].meta.lastUpdated"),
    (DR, "contained.0.meta", {"security": [{"code": "R"}]}, f"{DR}.contained[0].meta.security"),
    (DR, "contained.0.id", GONE, f"{DR}.contained[0].id"),
    (DR, "contained.0.resourceType", "Nothing", f"{DR}.contained[0]"),
    (DR, "contained.0.name.0.use", "x", f"{DR}.contained[0].name[0].use"),
    (DR, "context.period", {"start": "2026-01-06", "end": "2026-01-05"}, f"{DR}.context.period"),
    (DR, "content.0.attachment", {"data": "YWJj"}, f"{DR}.content[0].attachment.contentType"),
    (DR, "extension", [EXTENSION], f"{DR}.extension[0]"),
    (DR, "extension", [{**EXTENSION, "valueString": "x", "extension": [EXTENSION]}], f"{DR}.extension[0]"),
    (DR, "extension", [{"valueString": "x"}], f"{DR}.extension[0].url"),
    (DR, "extension", [{**EXTENSION, "valueString": "x", "valueCode": "y"}], f"{DR}.extension[0].value"),
    (DR, "extension", [{**EXTENSION, "valueQuantity": {"code": "kg"}}], f"{DR}.extension[0].value.system"),
    ("Patient", "telecom.0.system", GONE, "Patient.telecom[0].system"),
    ("Patient", "contact", [{"gender": "male"}], "Patient.contact[0]"),
    ("Organization", "name", GONE, "Organization"),
    ("Organization", "address", [{"use": "home"}], "Organization.address"),
    ("Organization", "telecom.0.use", "home", "Organization.telecom"),
    ("List", "emptyReason", {"text": "x"}, "List.emptyReason"),
    ("List", "entry.0.deleted", True, "List.entry[0].deleted"),
    ("List", "mode", "snapshot", "List.entry[0].date"),
    ("Consent", "policy", GONE, "Consent.policy"),
    ("Consent", "patient", GONE, "Consent.patient"),
    ("AuditEvent", "entity.0.name", "x", "AuditEvent.entity[0]"),
    ("Bundle", "total", 1, "Bundle.total"),
    ("Bundle", "entry.0.request", GONE, "Bundle.entry[0].request"),
    ("Bundle", "entry.0.response", {"status": "200"}, "Bundle.entry[0].response"),
    ("Bundle", "entry.0.search", {"mode": "match"}, "Bundle.entry[0].search"),
    ("Bundle", "entry.0.fullUrl", "http://h.example/Patient/1/_history/2", "Bundle.entry[0].fullUrl"),
    ("Bundle", "entry.1", BODIES["Bundle"]["entry"][0], "Bundle.entry[1].fullUrl"),
    ("Bundle", "type", "document", "Bundle.identifier"),
    ("Bundle", "type", "document", "Bundle.timestamp"),
    ("Bundle", "type", "document", "Bundle.entry[0].resource"),
    ("Bundle", "entry.0", {"fullUrl": "urn:uuid:1"}, "Bundle.entry[0]"),
    (DR, "context.period", {"start": "x", "end": "2026-01-05"}, f"{DR}.context.period.start"),
    ("Parameters", "parameter.0.valueCode", "x", "Parameters.parameter[0]"),
    ("Parameters", "parameter.0.part.0.valueCode", GONE, "Parameters.parameter[0].part[0]"),
]


@pytest.mark.parametrize("type_", BODIES)
def test_valid_body_is_accepted_and_comes_back_as_it_is(type_):
    body = json.dumps(BODIES[type_]).encode()

    assert parse(body, "application/fhir+json", type_) == BODIES[type_]


@holds("AC43")
@pytest.mark.parametrize(("type_", "path", "value", "expression"), BROKEN)
def test_broken_body_is_refused_and_the_element_named(type_, path, value, expression):
    body = json.dumps(broken(type_, path, value)).encode()

    with pytest.raises(Problem) as refused:
        parse(body, "application/fhir+json", type_)

    assert refused.value.category is Category.INVALID
    assert expression in [issue.expression for issue in refused.value.issues]


def test_all_faults_of_one_body_are_reported_together():
    body = BODIES[DR] | {"status": "final", "subject": REF, "nonsense": 1, "date": "today"}

    found = [issue.expression for issue in check(body)]

    assert sorted(found) == [DR, f"{DR}.date", f"{DR}.status", f"{DR}.subject"]


def test_expressions_start_at_the_place_of_the_resource():
    issues = check(BODIES[DR] | {"status": "final"}, "Bundle.entry[1].resource")

    assert [issue.expression for issue in issues] == ["Bundle.entry[1].resource.status"]


def test_entries_of_a_transaction_are_left_to_their_own_check():
    bundle = broken("Bundle", "entry.0.resource", {"resourceType": "Patient", "gender": "f"})

    assert check(bundle) == []


def test_entries_of_a_document_are_checked_with_it():
    composition = {"resourceType": "Composition", "status": "x"}
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:a", "value": "b"},
        "timestamp": "2026-01-05T09:00:00Z",
        "entry": [{"fullUrl": "urn:uuid:1", "resource": composition}],
    }

    assert "Bundle.entry[0].resource.status" in [issue.expression for issue in check(bundle)]


def test_history_names_one_resource_in_many_versions():
    entry = {
        "fullUrl": "http://h.example/Patient/1",
        "resource": {"resourceType": "Patient", "id": "1"},
        "request": {"method": "PUT", "url": "Patient/1"},
        "response": {"status": "200"},
    }

    assert check({"resourceType": "Bundle", "type": "history", "total": 2, "entry": [entry, entry]}) == []


@pytest.mark.parametrize(("member", "faults"), [("Practitioner/1", 0), ("#p", 0), ("Patient/1", 1)])
def test_only_practitioners_of_a_care_team_act_on_behalf_of_an_organization(member, faults):
    participant = {"member": {"reference": member}, "onBehalfOf": {"reference": "Organization/o1"}}
    contained = [{"resourceType": "Practitioner", "id": "p"}] if member == "#p" else []
    team = {"resourceType": "CareTeam", "participant": [participant]} | ({"contained": contained} if contained else {})

    assert [issue.expression for issue in check(team)] == ["CareTeam.participant[0].onBehalfOf"] * faults


def test_contained_resource_that_refers_to_its_container_is_used():
    contained = {
        "resourceType": "List",
        "id": "l",
        "status": "current",
        "mode": "working",
        "subject": {"reference": "#"},
    }

    assert check(BODIES["Patient"] | {"contained": [contained]}) == []


def test_a_hundred_faults_are_enough_for_one_answer():
    body = BODIES["Patient"] | {"identifier": [{"use": "x"}] * 300}

    assert len(check(body)) == 100


def test_deep_nesting_is_refused_without_harm():
    extension = {"url": "http://example.org/e", "valueString": "x"}
    for _ in range(60):
        extension = {"url": "http://example.org/e", "extension": [extension]}

    issues = check(BODIES["Patient"] | {"extension": [extension]})

    assert [issue.code for issue in issues] == ["too-deep"]


@pytest.mark.parametrize(
    "type_", ["Nothing", "DocumentReferenceContent", "Resource", "DomainResource", "HumanName", "", 7]
)
def test_only_resource_types_of_r4_are_resources(type_):
    assert [issue.expression for issue in check({"resourceType": type_})] == ["Resource"]
