"""What one request adds to the trail is bounded, and a search that asks too much is told so and traced."""

import hashlib
from base64 import b64decode
from urllib.parse import urlencode

import pytest

FORM = "application/x-www-form-urlencoded"
TOO_MUCH = {
    "many parameters": [("type", "http://loinc.org|1")] * 3000,
    "many values": [("type", ",".join(["http://loinc.org|1"] * 3000))],
    "long value": [("type", "a" * 900_000)],
    "long name": [("a" * 900_000, "1")],
}


def search(world, pairs):
    body = urlencode([("patient", world.ids["camille"]), *pairs]).encode()
    return body, world.send("camille", "POST", "/DocumentReference/_search", body, FORM)


def events(world):
    found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    return [entry["resource"] for entry in found.get("entry", [])]


def queries(world):
    return [entity for event in events(world) for entity in event["entity"] if "query" in entity]


@pytest.mark.parametrize("asked", TOO_MUCH)
def test_a_search_that_asks_too_much_is_refused_and_its_trace_stays_small(world, asked):
    _, answer = search(world, TOO_MUCH[asked])
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (400, "too-costly")
    refused = [event for event in events(world) if event.get("outcomeDesc") == "too-costly"]
    assert len(refused) == 1
    assert len(str(refused[0])) < 8000


def test_a_long_query_is_kept_by_its_beginning_its_length_and_its_hash(world):
    pairs = [("type", ",".join(f"http://loinc.org|{number}" for number in range(300)))]
    body, answer = search(world, pairs)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    traced = next(entity for entity in queries(world) if "detail" in entity)
    whole = f"POST /fhir/DocumentReference/_search?{body.decode()}\nAccept: ".encode()
    assert whole.startswith(b64decode(traced["query"]))
    assert len(b64decode(traced["query"])) == 2048
    assert {one["type"]: one["valueString"] for one in traced["detail"]} == {
        "query-bytes": str(len(whole)),
        "query-sha256": hashlib.sha256(whole).hexdigest(),
    }


def test_a_short_query_is_kept_as_it_was_sent(world):
    world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")
    traced = queries(world)[0]
    assert b64decode(traced["query"]).startswith(b"GET /fhir/")
    assert "detail" not in traced


def test_as_many_parameters_and_values_as_allowed_are_found_by(world):
    document = world.publish()
    pairs = [("type", "http://loinc.org|34112-3,http://loinc.org|1,http://loinc.org|2")] * 63
    _, answer = search(world, pairs)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert [entry["resource"]["id"] for entry in answer.get_json()["entry"]] == [document]


def test_a_search_in_a_batch_is_held_to_the_same_measure(world):
    url = f"DocumentReference?patient={world.ids['camille']}&" + "&".join(["type=1"] * 100)
    entries = [{"request": {"method": "GET", "url": url}}]
    answer = world.send("camille", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    outcome = answer.get_json()["entry"][0]["response"]["outcome"]
    assert outcome["issue"][0]["code"] == "too-costly"


@pytest.mark.parametrize("path", ["/DocumentReference/{long}", "/Binary/{long}", "/Patient/{long}/$audience"])
def test_a_name_of_any_length_leaves_a_trace_of_few_bytes(world, path):
    answer = world.get("camille", path.format(long="a" * 20_000))
    assert answer.status_code in (400, 403, 404)
    assert max((len(str(event)) for event in events(world)), default=0) < 6000
