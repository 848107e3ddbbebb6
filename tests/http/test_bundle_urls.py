"""What the URL of an entry of a batch or transaction may say: https://hl7.org/fhir/R4/http.html#transaction."""

from base64 import b64encode

import pytest

from tests.http.test_bundles import bundle, entry, practitioner, statuses
from tests.world import JSON_PATCH, World

CHOSEN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
NO_SUCH = "identifier=urn:x|no-such"


def in_bundle(operations):
    data = b64encode(operations).decode()
    return {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}


CHANGE = in_bundle(b'[{"op": "replace", "path": "/name/0/family", "value": "Y"}]')
WRITES = {
    "patch": lambda id_: entry("PATCH", f"Practitioner/{id_}?{NO_SUCH}", CHANGE),
    "update": lambda id_: entry("PUT", f"Practitioner/{id_}?{NO_SUCH}", practitioner("1", "Y") | {"id": id_}),
}


@pytest.fixture
def stored(world: World):
    """The id of a practitioner who is stored."""
    made = world.send("keeper", "POST", "/Practitioner", practitioner("1"))
    return made.headers["Location"].partition("Practitioner/")[2].partition("/")[0]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_of_a_batch_names_its_resource_by_id_or_by_criteria_never_by_both(world: World, stored, write):
    answer = world.send("keeper", "POST", "", bundle("batch", WRITES[write](stored)))
    assert statuses(answer) == ["400"]
    issue = answer.get_json()["entry"][0]["response"]["outcome"]["issue"][0]
    assert issue["expression"] == ["Bundle.entry[0].request.url"]
    assert world.get("keeper", f"/Practitioner/{stored}").get_json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize("write", WRITES)
def test_a_transaction_with_such_a_write_is_refused_whole(world: World, stored, write):
    answer = world.send("keeper", "POST", "", bundle("transaction", WRITES[write](stored)))
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["expression"] == ["Bundle.entry[0].request.url"]
    assert world.get("keeper", f"/Practitioner/{stored}").get_json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize("type_", ["batch", "transaction"])
@pytest.mark.parametrize("place", [CHOSEN, "_search", f"{CHOSEN}/_history/1"])
def test_no_client_chooses_the_id_of_a_new_resource(world: World, type_, place):
    """R4 creates at the type alone: the id is refused, as it is for a request of its own, and nothing is stored."""
    answer = world.send("keeper", "POST", "", bundle(type_, entry("POST", f"Practitioner/{place}", practitioner("2"))))
    if type_ == "batch":
        assert statuses(answer) == ["400"]
        issue = answer.get_json()["entry"][0]["response"]["outcome"]["issue"][0]
    else:
        assert answer.status_code == 400
        issue = answer.get_json()["issue"][0]
    assert issue["expression"] == ["Bundle.entry[0].request.url"]
    assert world.get("keeper", f"/Practitioner/{CHOSEN}").status_code == 404
    assert world.found("keeper", "/Practitioner?identifier=urn:x|2") == []
    assert world.send("keeper", "POST", f"/Practitioner/{CHOSEN}", practitioner("2")).status_code == 405
