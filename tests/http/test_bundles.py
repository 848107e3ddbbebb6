"""batch and transaction: https://hl7.org/fhir/R4/http.html#transaction and #trules."""

from base64 import b64encode
from dataclasses import replace

import pytest

from tests.world import BASE, INS, JSON_PATCH, World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"


def entry(method, url, resource=None, full_url="", **request):
    built = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        built["resource"] = resource
    if full_url:
        built["fullUrl"] = full_url
    return built


def bundle(type_, *entries):
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries)}


def practitioner(value, family="X"):
    identifier = [{"system": "urn:x", "value": value}]
    return {"resourceType": "Practitioner", "identifier": identifier, "name": [{"family": family}]}


def role(practitioner_, organization=None):
    found = {"resourceType": "PractitionerRole", "practitioner": {"reference": practitioner_}}
    return found | ({"organization": {"reference": organization}} if organization else {})


def statuses(answer):
    return [one["response"]["status"][:3] for one in answer.get_json()["entry"]]


def test_a_transaction_answers_in_the_order_of_the_request_and_names_what_it_made(world: World):
    answer = world.send("keeper", "POST", "", bundle(
        "transaction",
        entry("GET", f"Practitioner/{world.ids['martin']}"),
        entry("POST", "PractitionerRole", role("urn:uuid:1", "Organization?identifier=https://finess.esante.gouv.fr|990000018"),
              "urn:uuid:2"),
        entry("POST", "Practitioner", practitioner("1"), "urn:uuid:1"),
    ))  # fmt: skip

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert statuses(answer) == ["200", "201", "201"]
    made = [one["response"].get("location", "").removeprefix(f"{BASE}/").split("/_history")[0]
            for one in answer.get_json()["entry"]]  # fmt: skip
    stored = world.get("keeper", f"/{made[1]}").get_json()
    assert stored["practitioner"]["reference"] == made[2]
    assert stored["organization"]["reference"] == f"Organization/{world.ids['chu']}"


def test_a_transaction_is_whole_or_nothing(shared_world: World, folder):
    world = shared_world
    before = world.dump(folder)

    answer = world.send("keeper", "POST", "", bundle(
        "transaction",
        entry("POST", "Practitioner", practitioner("2"), "urn:uuid:1"),
        entry("PUT", f"Practitioner/{UNKNOWN}", {"resourceType": "Practitioner", "id": UNKNOWN}),
    ))  # fmt: skip

    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert world.dump(folder) == before


