"""`$validate`: what a write would find in a resource, on the type and on one resource, without a write.

Source: https://hl7.org/fhir/R4/resource-operation-validate.html.
"""

import pytest

from fhir_server.r4.checking import check
from fhir_server.registry import REGISTRY
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import FHIR_JSON, World

UNKNOWN = "00000000-0000-4000-8000-000000000009"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
NOBODY = {"resourceType": "Practitioner", "gender": "none", "birthDate": "tomorrow", "unheard": 1}
LOUD = {"resourceType": "Organization", "contained": [{"resourceType": "Location", "id": "a"}]}
BROKEN = (
    NOBODY,
    LOUD,
    {"resourceType": "Patient", "name": []},
    {"resourceType": "Location", "partOf": {"reference": 1}},
)


def validated(world, resource, path="", who="martin", **parts):
    """Return the issues for a resource that is sent alone, which are those for the same in Parameters."""
    place = f"/{path or resource['resourceType']}/$validate"
    values = {"mode": "valueCode", "profile": "valueUri"}
    more = [{"name": name, values[name]: value} for name, value in parts.items()]
    whole = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}, *more]}
    answer = world.send(who, "POST", place, whole)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    query = "&".join(f"{name}={value}" for name, value in parts.items())
    alone = world.send(who, "POST", f"{place}?{query}", resource)
    assert alone.get_json() == answer.get_json()
    assert check(answer.get_json()) == []
    return answer.get_json()["issue"]


def places(issues):
    return [place for one in issues for place in one.get("expression", [])]


@pytest.mark.parametrize("resource", BROKEN, ids=lambda one: one["resourceType"])
def test_it_finds_what_a_write_finds(shared_world: World, resource):
    written = shared_world.send("keeper", "POST", f"/{resource['resourceType']}", resource)
    assert written.status_code == 400
    issues = validated(shared_world, resource)
    assert places(issues) == places(written.get_json()["issue"])
    assert {one["severity"] for one in issues} == {"error"}


def test_a_sound_resource_has_no_fault(shared_world):
    issues = validated(shared_world, {"resourceType": "Practitioner", "name": [{"family": "Léger"}]}, mode="create")
    assert [(one["severity"], one["code"]) for one in issues] == [("information", "informational")]


@pytest.mark.parametrize("claimed", [True, False])
def test_a_profile_counts_that_is_claimed_or_named(shared_world, claimed):
    profile = f"{MHD}/IHE.MHD.Minimal.DocumentReference"
    document = {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": {"url": "urn:x"}}]}
    assert validated(shared_world, document)[0]["severity"] == "information"
    more = {} if claimed else {"profile": profile, "mode": "profile"}
    sent = document | ({"meta": {"profile": [profile]}} if claimed else {})
    issues = validated(shared_world, sent, **more)
    assert "DocumentReference.masterIdentifier" in places(issues)


def test_the_profile_of_the_type_itself_is_no_more_than_r4(shared_world):
    base = "http://hl7.org/fhir/StructureDefinition/Practitioner|4.0.1"
    assert validated(shared_world, {"resourceType": "Practitioner"}, profile=base)[0]["severity"] == "information"


def test_an_unknown_profile_is_not_supported(shared_world):
    issues = validated(shared_world, {"resourceType": "Practitioner"}, profile="urn:x")
    assert [one["code"] for one in issues] == ["not-supported"]


def test_what_the_directory_refuses_is_a_fault(shared_world):
    team = {"resourceType": "CareTeam", "subject": {"reference": f"Patient/{shared_world.ids['camille']}"}}
    assert set(places(validated(shared_world, team))) == {"CareTeam.subject"}


@pytest.mark.parametrize(("type_", "mode"), [("Communication", "create"), ("Binary", "create"), ("List", "create")])
def test_a_mode_that_the_type_does_not_offer_is_a_fault(shared_world, type_, mode):
    issues = validated(shared_world, {"resourceType": type_}, mode=mode)
    assert issues[0]["code"] == "not-supported"


def test_another_type_is_a_fault(shared_world):
    assert places(validated(shared_world, {"resourceType": "Patient"}, "Practitioner")) == ["Practitioner.resourceType"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b"{"),
        ("", b"[]"),
        ("", b""),
        ("?mode=burn", {"resourceType": "Patient"}),
        ("?mode=update", {"resourceType": "Patient"}),
        ("?mode=profile", {"resourceType": "Patient"}),
        ("?unheard=1", {"resourceType": "Patient"}),
        ("", {"resourceType": "Parameters"}),
        ("", {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": 1}]}),
        ("", {"resourceType": "Parameters", "parameter": [1]}),
        ("", {"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": ["create"]}]}),
        ("", {"resourceType": "Parameters", "parameter": [{"name": ["resource"]}]}),
    ],
)
def test_what_could_not_be_checked_is_refused(shared_world, query, body):
    answer = shared_world.send("martin", "POST", f"/Patient/$validate{query}", body)
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert answer.get_json()["issue"][0]["severity"] == "error"


