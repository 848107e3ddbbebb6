"""The examples of the OpenAPI document are true: each is sent to a server of the demonstration, which answers alike."""

import json
import re

import pytest

from fhir_server.http.fhir.examples import placing
from tests.conformance.example_requests import TOKENS
from tests.conformance.examples import demonstration, send, shape, stable
from tests.conformance.openapi_requests import examples


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with demonstration(tmp_path_factory.mktemp("examples")) as (web, demo):
        yield web, demo, examples(web.get("/api/openapi.json").get_json())


def test_each_example_is_answered_with_its_status_and_the_elements_that_it_shows(served):
    web, demo, shown = served
    assert len(shown) >= 25
    for example in shown:
        status, answer = send(web, demo, example)
        assert status == example.status, example
        assert shape(stable(answer, demo)) == shape(example.answer), (example.persona, example.operation)


def test_everybody_who_may_ask_has_an_example_and_refusals_are_shown(served):
    _, _, shown = served
    assert {example.persona for example in shown} == set(placing.PERSONAS) == set(TOKENS)
    assert {200, 201, 401, 403, 404} <= {example.status for example in shown}


def test_a_failure_is_shown_as_an_operation_outcome(served):
    _, _, shown = served
    assert all((example.answer["resourceType"] == "OperationOutcome") is (example.status >= 400) for example in shown)


def test_no_example_holds_a_token_or_a_number_outside_the_test_range(served):
    _, demo, shown = served
    text = json.dumps([[example.url, example.body, example.answer] for example in shown])
    assert not any(token in text for token in demo.tokens.values())
    assert all(number[5:7] == "99" for number in re.findall(r"\b[12]\d{14}\b", text))


def test_an_example_whose_shape_has_changed_is_found(served):
    web, demo, shown = served
    example = next(one for one in shown if one.operation == "read-DocumentReference" and one.status == 200)
    answer = send(web, demo, example)[1]
    del answer["content"][0]["attachment"]["hash"]
    assert shape(stable(answer, demo)) != shape(example.answer)
