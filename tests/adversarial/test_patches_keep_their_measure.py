"""Fear: a patch of a few bytes that makes the server build gigabytes, or nest until it fails (AC40)."""

import json
from base64 import b64encode

import pytest

from tests.holds import holds
from tests.world import JSON_PATCH, World

LONG = {"url": "urn:x", "valueString": "x" * 1000}
SEED = {"op": "add", "path": "/extension", "value": [LONG]}
DOUBLE = {"op": "copy", "from": "/extension", "path": "/extension/-"}


def nested(depth: int) -> list[object]:
    return json.loads("[" * depth + "]" * depth)


def deeper(times: int) -> list[dict[str, object]]:
    """Put a value of allowed depth into the end of the one before, again and again."""
    value: dict[str, object] = {"url": "urn:x"}
    for _ in range(15):
        value = {"url": "urn:x", "extension": [value]}
    ops: list[dict[str, object]] = [{"op": "add", "path": "/extension", "value": [value]}]
    return [
        *ops,
        *({"op": "add", "path": "/extension/0" * (16 * n) + "/extension", "value": [value]} for n in range(1, times)),
    ]


PATCHES = {
    "doubled": [SEED, *[DOUBLE] * 199],
    "deep": [{"op": "add", "path": "/extension", "value": nested(900)}],
    "deep-test": [{"op": "test", "path": "/status", "value": nested(900)}],
    "deep-aside": [{"op": "remove", "path": "/status", "more": nested(900)}],
    "deeper-by-and-by": deeper(100),
}


@pytest.fixture
def held(world: World) -> World:
    world.ids["document"] = world.publish()
    world.ids["choice"] = world.agree("camille", "martin").get_json()["id"]
    return world


@holds("AC40")
@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("path", ["/DocumentReference/{document}", "/Consent/{choice}", "/Patient/{camille}"])
def test_it_is_a_bad_request(held, path, patch):
    who = {"D": "chu-ehr", "C": "camille", "P": "keeper"}[path[1]]
    answer = held.send(who, "PATCH", path.format(**held.ids), PATCHES[patch], JSON_PATCH)
    assert answer.status_code == 400, answer.get_data(as_text=True)[:300]
    assert held.get("camille", path.format(**held.ids)).status_code == 200


@pytest.mark.parametrize("patch", PATCHES)
def test_it_fails_alone_in_a_batch(held, patch):
    data = b64encode(json.dumps(PATCHES[patch]).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}
    request = {"method": "PATCH", "url": f"Consent/{held.ids['choice']}"}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": binary, "request": request}]}
    answer = held.send("camille", "POST", "", bundle)
    assert answer.status_code == 200
    assert answer.get_json()["entry"][0]["response"]["status"] == "400"