@pytest.mark.parametrize("junk", [1, None, "x", [], {"resourceType": 1}, {"resourceType": "Nothing"}])
@pytest.mark.parametrize("element", ["meta", "contained", "extension", "subject", "identifier"])
def test_junk_is_no_defect(shared_world, element, junk):
    assert validated(shared_world, {"resourceType": "CareTeam", element: junk})[0]["severity"] == "error" or (
        element == "subject"
    )


def test_the_format_may_be_xml(shared_world):
    text = b'<Practitioner xmlns="http://hl7.org/fhir"><gender value="none"/></Practitioner>'
    answer = shared_world.send("martin", "POST", "/Practitioner/$validate", text, "application/fhir+xml")
    assert places(answer.get_json()["issue"]) == ["Practitioner.gender"]


@BOTH
def test_nothing_is_stored_or_told_of_the_store(world: World):
    number = {"system": "urn:x", "value": "1"}
    taken = {"resourceType": "Practitioner", "identifier": [number]}
    assert world.send("keeper", "POST", "/Practitioner", taken).status_code == 201
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{UNKNOWN}"}}
    for resource in (taken, role):
        assert validated(world, resource, mode="create")[0]["severity"] == "information"
    assert len(world.found("martin", "/Practitioner?identifier=urn:x|1")) == 1
    assert world.found("martin", f"/PractitionerRole?practitioner={UNKNOWN}") == []


@BOTH
def test_one_resource_is_checked_by_whoever_may_read_it(world: World):
    id_ = world.publish()
    assert world.agree("camille", "nour").status_code == 201
    path = f"/DocumentReference/{id_}/$validate"
    assert world.get("nour", path).get_json()["issue"][0]["severity"] == "information"
    document = world.get("nour", f"/DocumentReference/{id_}").get_json()
    wrong = world.send("nour", "POST", path, document | {"status": "none"})
    assert places(wrong.get_json()["issue"]) == ["DocumentReference.status"]
    hidden = world.get("martin", path)
    unknown = world.get("martin", f"/DocumentReference/{UNKNOWN}/$validate")
    assert (hidden.status_code, hidden.get_data()) == (404, unknown.get_data())
    trace = world.get("camille", f"/AuditEvent?entity=DocumentReference/{id_}&action=R").get_json()
    assert sum("nour" in str(entry["resource"]["agent"]) for entry in trace["entry"]) == 3


@pytest.mark.parametrize("body", [{"resourceType": "Patient"}, {"resourceType": "Patient", "unheard": 1}])
def test_who_may_not_read_learns_nothing_from_the_faults(world: World, body):
    world.patient("luc", "184039999900244")
    answers = [world.send("camille", "POST", f"/Patient/{id_}/$validate", body) for id_ in (world.ids["luc"], UNKNOWN)]
    assert answers[0].status_code == 404
    assert answers[0].get_data() == answers[1].get_data()


def test_an_update_names_the_resource_that_it_changes(shared_world):
    path = f"Practitioner/{shared_world.ids['nour']}"
    stored = shared_world.get("martin", f"/{path}").get_json()
    assert validated(shared_world, stored, path, mode="update")[0]["severity"] == "information"
    assert places(validated(shared_world, stored | {"id": "x"}, path, mode="update")) == ["Practitioner.id"]
    assert validated(shared_world, stored, path, mode="delete")[0]["code"] == "not-supported"


def test_a_content_is_checked_without_what_the_server_keeps_of_it(world: World):
    world.publish()
    content = world.get("camille", "/DocumentReference").get_json()["entry"][0]["resource"]["content"][0]["attachment"]
    path = content["url"].split("/fhir")[1]
    assert world.get("camille", f"{path}/$validate").get_json()["issue"][0]["severity"] == "information"


@pytest.mark.parametrize("type_", REGISTRY)
def test_a_token_is_needed(shared_world, type_):
    answer = shared_world.web.post(f"/fhir/{type_}/$validate", data=b"{}", content_type=FHIR_JSON)
    assert answer.status_code == 401


def test_the_number_of_faults_is_bounded(shared_world):
    many = {"resourceType": "Practitioner", "name": [{"use": "none"}] * 5_000}
    assert len(validated(shared_world, many)) == 100


def test_a_request_without_a_patient_leaves_an_event_of_its_own(world: World):
    world.send("martin", "POST", "/Patient/$validate", {"resourceType": "Patient"})
    assert "validate" not in world.get("camille", "/AuditEvent?_count=200").get_data(as_text=True)


@pytest.mark.parametrize("path", ["/Practitioner/$validate?resource=x", "/Practitioner/$validate?resource="])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_resource_in_the_url_is_refused_by_name(shared_world, path, method):
    answer = shared_world.send("martin", method, path)
    assert answer.status_code == 400
    assert "`resource` goes into the body" in answer.get_data(as_text=True)
