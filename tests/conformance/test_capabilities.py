"""What the server says of itself is what it is: CapabilityStatement = OpenAPI = routes = registry.

Source: https://hl7.org/fhir/R4/capabilitystatement.html, https://hl7.org/fhir/R4/http.html.
"""

import re

import pytest

from fhir_server.registry import REGISTRY, AccessRule, Interaction

ROUTES = {
    Interaction.READ: ("GET", "/fhir/{type}/{id}"),
    Interaction.VREAD: ("GET", "/fhir/{type}/{id}/_history/{version}"),
    Interaction.HISTORY: ("GET", "/fhir/{type}/{id}/_history"),
    Interaction.CREATE: ("POST", "/fhir/{type}"),
    Interaction.UPDATE: ("PUT", "/fhir/{type}/{id}"),
    Interaction.PATCH: ("PATCH", "/fhir/{type}/{id}"),
    Interaction.DELETE: ("DELETE", "/fhir/{type}/{id}"),
    Interaction.SEARCH: ("GET", "/fhir/{type}"),
}


@pytest.fixture
def statement(web):
    answer = web.get("/fhir/metadata")
    assert answer.status_code == 200
    return answer.get_json()


@pytest.fixture
def operations(web):
    paths = web.get("/api/openapi.json").get_json()["paths"]
    return {
        (method.upper(), re.sub(r"\{id_\}", "{id}", path))
        for path, item in paths.items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete"}
    }


def _stated(statement):
    return {resource["type"]: resource for resource in statement["rest"][0]["resource"]}


def test_the_statement_names_every_registered_type_and_no_other(statement):
    assert set(_stated(statement)) == set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_statement_offers_what_the_registry_offers(statement, name):
    resource, row = _stated(statement)[name], REGISTRY[name]
    assert {stated["code"] for stated in resource["interaction"]} == {offered.value for offered in row.interactions}
    assert {param["name"] for param in resource.get("searchParam", ())} >= {param.name for param in row.search}
    assert resource["updateCreate"] is False


@pytest.mark.parametrize("name", REGISTRY)
def test_every_interaction_of_the_registry_is_described_and_routed(operations, name):
    offered = {ROUTES[interaction] for interaction in REGISTRY[name].interactions}
    expected = {(method, path.replace("{type}", name)) for method, path in offered}
    assert expected <= operations


def test_nothing_is_described_that_the_registry_does_not_offer(operations):
    offered = {
        (method, path.replace("{type}", name))
        for name, row in REGISTRY.items()
        for method, path in (ROUTES[interaction] for interaction in row.interactions)
    }
    of_types = {
        (method, path) for method, path in operations if path.split("/")[2:3] and path.split("/")[2] in REGISTRY
    }
    forms = {(method, path) for method, path in of_types if path.endswith("/_search")}
    conditional = {
        (method, path) for method, path in of_types if method in {"PUT", "PATCH", "DELETE"} and "{" not in path
    }
    assert of_types - forms - conditional - offered == set()


def test_no_door_changes_the_trail(operations):
    trail = next(name for name, row in REGISTRY.items() if row.access is AccessRule.TRACE)
    assert {method for method, path in operations if path.startswith(f"/fhir/{trail}") and "_search" not in path} == {
        "GET"
    }


def test_every_type_has_an_access_rule():
    assert {row.access for row in REGISTRY.values()} <= set(AccessRule)
    assert all(isinstance(row.access, AccessRule) for row in REGISTRY.values())
