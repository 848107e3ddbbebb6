"""create and update of people and establishments: https://hl7.org/fhir/R4/http.html#create, #ccreate, #update."""

import pytest

from tests.world import BASE, INS, JSON_PATCH, World

RPPS = "https://rpps.esante.gouv.fr"
PRACTITIONER = {"resourceType": "Practitioner", "identifier": [{"system": RPPS, "value": "99700000016"}]}


def test_a_resource_is_created_with_its_version_and_place(world: World):
    answer = world.send("keeper", "POST", "/Practitioner", PRACTITIONER | {"id": "mine", "name": [{"family": "Léger"}]})

    assert answer.status_code == 201
    id_ = answer.get_json()["id"]
    assert id_ != "mine"
    assert answer.headers["Location"] == f"{BASE}/Practitioner/{id_}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert world.get("martin", f"/Practitioner/{id_}").get_json()["name"] == [{"family": "Léger"}]


def test_a_new_patient_has_an_open_space(world: World):
    patient = {"resourceType": "Patient", "identifier": [{"system": INS, "value": "184039999900321"}]}
    id_ = world.send("keeper", "POST", "/Patient", patient).get_json()["id"]
    world.ids["new"] = id_

    assert world.publish(patient="new")


def test_create_unless_it_exists_answers_what_exists(world: World):
    condition = f"identifier={RPPS}|99700000016"
    first = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=condition)
    second = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=condition)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json()["id"] == first.get_json()["id"]


@pytest.mark.parametrize("condition", ["colour=x", "identifier=,", "identifier=a|b&colour=blue", "_count=1"])
def test_only_search_parameters_are_conditions(world: World, condition):
    assert world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=condition).status_code == 400


@pytest.mark.parametrize("type_", ["Patient", "Practitioner", "Organization"])
def test_an_identifier_names_one_resource(world: World, type_):
    resource = {"resourceType": type_, "identifier": [{"system": "urn:x", "value": "1"}], "name": [{"family": "X"}]}
    if type_ == "Organization":
        resource["name"] = "X"
    assert world.send("keeper", "POST", f"/{type_}", resource).status_code == 201

    answer = world.send("keeper", "POST", f"/{type_}", resource)

    assert answer.status_code == 409
    assert answer.get_json()["issue"][0]["expression"] == [f"{type_}.identifier[0]"]


@pytest.mark.parametrize("who", ["camille", "martin"])
@pytest.mark.parametrize("type_", ["Patient", "Practitioner"])
def test_people_do_not_write_the_directory(world: World, who, type_):
    answer = world.send(who, "POST", f"/{type_}", {"resourceType": type_, "name": [{"family": "X"}]})
    assert answer.status_code == 403


def test_an_update_is_a_new_version_and_needs_the_version_it_was_made_from(world: World):
    path = f"/Practitioner/{world.ids['martin']}"
    resource = world.get("keeper", path).get_json() | {"active": False}

    assert world.send("keeper", "PUT", path, resource, If_Match='W/"2"').status_code == 412
    answer = world.send("keeper", "PUT", path, resource, If_Match='W/"1"')

    assert answer.status_code == 200
    assert answer.headers["ETag"] == 'W/"2"'
    assert [
        entry["resource"]["meta"]["versionId"] for entry in world.get("keeper", f"{path}/_history").get_json()["entry"]
    ] == [
        "2",
        "1",
    ]


def test_an_identifier_may_be_taken_away_and_given_back(world: World):
    created = world.send("keeper", "POST", "/Practitioner", PRACTITIONER).get_json()
    path = f"/Practitioner/{created['id']}"
    without = {name: value for name, value in created.items() if name != "identifier"}

    assert world.send("keeper", "PUT", path, without).status_code == 200
    assert world.send("keeper", "PUT", path, created).status_code == 200
    assert world.send("keeper", "POST", "/Practitioner", PRACTITIONER).status_code == 409


@pytest.mark.parametrize(
    ("id_", "body_id", "status"),
    [("3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e", None, 404), ("a", "b", 400), ("a", "", 400)],
)
def test_no_resource_comes_into_being_by_update(world: World, id_, body_id, status):
    body = {"resourceType": "Practitioner", "id": id_ if body_id is None else body_id}
    if not body["id"]:
        del body["id"]
    assert world.send("keeper", "PUT", f"/Practitioner/{id_}", body).status_code == status


def test_a_reference_to_nothing_is_refused(world: World):
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/nobody"}}

    answer = world.send("keeper", "POST", "/PractitionerRole", role)

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["PractitionerRole.practitioner.reference"]


def test_an_identity_is_changed_by_the_software_that_recorded_it(world: World):
    path = f"/Patient/{world.ids['camille']}"
    resource = world.get("camille", path).get_json()

    assert world.send("chu-ehr", "PUT", path, resource).status_code == 403
    assert world.send("keeper", "PUT", path, resource | {"gender": "female"}).status_code == 200
    assert world.get("camille", path).get_json()["gender"] == "female"


def test_a_birth_date_that_is_corrected_decides_at_the_next_request(world: World):
    path = f"/Patient/{world.ids['camille']}"
    resource = world.get("camille", path).get_json()
    assert world.send("keeper", "PUT", path, resource | {"birthDate": "2025-01-01"}).status_code == 200

    assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403


def test_a_patch_of_the_directory(world: World):
    path = f"/Organization/{world.ids['chu']}"
    renamed = [{"op": "replace", "path": "/name", "value": "CHU du Nord"}]

    answer = world.send("keeper", "PATCH", path, renamed, JSON_PATCH)

    assert answer.get_json()["name"] == "CHU du Nord"
    invalid = world.send("keeper", "PATCH", path, [{"op": "add", "path": "/name", "value": 7}], JSON_PATCH)
    assert invalid.status_code == 422


def test_a_related_person_belongs_to_the_space_of_its_patient(world: World):
    related = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{world.ids['camille']}"}}

    created = world.send("keeper", "POST", "/RelatedPerson", related)

    assert created.status_code == 201, created.get_data(as_text=True)
    path = f"/RelatedPerson/{created.get_json()['id']}"
    assert world.get("camille", path).status_code == 200
    assert world.get("martin", path).status_code == 404
    world.patient("marc", "184039999900123")
    moved = created.get_json() | {"patient": {"reference": f"Patient/{world.ids['marc']}"}}
    assert world.send("keeper", "PUT", path, moved).status_code == 422


def test_a_related_person_of_nobody_is_refused(world: World):
    related = {"resourceType": "RelatedPerson", "patient": {"reference": "Patient/nobody"}}
    answer = world.send("keeper", "POST", "/RelatedPerson", related)
    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["RelatedPerson.patient"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_document_is_not_put_and_a_person_is_not_deleted(world: World, method):
    path = f"/DocumentReference/{world.publish()}" if method == "PUT" else f"/Patient/{world.ids['camille']}"
    assert world.send("chu-ehr", method, path, {"resourceType": "DocumentReference"}).status_code == 405


def test_decimals_come_back_as_they_were_written(world: World):
    body = (
        b'{"resourceType":"Organization","name":"x","extension":[{"url":"urn:x","valueDecimal":1.10}],'
        b'"identifier":[{"system":"urn:y","value":"1"}]}'
    )
    created = world.send("keeper", "POST", "/Organization", body)
    path = f"/Organization/{created.get_json()['id']}"
    assert b'"valueDecimal":1.10' in world.get("keeper", path).get_data()

    renamed = [{"op": "replace", "path": "/name", "value": "y"}]

    assert b'"valueDecimal":1.10' in world.send("keeper", "PATCH", path, renamed, JSON_PATCH).get_data()
