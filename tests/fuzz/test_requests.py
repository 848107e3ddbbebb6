"""Thousands of requests in process (AC39, AC40, AC46): whatever is asked, the server does not break and does not tell.

`make fuzz` asks 20,000; HABILIS_TEST_FUZZ_CASES says how many otherwise, and HABILIS_TEST_FUZZ_SEED which.
"""

import json
import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from seed import book
from seed.loading import load_demonstration
from tests.factories import settings_in
from tests.fuzz.strategies import Call, Known, calls
from tests.holds import holds

CASES = int(os.environ.get("HABILIS_TEST_FUZZ_CASES", "500"))
SLICE = int(os.environ.get("HABILIS_TEST_FUZZ_SEED", "0")) * 1_000_000
CHUNK = 100
TOLD = ("Traceback", "site-packages", "sqlite3", "KeyError", "NoneType", "fhir_server.")


@schemathesis.serializer("application/zip")
def archived(_context, value):
    """Send what is generated for an archive as it is: bytes, or text that is no archive."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    chosen = settings_in(folder)
    opening.create_keys(chosen.key_file)
    runtime = build_runtime(chosen)
    load_demonstration(runtime, chosen.data_dir)
    yield create_app(chosen, runtime)
    runtime.ports.store.close()


@pytest.fixture(scope="module")
def demo(served):
    return book.read(Path(served.config["DATA_DIR"]))


@pytest.fixture(scope="module")
def known(served, demo):
    web = served.test_client()
    ids = {
        "Patient": list(demo.patients.values()),
        "Practitioner": list(demo.professionals.values())[:5],
        "PractitionerRole": list(demo.roles.values())[:5],
        "Organization": list(demo.organizations.values())[:5],
        "RelatedPerson": list(demo.guardians.values()),
        "DocumentReference": list(demo.documents.values()),
    }
    bearer = {"Authorization": f"Bearer {demo.tokens['camille']}"}
    resources = []
    for type_ in ("DocumentReference", "Consent", "AuditEvent", "List"):
        found = web.get(f"/fhir/{type_}?patient={demo.patients['camille']}", headers=bearer).get_json()
        resources += [entry["resource"] for entry in found.get("entry", ())][:5]
    for resource in resources:
        ids.setdefault(resource["resourceType"], []).append(resource["id"])
    return Known(ids, sorted(demo.tokens), resources, demo.patients["camille"], demo.organizations["chu-a"])


@holds("AC40")
@pytest.mark.parametrize("chunk", range(max(1, CASES // CHUNK)))
def test_no_request_breaks_the_server_or_makes_it_tell_of_its_inside(chunk, served, demo, known):
    @seed(SLICE + chunk)
    @settings(max_examples=CHUNK, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(calls(known))
    def ask(call):
        answer = answer_to(call, served, demo)
        text = text_of(answer)
        assert answer.status_code < 500, answer.get_data(as_text=True)[:2000]
        if answer.status_code >= 400:
            assert not [word for word in TOLD if word in text], text[:2000]
        if answer.status_code >= 400 and text and answer.mimetype.endswith("json"):
            assert json.loads(text)["resourceType"] == "OperationOutcome"

    ask()


def answer_to(call: Call, app, demo):
    headers = dict(call.headers)
    if call.who != "nobody":
        headers["Authorization"] = f"Bearer {demo.tokens.get(call.who, 'garbage')}"
    carried = {name: value.encode().decode("latin-1") for name, value in headers.items()}  # as WSGI carries bytes
    return app.test_client().open(
        call.path, method=call.method, query_string=call.query, data=call.body, headers=carried
    )


def text_of(answer):
    """Return a body of JSON or XML as text; contents of other types are the depositors' own."""
    return answer.get_data(as_text=True) if (answer.mimetype or "").endswith(("json", "xml")) else ""


def test_no_operation_of_the_description_breaks_the_server(served, demo):
    description = schemathesis.openapi.from_wsgi("/api/openapi.json", served)
    operations = [found.ok() for found in description.get_all_operations()]
    assert operations
    for operation in operations:

        @seed(SLICE + 1)
        @settings(
            max_examples=max(1, CASES // 500), deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(operation.as_strategy(), st.sampled_from(["camille", "paul", "chu-a-ehr", ""]))
        def ask(case, who):
            answer = case.call(headers={"Authorization": f"Bearer {demo.tokens[who]}"} if who else {})
            assert answer.status_code < 500, answer.content[:2000]

        ask()
