"""The OpenAPI document can be used: every operation with its parameters, body and answers, as it is routed.

Source: https://spec.openapis.org/oas/v3.0.3.
"""

import re

import pytest
import schemathesis

from fhir_server.http.fhir.endpoint import ROUTES
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.registry import REGISTRY, Interaction

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document(web):
    return web.get("/api/openapi.json").get_json()


@pytest.fixture(scope="module")
def operations(document):
    found = {}
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            found[method, path] = item[method] | {"shared": item.get("parameters", [])}
    return found


def resolved(document, item):
    return document["components"]["parameters"][item["$ref"].rpartition("/")[2]] if "$ref" in item else item


def refs(value):
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from refs(one)


def test_it_is_valid_and_every_reference_leads_somewhere(document):
    schemathesis.openapi.from_dict(document).validate()
    for reference in refs(document):
        _, _, kind, name = reference.split("/")
        assert name in document["components"][kind]
    used = {reference.rpartition("/")[2] for reference in refs(document)}
    assert set(document["components"]["schemas"]) <= used


def test_it_says_where_the_server_is(document):
    assert document["servers"] == [{"url": "http://localhost:8080"}]


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_declared_tag(document, operations):
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    declared = {tag["name"]: tag["description"] for tag in document["tags"]}
    for operation in operations.values():
        assert operation["summary"]
        assert all(declared[tag] for tag in operation["tags"])


def test_every_operation_says_what_it_answers_and_a_failure_is_an_operation_outcome(document, operations):
    problem = document["components"]["responses"]["Problem"]["content"]["application/fhir+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/OperationOutcome"}
    for (method, path), operation in operations.items():
        assert any(status.startswith("2") for status in operation["responses"]), (method, path)
        for status, answer in operation["responses"].items():
            if status in ("200", "201"):
                assert answer["content"], (method, path)
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}


def test_every_operation_that_writes_says_what_it_takes(operations):
    for (method, path), operation in operations.items():
        assert ("requestBody" in operation) is (method in ("post", "put", "patch")), (method, path)


def test_parameters_in_the_path_are_those_of_the_path(document, operations):
    for (_, path), operation in operations.items():
        own = [resolved(document, one) for one in operation.get("parameters", [])]
        listed = [*operation["shared"], *own]
        assert {one["name"] for one in listed if one["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path))
        names = [(one["in"], one["name"]) for one in own]  # one of its own stands in place of a shared one
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("type_", [name for name, row in REGISTRY.items() if Interaction.SEARCH in row.interactions])
def test_a_search_lists_what_the_statement_lists(web, document, operations, type_):
    stated = next(one for one in web.get("/fhir/metadata").get_json()["rest"][0]["resource"] if one["type"] == type_)
    listed = [resolved(document, one) for one in operations["get", f"/fhir/{type_}"]["parameters"]]
    names = {one["name"] for one in listed if one["in"] == "query"}
    assert {param["name"] for param in stated["searchParam"]} <= names
    assert {"_count", "_sort", "_total", "_page", "_format"} <= names


def test_it_describes_exactly_the_routes(document, web):
    rules = [rule for rule in web.application.url_map.iter_rules() if rule.rule.startswith(("/fhir", "/matrix"))]
    routed = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in rules
        for method in rule.methods
        if method.lower() in METHODS and ".well-known" not in rule.rule
    }
    described = {(method, path) for path, item in document["paths"].items() for method in METHODS & item.keys()}
    assert described == routed


@pytest.mark.parametrize("type_", [name for name, row in REGISTRY.items() if Interaction.SEARCH in row.interactions])
def test_a_search_by_form_takes_what_a_search_by_url_takes(document, operations, type_):
    body = operations["post", f"/fhir/{type_}/_search"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    form = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    asked = [resolved(document, one) for one in operations["get", f"/fhir/{type_}"]["parameters"]]
    assert set(form["properties"]) == {one["name"] for one in asked if one["in"] == "query"} - {"_format"}


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.parameters], ids=lambda one: one.id)
def test_an_operation_lists_its_parameters_with_the_element_of_the_value(document, operation):
    schema = document["components"]["schemas"][f"{operation.id}.input"]
    parts = schema.get("anyOf", [schema])[0]["properties"]["parameter"]["items"]["anyOf"]
    assert [part["properties"]["name"]["enum"] for part in parts] == [[one.name] for one in operation.parameters]
    for part, wanted in zip(parts, operation.parameters, strict=True):
        element = (
            "resource"
            if wanted.type in {*REGISTRY, "Bundle", "Resource"}
            else f"value{wanted.type[0].upper()}{wanted.type[1:]}"
        )
        assert set(part["required"]) == {"name", element} == set(part["properties"])


def test_each_room_is_one_blueprint(web):
    rooms = {"fhir", "Matrix", "discovery", "oauth", "oauth_pages", "pages", "portal", "status"}
    assert set(web.application.blueprints) == rooms | {"api-docs"}


def test_a_request_reaches_its_view_without_a_wrapper(web):
    served = web.application.view_functions
    assert len(ROUTES) == len({route.name for route in ROUTES})
    assert all(served[f"fhir.{route.name}"] is route.view for route in ROUTES)
