"""Location, HealthcareService, Endpoint and CareTeam of the directory, over HTTP.

Source: https://hl7.org/fhir/R4/location.html, healthcareservice.html, endpoint.html and careteam.html; IHE mCSD names
the types; ADR 113 says what a CareTeam is here.
"""

import json

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import BASE, INS, JSON_PATCH, World

SYSTEM = "urn:x:places"
CODED = {"coding": [{"system": "urn:x", "code": "a"}]}
UNKNOWN = "00000000-0000-4000-8000-000000000009"


def location(world, **more):
    return {
        "resourceType": "Location",
        "identifier": [{"system": SYSTEM, "value": "l1"}],
        "status": "active",
        "operationalStatus": {"system": "urn:x", "code": "O"},
        "name": "Bâtiment des consultations",
        "alias": ["Tour Pinel"],
        "type": [CODED],
        "address": {"use": "work", "line": ["1 rue du Lac"], "city": "Annecy", "state": "ARA", "postalCode": "74000"}
        | {"country": "FR"},
        "managingOrganization": {"reference": f"Organization/{world.ids['chu']}"},
    } | more


def endpoint(world, **more):
    return {
        "resourceType": "Endpoint",
        "identifier": [{"system": SYSTEM, "value": "e1"}],
        "status": "active",
        "connectionType": {"system": "urn:x", "code": "fhir"},
        "name": "Documents of the hospital",
        "managingOrganization": {"reference": f"Organization/{world.ids['chu']}"},
        "payloadType": [CODED],
        "address": "https://chu.example/fhir",
    } | more


def service(world, **more):
    return {
        "resourceType": "HealthcareService",
        "identifier": [{"system": SYSTEM, "value": "s1"}],
        "active": True,
        "providedBy": {"reference": f"Organization/{world.ids['chu']}"},
        "category": [CODED],
        "type": [{"coding": [{"system": "urn:x", "code": "b"}]}],
        "specialty": [CODED],
        "characteristic": [CODED],
        "program": [CODED],
        "name": "Cardiologie",
        "location": [{"reference": f"Location/{world.ids['place']}"}],
        "coverageArea": [{"reference": f"Location/{world.ids['place']}"}],
        "endpoint": [{"reference": f"Endpoint/{world.ids['address']}"}],
    } | more


def team(world, **more):
    return {
        "resourceType": "CareTeam",
        "identifier": [{"system": SYSTEM, "value": "t1"}],
        "status": "active",
        "category": [CODED],
        "name": "Équipe mobile",
        "period": {"start": "2026-01-01"},
        "participant": [{"member": {"reference": f"Practitioner/{world.ids['nour']}"}}],
        "managingOrganization": [{"reference": f"Organization/{world.ids['chu']}"}],
    } | more


@pytest.fixture
def placed(shared_world: World):
    """The hospital has a place, an address, a service and a team."""
    world = shared_world
    for name, made in (("place", location), ("address", endpoint), ("service", service), ("team", team)):
        answer = world.send("keeper", "POST", f"/{made(world)['resourceType']}", made(world))
        assert answer.status_code == 201, answer.get_data(as_text=True)
        world.ids[name] = answer.get_json()["id"]
    return world


MADE = {"Location": (location, "place"), "Endpoint": (endpoint, "address")}
MADE |= {"HealthcareService": (service, "service"), "CareTeam": (team, "team")}


@pytest.mark.parametrize("type_", MADE)
def test_the_operator_changes_it_and_everybody_with_a_token_reads_it(placed, type_):
    path = f"/{type_}/{placed.ids[MADE[type_][1]]}"
    read = placed.get("martin", path).get_json()

    changed = placed.send("keeper", "PUT", path, read | {"name": "other"}, If_Match='W/"1"')
    patched = placed.send("keeper", "PATCH", path, [{"op": "replace", "path": "/name", "value": "third"}], JSON_PATCH)

    assert (changed.status_code, patched.status_code) == (200, 200), patched.get_data(as_text=True)
    versions = placed.get("camille", f"{path}/_history").get_json()["entry"]
    assert [one["resource"]["name"] for one in versions] == ["third", "other", read["name"]]
    assert placed.get("camille", f"{path}/_history/1").get_json()["name"] == read["name"]
    assert placed.web.get(f"/fhir{path}").status_code == 401
    assert placed.send("keeper", "DELETE", path).status_code == 405


