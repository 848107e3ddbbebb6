"""Whatever is sent to an operation is answered: never a 500, and a refusal is an OperationOutcome."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from tests.http.conftest import folder, shared_world
from tests.http.test_reviews import staff

__all__ = ["folder", "shared_world"]

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=8), st.just({}), st.just([]))
NAMES = st.sampled_from(
    ["reason", "erase", "patient", "proposed", "type", "outcome", "comment", "count", "page", "x", ""]
)
KEYS = st.sampled_from(
    ["valueString", "valueBoolean", "valueCode", "valueInteger", "valueReference", "resource", "part", "name"]
)
PARTS = st.builds(lambda name, key, value: {"name": name, key: value}, NAMES, KEYS, VALUES)
RESOURCES = st.one_of(
    st.builds(lambda parts: {"resourceType": "Parameters", "parameter": parts}, st.lists(PARTS | VALUES, max_size=3)),
    st.builds(
        lambda key, value: {"resourceType": "Patient", key: value}, st.sampled_from(["name", "birthDate"]), VALUES
    ),
    st.builds(lambda value: {"resourceType": value}, VALUES),
    VALUES,
)
BODIES = st.one_of(RESOURCES.map(lambda body: json.dumps(body).encode()), st.binary(max_size=20))
PATIENTS = st.sampled_from(["camille", "00000000-0000-4000-8000-000000000009", "%00", "..", "ü"])
TYPES = st.sampled_from(["application/fhir+json", "application/fhir+xml", "text/plain", ""])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_no_body_breaks_an_operation(shared_world, operation):
    staff(shared_world, "dana")

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["nour", "zoe", "chu-ehr", "dana"]), PATIENTS, BODIES, TYPES, st.text(max_size=6))
    def ask(who, patient, body, mime, query):
        place = f"/{shared_world.ids.get(patient, patient)}" if operation.instance else ""
        path = f"/{operation.type}{place}/${operation.name}"
        answer = shared_world.send(who, "POST", path, body, mime)
        assert answer.status_code < 500, answer.get_data(as_text=True)
        if answer.status_code >= 400 and answer.is_json:
            assert answer.get_json()["resourceType"] == "OperationOutcome"
        if "GET" in operation.methods:
            told = shared_world.web.get(
                f"/fhir{path}",
                query_string=dict.fromkeys(("proposed", "type", "count", "page"), query),
                headers={"Authorization": f"Bearer {shared_world.tokens[who]}"},
            )
            assert told.status_code < 500, told.get_data(as_text=True)

    ask()
