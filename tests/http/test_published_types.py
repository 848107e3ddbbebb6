"""What comes from the code: CapabilityStatement, OperationDefinition, CodeSystem and ValueSet, without a token.

Source: https://hl7.org/fhir/R4/conformance-module.html, https://hl7.org/fhir/R4/http.html#search; ADR 114.
"""

import re

import pytest

from consent_rules.matrix.table import kinds, professions
from fhir_server.application.documents.authors import DEPOSITOR
from fhir_server.domain import notices
from fhir_server.domain.audit.audit_event import EVENT_KIND
from fhir_server.domain.audit.audit_event_parts import OWN_LOGIN
from fhir_server.domain.terminology.code_systems import LOINC, code_systems, is_published
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.r4.checking import check
from fhir_server.registry import PUBLISHED
from tests.world import BASE, World


@pytest.fixture
def web(shared_world: World):
    return shared_world.web


def found(web, path):
    answer = web.get(f"/fhir/{path}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


@pytest.mark.parametrize("type_", PUBLISHED)
def test_every_resource_is_valid_and_read_by_its_id(web, type_):
    listed = found(web, f"{type_}?_count=200")
    assert listed
    for resource in listed:
        assert check(resource) == []
        read = web.get(f"/fhir/{type_}/{resource['id']}")
        assert read.get_json() == resource
        again = web.get(f"/fhir/{type_}/{resource['id']}", headers={"If-None-Match": read.headers["ETag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("type_", PUBLISHED)
def test_an_unknown_id_is_not_found_and_nothing_is_written(web, type_):
    assert web.get(f"/fhir/{type_}/nothing").status_code == 404
    assert web.post(f"/fhir/{type_}", json={"resourceType": type_}).status_code == 405
    assert web.put(f"/fhir/{type_}/x", json={"resourceType": type_, "id": "x"}).status_code == 405


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("CodeSystem?url=http://loinc.org", ["loinc"]),
        ("CodeSystem?url=http://loinc.org/other", []),
        ("CodeSystem?code=11502-2", ["loinc"]),
        ("CodeSystem?_id=proof,grade", ["grade", "proof"]),
        ("CodeSystem?name=proof", ["proof"]),
        ("CodeSystem?title=what+shows", ["proof"]),
        ("CodeSystem?content-mode=fragment&code=10&name=treg15", ["TRE-G15-ProfessionSante"]),
        ("ValueSet?url=urn:habilis:value-set:document-kinds", ["document-kinds"]),
        ("ValueSet?reference=http://loinc.org", ["document-kinds"]),
        ("OperationDefinition?code=invite", ["Patient-invite"]),
        ("OperationDefinition?name=patientinvite", ["Patient-invite", "Patient-invite-relative"]),
        ("OperationDefinition?code=expand&type=true&instance=true", ["ValueSet-expand"]),
        (f"OperationDefinition?url={BASE}/OperationDefinition/Patient-invite", ["Patient-invite"]),
        ("CapabilityStatement?fhirversion=4.0.1&resource=ValueSet", ["habilis"]),
        ("CapabilityStatement?version=0.0.0-none", []),
        ("ValueSet?status=draft", []),
        ("StructureDefinition?url=urn:habilis:depositor", ["depositor"]),
        ("StructureDefinition?ext-context=AuditEvent.agent", ["own-login"]),
        ("StructureDefinition?valueset=urn:habilis:value-set:grade&type=Extension", ["grade"]),
        ("ValueSet?_lastUpdated=lt2020", []),
    ],
)
def test_a_search_finds_by_the_usual_parameters(web, path, ids):
    assert [one["id"] for one in found(web, path)] == ids


def test_every_operation_is_listed(web):
    assert {one["id"] for one in found(web, "OperationDefinition?_count=200")} == {one.id for one in OPERATIONS}


def test_pages_show_each_resource_once(web):
    seen, path = [], "/fhir/OperationDefinition?_count=7&status=active"
    while path:
        page = web.get(path).get_json()
        assert page["total"] == len(OPERATIONS)
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        path = next(
            (one["url"].removeprefix("http://localhost:8080") for one in page["link"] if one["relation"] == "next"), ""
        )
    assert seen == sorted(one.id for one in OPERATIONS)


@pytest.mark.parametrize(
    "query",
    [
        "_has:Provenance:target:recorded=ge2020",
        "_has:ValueSet:reference:name=x",
        "_list=x",
        "_revinclude=Provenance:target",
        "_include=ValueSet:reference",
        "url.name=x",
    ],
)
def test_nothing_is_joined_without_a_token(web, query):
    answer = web.get(f"/fhir/CodeSystem?{query}", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 400, answer.get_data(as_text=True)
    lenient = web.get(f"/fhir/CodeSystem?{query}")
    assert lenient.status_code == 400 or "outcome" in lenient.get_data(as_text=True)


@pytest.mark.parametrize("query", ["_page=AAAA", "_count=x", "url:exact=a", "patient=x", "_sort=name"])
def test_what_is_not_offered_is_refused(web, query):
    assert web.get(f"/fhir/CodeSystem?{query}").status_code == 400


def test_a_form_searches_too(web):
    answer = web.post("/fhir/ValueSet/_search", data={"name": "professions"})
    assert [entry["resource"]["id"] for entry in answer.get_json()["entry"]] == ["professions"]
    assert web.post("/fhir/ValueSet/_search", json={}).status_code == 415


def test_the_total_alone(web):
    page = web.get("/fhir/ValueSet?_summary=count").get_json()
    assert page["total"] == len(found(web, "ValueSet?_count=200"))
    assert "entry" not in page


def test_loinc_has_the_notice_that_its_license_requires(web):
    (system,) = found(web, f"CodeSystem?url={LOINC}")
    (kinds_,) = found(web, "ValueSet?name=documentkinds")
    for resource in (system, kinds_):
        assert "Regenstrief Institute" in resource["copyright"]
        assert "http://loinc.org/license" in resource["copyright"]
    assert system["content"] == "fragment"


def test_the_codes_are_those_of_the_matrix(web):
    (of_kinds,) = found(web, "ValueSet?name=documentkinds")
    (of_people,) = found(web, "ValueSet?name=professions")
    for value_set, rows in ((of_kinds, kinds()), (of_people, professions())):
        told = {
            (include["system"], one["code"], one["display"])
            for include in value_set["compose"]["include"]
            for one in include["concept"]
        }
        assert told == {(row.system, row.code, row.label_fr) for row in rows.values() if is_published(row.system)}


def test_a_token_changes_nothing_and_no_event_tells_of_it(shared_world):
    with_token = shared_world.get("martin", "/CodeSystem?_count=200").get_data()
    assert with_token == shared_world.web.get("/fhir/CodeSystem?_count=200").get_data()
    assert shared_world.get("martin", "/CodeSystem/proof").status_code == 200


def test_no_two_resources_of_a_type_have_one_id_or_url(web):
    for type_ in PUBLISHED:
        listed = found(web, f"{type_}?_count=200")
        for name in ("id", "url"):
            assert len({one.get(name, one["id"]) for one in listed}) == len(listed)


def test_ids_are_ids_of_r4():
    assert all(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", one.id) for one in code_systems().values())


def test_every_extension_of_the_server_is_defined(web):
    of_notices = {notices.REVIEW_DUE, notices.REVIEW_OUTCOME, notices.PROOF, notices.GRADE, notices.ACCESS_AT}
    used = {DEPOSITOR, EVENT_KIND, OWN_LOGIN} | of_notices
    assert {one["url"] for one in found(web, "StructureDefinition?_count=200")} == used