@pytest.mark.parametrize("type_", MADE)
@pytest.mark.parametrize("who", ["camille", "martin", "chu-ehr"])
def test_nobody_but_the_operator_records_it(placed, type_, who):
    """Software of an establishment could name the address of another one, to which others then send documents."""
    made = MADE[type_][0](placed)
    path = f"/{type_}/{placed.ids[MADE[type_][1]]}"
    assert placed.send(who, "POST", f"/{type_}", made).status_code == 403
    assert placed.send(who, "PUT", path, made | {"id": path.rpartition("/")[2]}).status_code == 403


SEARCHES = {
    "Location": [
        "address=rue",
        "address-city=annecy",
        "address-country=FR",
        "address-postalcode=74000",
        "address-state=ara",
        "address-use=work",
        f"identifier={SYSTEM}|l1",
        "name=tour",
        "name=batiment",
        "operational-status=urn:x|O",
        "organization=Organization/{chu}",
        "status=active",
        "type=urn:x|a",
        "endpoint:missing=true",
        "partof:missing=true",
    ],
    "Endpoint": [
        "connection-type=urn:x|fhir",
        f"identifier={SYSTEM}|e1",
        "name=documents",
        "organization=Organization/{chu}",
        "payload-type=a",
        "status=active",
    ],
    "HealthcareService": [
        "active=true",
        "characteristic=a",
        "coverage-area=Location/{place}",
        "endpoint=Endpoint/{address}",
        f"identifier={SYSTEM}|s1",
        "location={place}",
        "name=cardio",
        "organization=Organization/{chu}",
        "program=a",
        "service-category=urn:x|a",
        "service-type=b",
        "specialty=a",
    ],
    "CareTeam": [
        "category=a",
        "date=ge2026-01-01",
        f"identifier={SYSTEM}|t1",
        "participant=Practitioner/{nour}",
        "status=active",
    ],
}


@pytest.mark.parametrize(("type_", "query"), [(type_, query) for type_, all_ in SEARCHES.items() for query in all_])
@holds("MCSD-90-1")
def test_a_search_finds_it_by_each_parameter(placed, type_, query):
    id_ = placed.ids[MADE[type_][1]]
    asked = query.format(**placed.ids)
    assert placed.found("martin", f"/{type_}?_id={id_}&{asked}") == [id_]
    other = asked.replace("true", "false") if "true" in asked else f"{asked}0"
    other = "date=lt2026-01-01" if asked.startswith("date") else other
    assert placed.found("martin", f"/{type_}?_id={id_}&{other}") == []


@pytest.mark.parametrize("query", ["patient={camille}", "subject=Patient/{camille}", "encounter={camille}"])
def test_no_team_is_found_by_a_patient(placed, query):
    assert placed.found("martin", f"/CareTeam?{query.format(**placed.ids)}") == []


def test_distances_are_refused_and_not_ignored(placed):
    assert placed.get("martin", "/Location?near=45.9|6.1|10|km").status_code == 400


@pytest.mark.parametrize(
    ("type_", "element"),
    [
        ("Location", "partOf"),
        ("Location", "managingOrganization"),
        ("HealthcareService", "location"),
        ("HealthcareService", "endpoint"),
        ("Endpoint", "managingOrganization"),
        ("CareTeam", "managingOrganization"),
    ],
)
def test_a_reference_to_nothing_is_refused(placed, type_, element):
    made = MADE[type_][0](placed)
    kind = {"partOf": "Location", "managingOrganization": "Organization"}.get(element, element.title())
    named = {"reference": f"{kind}/{UNKNOWN}"}
    many = isinstance(made.get(element), list)
    answer = placed.send("keeper", "POST", f"/{type_}", made | {element: [named] if many else named})
    assert answer.status_code == 422
    expression = f"{type_}.{element}{'[0]' if many else ''}.reference"
    assert [one["expression"] for one in answer.get_json()["issue"]] == [[expression]]