@pytest.mark.parametrize(
    ("entries", "status", "expression"),
    [
        ([entry("POST", "Practitioner", practitioner("3") | {"gender": "x"})], 400, "Bundle.entry[0].resource.gender"),
        ([entry("POST", "Practitioner")], 400, "Bundle.entry[0].resource"),
        ([entry("POST", "Organization", practitioner("3"))], 400, "Bundle.entry[0].request.url"),
        ([entry("POST", "Nothing", practitioner("3"))], 400, "Bundle.entry[0].request.url"),
        ([entry("POST", "PractitionerRole", role("urn:uuid:9"))], 400,
         "Bundle.entry[0].resource.practitioner.reference"),
        ([entry("POST", "PractitionerRole", role("Practitioner/nobody"))], 422,
         "Bundle.entry[0].resource.practitioner.reference"),
        ([entry("POST", "PractitionerRole", role("Practitioner?identifier=urn:x|none"))], 422,
         "Bundle.entry[0].resource.practitioner.reference"),
        ([entry("POST", "PractitionerRole", role("Practitioner?name=x"))], 400,
         "Bundle.entry[0].resource.practitioner.reference"),
        ([entry("PUT", "Practitioner/1", practitioner("3") | {"id": "2"})], 400, "Bundle.entry[0].resource.id"),
        ([entry("DELETE", "Practitioner/1")], 405, "Bundle.entry[0].request.url"),
        ([entry("DELETE", "DocumentReference/1"), entry("DELETE", "DocumentReference/1")], 400,
         "Bundle.entry[1].request.url"),
        ([entry("POST", "Practitioner", practitioner("4")), entry("POST", "Practitioner", practitioner("4"))], 409,
         "Bundle.entry[1].resource.identifier[0]"),
    ],
)  # fmt: skip
def test_a_broken_transaction_is_refused_by_element_and_stores_nothing(
    shared_world, folder, entries, status, expression
):
    before = shared_world.dump(folder)

    answer = shared_world.send("keeper", "POST", "", bundle("transaction", *entries))

    assert answer.status_code == status, answer.get_data(as_text=True)
    named = [place for issue in answer.get_json()["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(expression) for place in named), named
    assert shared_world.dump(folder) == before


def test_a_conditional_reference_finds_what_the_same_transaction_makes(world: World):
    answer = world.send("keeper", "POST", "", bundle(
        "transaction",
        entry("POST", "PractitionerRole", role("Practitioner?identifier=urn:x|new"), "urn:uuid:1"),
        entry("POST", "Practitioner", practitioner("new"), "urn:uuid:2"),
    ))  # fmt: skip

    assert statuses(answer) == ["201", "201"]


def test_a_conditional_create_answers_what_exists_and_the_others_refer_to_it(world: World):
    existing = world.send("keeper", "POST", "/Practitioner", practitioner("5")).get_json()["id"]

    answer = world.send("keeper", "POST", "", bundle(
        "transaction",
        entry("POST", "Practitioner", practitioner("5"), "urn:uuid:1", ifNoneExist="identifier=urn:x|5"),
        entry("POST", "PractitionerRole", role("urn:uuid:1"), "urn:uuid:2"),
    ), Prefer="return=representation")  # fmt: skip

    assert statuses(answer) == ["200", "201"]
    assert answer.get_json()["entry"][1]["resource"]["practitioner"]["reference"] == f"Practitioner/{existing}"


def test_a_patient_and_a_choice_in_one_transaction(world: World):
    consent = world.consent("martin")
    consent["patient"] = {"reference": f"Patient?identifier={INS}|284039999900148"}

    answer = world.send("camille", "POST", "", bundle("transaction", entry("POST", "Consent", consent, "urn:uuid:1")))

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200


def test_two_choices_in_one_transaction_both_hold(world: World):
    entries = [entry("POST", "Consent", world.consent(name), f"urn:uuid:{name}") for name in ("martin", "zoe")]

    assert world.send("camille", "POST", "", bundle("transaction", *entries)).status_code == 200
    for name in ("martin", "zoe"):
        assert world.get(name, f"/DocumentReference?patient={world.ids['camille']}").status_code == 200


def test_a_patch_travels_as_a_binary_or_as_parameters(world: World):
    document = world.publish()
    operations = b'[{"op":"add","path":"/securityLabel/-","value":{"coding":[{"code":"MASQUE_PS"}]}}]'
    binary = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": b64encode(operations).decode()}

    answer = world.send("camille", "POST", "", bundle("batch", entry("PATCH", f"DocumentReference/{document}", binary)))

    assert statuses(answer) == ["200"]
    assert answer.get_json()["entry"][0]["response"]["etag"] == 'W/"1-1"'


def test_the_entries_of_a_batch_fail_alone(world: World):
    answer = world.send("keeper", "POST", "", bundle(
        "batch",
        entry("POST", "Practitioner", practitioner("6")),
        entry("POST", "Practitioner", practitioner("6")),
        entry("POST", "Practitioner", {"resourceType": "Practitioner", "gender": "x"}),
        entry("GET", f"Practitioner/{UNKNOWN}"),
        entry("GET", "Practitioner?identifier=urn:x|6"),
        entry("POST", "PractitionerRole", role("urn:uuid:1"), "urn:uuid:2"),
        entry("DELETE", "Organization/1"),
        entry("GET", "Nothing/1"),
    ))  # fmt: skip

    assert answer.status_code == 200
    assert statuses(answer) == ["201", "409", "400", "404", "200", "400", "405", "404"]
    assert answer.get_json()["entry"][4]["resource"]["total"] == 1
    assert answer.get_json()["entry"][1]["response"]["outcome"]["issue"][0]["code"] == "duplicate"


def test_a_batch_publishes_and_deletes_documents(world: World):
    first = world.publish()

    answer = world.send("chu-ehr", "POST", "", bundle(
        "batch",
        entry("POST", "DocumentReference", world.simplified()),
        entry("DELETE", f"DocumentReference/{first}"),
        entry("DELETE", f"DocumentReference/{UNKNOWN}"),
    ))  # fmt: skip

    assert statuses(answer) == ["201", "204", "204"]
    assert len(world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")) == 1


def test_a_document_is_never_published_on_a_condition_in_a_batch_either(world: World):
    posted = entry("POST", "DocumentReference", world.simplified())
    posted["request"]["ifNoneExist"] = "identifier=urn:ietf:rfc:3986|urn:oid:1.2.3"

    answer = world.send("chu-ehr", "POST", "", bundle("batch", posted))

    outcome = answer.get_json()["entry"][0]["response"]
    assert outcome["status"][:3] == "400"
    assert outcome["outcome"]["issue"][0]["code"] == "not-supported"
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_an_empty_bundle_has_an_empty_answer(world: World, type_):
    answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": type_})
    assert answer.status_code == 200
    assert answer.get_json() == {"resourceType": "Bundle", "type": f"{type_}-response"}


@pytest.mark.parametrize("type_", ["searchset", "collection", "document"])
def test_other_bundles_are_refused(world: World, type_):
    assert world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": type_}).status_code == 400


@pytest.mark.parametrize("path", ["", "/"])
def test_the_endpoint_answers_with_and_without_a_final_slash(world: World, path):
    assert world.send("keeper", "POST", path, {"resourceType": "Bundle", "type": "batch"}).status_code == 200


def test_without_a_token_nothing_is_read_or_written(world: World):
    answer = world.web.post("/fhir", json=bundle("batch"), content_type="application/fhir+json")
    assert answer.status_code == 401


def test_the_answer_comes_in_xml_when_asked(world: World):
    answer = world.send("chu-ehr", "POST", "", world.bundle(), Accept="application/fhir+xml")
    assert answer.status_code == 200
    assert answer.get_data().startswith(b"<Bundle") or b"<Bundle" in answer.get_data()[:120]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Binary", "contentType": JSON_PATCH, "data": b64encode(b"no json").decode()},
        {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="},
        {"resourceType": "Patient"},
    ],
)
def test_what_is_no_patch_is_refused_in_a_batch(world: World, resource):
    url = f"DocumentReference/{world.publish()}"
    answer = world.send("camille", "POST", "", bundle("batch", entry("PATCH", url, resource)))
    assert statuses(answer) == ["400"]


def test_choices_and_the_directory_are_updated_and_patched_in_one_transaction(world: World):
    consent = world.agree("camille", "martin").get_json()
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Consent.status"},
        {"name": "value", "valueCode": "inactive"},
    ]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}

    answer = world.send("camille", "POST", "", bundle("transaction", entry("PATCH", f"Consent/{consent['id']}", patch)))

    assert statuses(answer) == ["200"], answer.get_data(as_text=True)
    back = world.send("camille", "POST", "", bundle("transaction", entry("PUT", f"Consent/{consent['id']}", consent)))
    assert statuses(back) == ["200"]
    person = world.get("keeper", f"/Practitioner/{world.ids['zoe']}").get_json() | {"active": True}
    path = f"Practitioner/{world.ids['zoe']}"
    assert statuses(world.send("keeper", "POST", "", bundle("transaction", entry("PUT", path, person)))) == ["200"]


