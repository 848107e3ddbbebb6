"""JSON Merge Patch (RFC 7396), as fhirpy sends it, and the condition of a creation in the URL."""

import json

import pytest

from tests.world import FHIR_JSON, World

MERGE = "application/merge-patch+json"


@pytest.mark.parametrize("mime", [MERGE, "application/json"])
def test_members_are_replaced_added_and_removed(world: World, mime):
    path = f"/Practitioner/{world.ids['nour']}"
    world.send("keeper", "PATCH", path, {"active": True, "photo": [{"title": "a"}], "gender": "male"}, MERGE)
    answer = world.send("keeper", "PATCH", path, {"active": False, "photo": None, "name": [{"text": "N"}]}, mime)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    told = answer.get_json()
    assert (told["active"], told["name"], told["gender"], "photo" in told) == (False, [{"text": "N"}], "male", False)


def test_objects_inside_are_merged(world: World):
    path = f"/Practitioner/{world.ids['nour']}"
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">a</div>'}
    world.send("keeper", "PATCH", path, {"text": text}, MERGE)
    answer = world.send("keeper", "PATCH", path, {"text": {"status": "empty"}}, MERGE)
    assert answer.get_json()["text"] == text | {"status": "empty"}


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"id": "other"}, 400),
        ({"resourceType": "Patient"}, 400),
        ({"gender": "x"}, 422),
        ({"colour": "blue"}, 422),
        ([], 400),
        ("x", 400),
        ({"name": [{"text": "x" * 2_000_000}]}, 400),
    ],
)
def test_what_is_no_resource_afterwards_is_refused(world: World, patch, status):
    path = f"/Practitioner/{world.ids['nour']}"
    before = world.get("nour", path).data
    assert world.send("keeper", "PATCH", path, patch, MERGE).status_code == status
    assert world.get("nour", path).data == before


def test_a_deep_patch_is_refused(world: World):
    deep = b'{"a":' * 500 + b"1" + b"}" * 500
    assert world.send("keeper", "PATCH", f"/Practitioner/{world.ids['nour']}", deep, MERGE).status_code == 400


def test_a_document_changes_by_it_only_where_it_may(world: World):
    document = world.publish()
    path = f"/DocumentReference/{document}"
    labels = world.get("camille", path).get_json()["securityLabel"]
    mark = {"coding": [{"code": "MASQUE_PS"}]}
    hidden = world.send("camille", "PATCH", path, {"securityLabel": [*labels, mark]}, MERGE)
    refused = world.send("camille", "PATCH", path, {"description": "x"}, MERGE)

    assert (hidden.status_code, hidden.headers["ETag"], refused.status_code) == (200, 'W/"1-1"', 405)


def test_json_that_is_a_resource_is_no_merge_patch(world: World):
    path = f"/Practitioner/{world.ids['nour']}"
    for body in ({"resourceType": "Practitioner", "active": True}, {"active": True}):
        mime = FHIR_JSON if "resourceType" not in body else "application/json"
        assert world.send("keeper", "PATCH", path, json.dumps(body).encode(), mime).status_code == 400


def test_a_creation_keeps_the_condition_of_its_url(world: World):
    person = {"resourceType": "Practitioner", "identifier": [{"system": "urn:x", "value": "1"}]}
    first, second = (world.send("keeper", "POST", "/Practitioner?identifier=urn:x|1", person) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json()["id"] == first.get_json()["id"]
    assert (
        world.send("keeper", "POST", "/Practitioner?_format=json", {"resourceType": "Practitioner"}).status_code == 201
    )
    assert world.send("keeper", "POST", "/Practitioner?colour=blue", person).status_code == 400