@pytest.mark.parametrize(
    ("more", "expression"),
    [
        ({"subject": {"reference": "Patient/{camille}"}}, "CareTeam.subject"),
        ({"subject": {"identifier": {"system": INS, "value": "1"}}}, "CareTeam.subject"),
        ({"encounter": {"display": "x"}}, "CareTeam.encounter"),
        ({"reasonCode": [CODED]}, "CareTeam.reasonCode"),
        ({"participant": [{"member": {"reference": "Patient/{camille}"}}]}, "CareTeam.participant[0].member"),
        (
            {"participant": [{"member": {"reference": BASE + "/RelatedPerson/1"}}]},
            "CareTeam.participant[0].member",
        ),
        (
            {"participant": [{"member": {"type": "Patient", "identifier": {"system": INS, "value": "1"}}}]},
            "CareTeam.participant[0].member",
        ),
    ],
)
def test_a_team_of_a_patient_is_refused_by_the_element(placed, more, expression):
    named = json.loads(json.dumps(more).replace("{camille}", placed.ids["camille"]))
    answer = placed.send("keeper", "POST", "/CareTeam", team(placed, **named))
    assert answer.status_code == 422, answer.get_data(as_text=True)
    assert expression in [place for one in answer.get_json()["issue"] for place in one["expression"]]


def test_a_patch_makes_no_team_of_a_patient(placed):
    path = f"/CareTeam/{placed.ids['team']}"
    subject = {"reference": f"Patient/{placed.ids['camille']}"}
    answer = placed.send("keeper", "PATCH", path, [{"op": "add", "path": "/subject", "value": subject}], JSON_PATCH)
    assert answer.status_code == 422


@pytest.mark.parametrize("kind", ["permit", "deny"])
def test_a_consent_names_no_team_of_the_directory(placed, kind):
    """Nobody would get or lose access by it; the patient must not believe so."""
    consent = placed.consent("nour", kind)
    consent["provision"]["actor"][0]["reference"] = {"reference": f"CareTeam/{placed.ids['team']}"}
    answer = placed.send("camille", "POST", "/Consent", consent)
    assert answer.status_code == 422
    where = "Consent.provision.actor[0].reference.reference"
    assert [one["expression"] for one in answer.get_json()["issue"]] == [[where]]


def test_no_invitation_is_for_a_place(placed):
    named = {"name": "audience", "valueReference": {"reference": f"Location/{placed.ids['place']}"}}
    body = {"resourceType": "Parameters", "parameter": [named]}
    answer = placed.send("camille", "POST", f"/Patient/{placed.ids['camille']}/$invite", body)
    assert answer.status_code in (400, 422)


@BOTH
def test_one_transaction_records_an_establishment_with_its_address(world: World):
    """mCSD: the establishment names its endpoint, and the endpoint names the establishment."""
    entries = [
        ("Organization", {"name": "clinic", "endpoint": [{"reference": "urn:uuid:" + UNKNOWN[:-1] + "2"}]}),
        ("Endpoint", endpoint(world, managingOrganization={"reference": "urn:uuid:" + UNKNOWN[:-1] + "1"})),
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{UNKNOWN[:-1]}{number}",
                "resource": {"resourceType": type_} | resource,
                "request": {"method": "POST", "url": type_},
            }
            for number, (type_, resource) in enumerate(entries, 1)
        ],
    }
    answer = world.send("keeper", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    made = [
        entry["response"]["location"].split("/fhir/")[1].split("/_history")[0] for entry in answer.get_json()["entry"]
    ]
    assert world.get("martin", f"/{made[0]}").get_json()["endpoint"] == [{"reference": made[1]}]