def test_a_warning_travels_with_its_entry(world: World):
    world.runtime = replace(world.runtime, refuse_wrong_size=False)
    world.web.application.extensions["habilis.runtime"] = world.runtime
    lot = world.bundle()
    lot["entry"][1]["resource"]["content"][0]["attachment"]["size"] = 1

    answer = world.send("chu-ehr", "POST", "", lot)

    outcome = answer.get_json()["entry"][1]["response"]["outcome"]
    assert [issue["severity"] for issue in outcome["issue"]] == ["warning"]


def test_own_absolute_urls_are_understood_and_others_refused_by_name(world: World):
    nour = f"Practitioner/{world.ids['nour']}"
    resource = {"resourceType": "Practitioner", "id": world.ids["nour"], "active": True}
    entries = [
        {"request": {"method": "GET", "url": f"{BASE}/{nour}"}},
        {"resource": resource, "request": {"method": "PUT", "url": f"{BASE}/{nour}"}},
        {"request": {"method": "GET", "url": f"https://elsewhere.example/fhir/{nour}"}},
        {"resource": resource, "request": {"method": "PUT", "url": f"https://elsewhere.example/fhir/{nour}"}},
    ]
    answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    responses = [entry["response"] for entry in answer.get_json()["entry"]]
    assert [response["status"][:3] for response in responses] == ["200", "200", "400", "400"]
    for response in responses[2:]:
        assert "another server" in response["outcome"]["issue"][0]["details"]["text"]


def test_a_submission_with_own_absolute_urls_is_filed(world: World):
    bundle = world.bundle()
    for entry in bundle["entry"]:
        entry["request"]["url"] = f"{BASE}/{entry['request']['url']}"
    answer = world.send("chu-ehr", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_a_batch_does_not_send_again_what_the_client_has(shared_world: World):
    nour = f"Practitioner/{shared_world.ids['nour']}"
    known = shared_world.get("nour", f"/{nour}")
    asked = [
        {"ifNoneMatch": known.headers["ETag"]},
        {"ifModifiedSince": known.get_json()["meta"]["lastUpdated"]},
        {"ifNoneMatch": 'W/"99"'},
        {"ifModifiedSince": "2001-01-01T00:00:00Z"},
    ]
    entries = [{"request": {"method": "GET", "url": nour} | more} for more in asked]
    answer = shared_world.send("nour", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    told = answer.get_json()["entry"]
    assert [entry["response"]["status"][:3] for entry in told] == ["304", "304", "200", "200"]
    assert ["resource" in entry for entry in told] == [False, False, True, True]
