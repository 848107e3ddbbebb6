"""What the CapabilityStatement says of the EU Health Data API, asked of the running server (ADR 133).

Source: HL7 Europe, EU Health Data API 1.0.0-ballot: CapabilityStatement EEHRxF-DocumentAccessProvider, profile
EehrxfMhdDocumentReference, document exchange.
"""

import pytest

from fhir_server.http.fhir.capabilities import statement_of
from fhir_server.r4.claimed_profiles import EUROPEAN, check
from tests.holds import holds
from tests.http.fhir_documents import as_bundle, as_simplified, fhir_document, filed
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import BASE, World

PROFILE = f"{EUROPEAN}EehrxfMhdDocumentReference"
PROVIDER = "http://hl7.eu/fhir/health-data-api/CapabilityStatement/EEHRxF-DocumentAccessProvider|1.0.0-ballot"
WANTED = {
    "DocumentReference": (
        {"read", "search-type"},
        {"_id", "patient", "patient.identifier", "type", "category", "date"},
    ),
    "Binary": ({"read"}, set()),
    "Patient": ({"read", "search-type"}, {"_id", "identifier"}),
}
"""What the guide's statement says with SHALL (and `category`, `date` with SHOULD): interactions and parameters."""


def number_of(world: World) -> str:
    held = world.get("camille", f"/Patient/{world.ids['camille']}").get_json()["identifier"][0]
    return f"{held['system']}|{held['value']}"


@holds("EU-10")
def test_the_statement_that_is_instantiated_is_kept(shared_world: World):
    statement = statement_of(BASE)
    assert PROVIDER in statement["instantiates"]
    assert {"application/fhir+json", "application/fhir+xml"} <= set(statement["format"])
    services = statement["rest"][0]["security"]["service"]
    assert services[0]["coding"][0]["code"] == "SMART-on-FHIR"
    stated = {one["type"]: one for one in statement["rest"][0]["resource"]}
    for type_, (interactions, parameters) in WANTED.items():
        assert interactions <= {one["code"] for one in stated[type_]["interaction"]}
        assert parameters <= {one["name"] for one in stated[type_].get("searchParam", [])} | {"_id"}
    assert "Provenance:target" in stated["DocumentReference"]["searchRevInclude"]
    patient = shared_world.ids["camille"]
    for path in (
        f"/DocumentReference?patient={patient}&type=http://loinc.org|60591-5",
        f"/DocumentReference?patient={patient}&_id=00000000-0000-4000-8000-000000000001",
        f"/DocumentReference?patient={patient}&category=x&date=ge2026&_revinclude=Provenance:target",
        f"/Patient?identifier={number_of(shared_world)}",
        f"/Patient?_id={patient}",
    ):
        assert shared_world.get("camille", path, Prefer="handling=strict").status_code == 200, path


@BOTH
@holds("EU-8")
def test_one_search_by_the_number_of_the_patient_leads_to_the_fhir_document(world: World):
    document = fhir_document(world)
    _, id_ = filed(world, document)
    world.agree("camille", "martin")
    query = f"/DocumentReference?patient.identifier={number_of(world)}&contenttype=application/fhir%2Bjson"
    (entry,) = world.get("martin", query, Prefer="handling=strict").get_json()["entry"]
    url = entry["resource"]["content"][0]["attachment"]["url"]
    assert world.get("martin", url.removeprefix(BASE)).get_json() == document | {"id": id_}


def claiming(world: World, **changes):
    bundle = as_bundle(world, fhir_document(world))
    resource = bundle["entry"][1]["resource"]
    resource["meta"] = {"profile": [PROFILE]}
    for name, value in changes.items():
        resource.pop(name, None) if value is None else resource.update({name: value})
    return bundle


@holds("EU-9")
@pytest.mark.parametrize("missing", ["date", "custodian", "subject", "masterIdentifier"])
def test_a_document_that_claims_the_profile_without_keeping_it_is_refused(world: World, missing):
    answer = world.send("chu-ehr", "POST", "", claiming(world, **{missing: None}))
    assert answer.status_code in (400, 422), answer.get_data(as_text=True)
    told = [issue["expression"][0] for issue in answer.get_json()["issue"] if issue.get("expression")]
    assert any(missing in place for place in told), told


@holds("EU-9")
def test_a_document_that_keeps_the_profile_is_stored_with_its_claim_and_found_by_it(world: World):
    answer = world.send("chu-ehr", "POST", "", claiming(world))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    place = answer.get_json()["entry"][1]["response"]["location"].removeprefix(f"{BASE}/").split("/_history")[0]
    read = world.get("camille", f"/{place}").get_json()
    assert read["meta"]["profile"] == [PROFILE]
    assert check(read) == []
    assert world.found("camille", f"/DocumentReference?_profile={PROFILE}") == [read["id"]]
    other = [f"{EUROPEAN}EehrxfDocumentReference"]
    bundle = claiming(world)
    bundle["entry"][1]["resource"]["meta"]["profile"] = other
    assert "unknown-profile" in world.send("chu-ehr", "POST", "", bundle).get_data(as_text=True)


def test_a_simplified_publication_becomes_what_the_profile_asks(world: World):
    answer = world.send("chu-ehr", "POST", "/DocumentReference", as_simplified(world, b"{}"))
    assert answer.status_code == 201
    assert check(answer.get_json() | {"meta": {"profile": [PROFILE]}}) == []
