"""Each limit of a request is a setting: below it a request is answered as always, above it by a refusal of its own."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from pydantic import TypeAdapter

from fhir_server.settings import limits
from fhir_server.settings.limits import Limits
from fhir_server.settings.server import Settings, SettingsError
from tests.world import FHIR_JSON, JSON_PATCH, World

FORM = "application/x-www-form-urlencoded"
XML = "application/fhir+xml"
DESCRIPTION = {"op": "add", "path": "/description", "value": "a longer description of the document"}
NESTED = {"url": "urn:a", "extension": [{"url": "urn:b", "extension": [{"url": "urn:c", "valueCode": "d"}]}]}
GIVEN = b'<given value="a"/><given value="b"/><given value="c"/>'
NAMES = b'<Patient xmlns="http://hl7.org/fhir"><name>' + GIVEN + b"</name></Patient>"


@pytest.fixture
def put() -> Iterator[object]:
    """Put limits in force for one test."""
    before = limits.in_force()
    yield lambda **chosen: limits.put_in_force(replace(before, **chosen))
    limits.put_in_force(before)


def post(path, body, mime=FHIR_JSON, method="POST", who="camille"):
    return lambda world, _document: world.send(who, method, path, body, mime)


def patch(operations, mime=JSON_PATCH):
    return lambda world, document: world.send("camille", "PATCH", f"/DocumentReference/{document}", operations, mime)


def search(**parameters):
    def ask(world: World, _document: str):
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{query}")

    return ask


BATCH = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "Patient/a"}}] * 3}
FHIRPATH = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "delete"},
                {"name": "path", "valueString": "DocumentReference.text"},
            ],
        }
    ]
    * 2,
}
CASES = [
    # limit, its value here, a request above it, status, code in the outcome
    ("depth", 2, post("/Organization", {"resourceType": "Organization", "extension": [NESTED]}), 400, "invalid"),
    ("depth", 2, post("/Patient", NAMES.replace(b"<given", b"<x><y><z/></y></x><given"), XML), 400, "invalid"),
    ("depth", 2, patch([{"op": "add", "path": "/extension/-", "value": NESTED}]), 400, "invalid"),
    ("members", 5, post("/Organization", {"resourceType": "Organization", "alias": list("abcdef")}), 413, "too-long"),
    ("members", 3, post("/Patient", NAMES * 2, XML), 413, "too-long"),
    ("members", 5, patch([DESCRIPTION] * 3), 413, "too-long"),
    (
        "object_members",
        2,
        post("/Organization", {"resourceType": "Organization", "id": "a", "name": "b"}),
        413,
        "too-long",
    ),
    ("entries", 2, post("", BATCH), 413, "too-long"),
    ("parameters", 1, search(status="current"), 400, "too-costly"),
    ("values", 3, search(status="current,superseded,entered-in-error"), 400, "too-costly"),
    ("value_bytes", 60, search(description="a" * 61), 400, "too-costly"),
    ("patch_operations", 1, patch([DESCRIPTION, DESCRIPTION]), 400, "invalid"),
    ("patch_operations", 1, patch(FHIRPATH, FHIR_JSON), 400, "invalid"),
    ("patch_work", 1, patch([DESCRIPTION, DESCRIPTION]), 400, "invalid"),
    ("patch_work", 1, patch(FHIRPATH, FHIR_JSON), 400, "invalid"),
    ("patched_bytes", 30, patch([DESCRIPTION]), 400, "invalid"),
]


@pytest.mark.parametrize(("limit", "value", "ask", "status", "code"), CASES)
def test_what_goes_beyond_a_limit_is_refused_and_names_it(world, put, limit, value, ask, status, code):
    document = world.publish()
    before = ask(world, document)
    put(**{limit: value})
    answer = ask(world, document)
    told = json.loads(answer.get_data())["issue"][0]
    assert (answer.status_code, told["code"]) == (status, code), told
    assert before.get_data() != answer.get_data()


def test_every_limit_has_a_variable_that_sets_it():
    bounds = TypeAdapter(Limits).json_schema()["properties"]
    for name, variable in limits.READER.variables.items():
        greatest = bounds[name]["le"]
        read = Settings.from_environment({variable: "7"}).limits
        assert getattr(read, name) == 7
        for wrong in ("0", str(greatest + 1), "many"):
            with pytest.raises(SettingsError, match=variable):
                Settings.from_environment({variable: wrong})
    assert set(limits.READER.variables) == {field.name for field in fields(Limits)}
