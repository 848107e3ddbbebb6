"""If-None-Exist in the spellings that clients use: https://hl7.org/fhir/R4/http.html#ccreate."""

import pytest

from tests.holds import holds
from tests.world import BASE, World

RPPS = "https://rpps.esante.gouv.fr"
NUMBER = "99700000024"
PRACTITIONER = {"resourceType": "Practitioner", "identifier": [{"system": RPPS, "value": NUMBER}]}
ENCODED = "identifier=https%3A%2F%2Frpps.esante.gouv.fr%7C99700000024"


@pytest.mark.parametrize("place", [f"{BASE}/Practitioner?", "Practitioner?", "?", ""])
@holds("REST-8")
def test_a_condition_is_understood_as_a_url_a_type_and_a_query(world: World, place):
    made = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=place + ENCODED)
    hit = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=place + ENCODED)

    assert (made.status_code, hit.status_code) == (201, 200), hit.get_data(as_text=True)
    assert hit.get_json()["id"] == made.get_json()["id"]


@pytest.mark.parametrize(
    "place", ["https://elsewhere.example/fhir/Practitioner?", "Patient?", f"{BASE}/Patient?", "x?"]
)
def test_a_condition_about_something_else_is_refused_and_says_what_is_wanted(shared_world: World, place):
    answer = shared_world.send("keeper", "POST", "/Practitioner", PRACTITIONER, If_None_Exist=place + ENCODED)

    assert answer.status_code == 400
    assert "`Practitioner?identifier=system|value`" in answer.get_json()["issue"][0]["details"]["text"]


def test_a_question_mark_inside_a_value_belongs_to_the_value(world: World):
    odd = {"resourceType": "Organization", "identifier": [{"system": "https://x.example/?a", "value": "1"}]}
    sent = {"If_None_Exist": "identifier=https://x.example/?a|1"}
    assert world.send("keeper", "POST", "/Organization", odd, **sent).status_code == 201
    assert world.send("keeper", "POST", "/Organization", odd, **sent).status_code == 200


def test_a_hit_says_where_the_resource_is_also_without_a_body(world: World):
    first = world.send("keeper", "POST", "/Practitioner", PRACTITIONER)
    headers = {"If_None_Exist": ENCODED, "Prefer": "return=minimal"}
    hit = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, **headers)

    assert (hit.status_code, hit.data) == (200, b"")
    assert hit.headers["Location"] == first.headers["Location"]


def test_an_entry_of_a_bundle_understands_the_same_spellings(world: World):
    first = world.send("keeper", "POST", "/Practitioner", PRACTITIONER).headers["Location"]
    request = {"method": "POST", "url": "Practitioner", "ifNoneExist": f"{BASE}/Practitioner?{ENCODED}"}
    entry = {"fullUrl": "urn:uuid:3d1c9c9a-0c6f-4a52-8f0e-2d5d9a4f1b6a", "resource": PRACTITIONER, "request": request}
    for kind in ("transaction", "batch"):
        answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": [entry]})
        response = answer.get_json()["entry"][0]["response"]
        assert (response["status"], response["location"]) == ("200 OK", first)
