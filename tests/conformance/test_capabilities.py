"""What the server says of itself is what it is: CapabilityStatement = OpenAPI = routes = registry.

Source: https://hl7.org/fhir/R4/capabilitystatement.html, https://hl7.org/fhir/R4/http.html.
"""

import re

import pytest

from consent_rules.scopes import Scopes
from fhir_server.http.fhir.exports import delivery
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.r4.checking import check
from fhir_server.registry import NATIVE, OWNED, PUBLISHED, REGISTRY, AccessRule, Interaction
from tests.conformance.project import ROOT

ROWS = {**REGISTRY, **NATIVE, **PUBLISHED, **OWNED}
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


@pytest.fixture(scope="module")
def statement(web):
    answer = web.get("/fhir/metadata")
    assert answer.status_code == 200
    return answer.get_json()


@pytest.fixture(scope="module")
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


def _operating(statement):
    """Return where operations are stated, by type; "" for the whole server."""
    return _stated(statement) | {"": statement["rest"][0]}


def test_the_statement_names_every_registered_type_and_no_other(statement):
    beside = {one.type for one in OPERATIONS} - {"", *ROWS}
    assert set(_stated(statement)) == {*ROWS, *beside}
    assert all("interaction" not in _stated(statement)[name] for name in beside)


@pytest.mark.parametrize("name", ROWS)
def test_the_statement_offers_what_the_registry_offers(statement, name):
    resource, row = _stated(statement)[name], ROWS[name]
    of_the_type = {"history-type"} if Interaction.HISTORY in row.interactions else set()
    offered = {interaction.value for interaction in row.interactions} | of_the_type
    assert {stated["code"] for stated in resource["interaction"]} == offered
    assert {param["name"] for param in resource.get("searchParam", ())} >= {param.name for param in row.search}
    assert resource["updateCreate"] is False


@pytest.mark.parametrize("name", ROWS)
def test_every_interaction_of_the_registry_is_described_and_routed(operations, name):
    offered = {ROUTES[interaction] for interaction in ROWS[name].interactions}
    expected = {(method, path.replace("{type}", name)) for method, path in offered}
    assert expected <= operations


def test_nothing_is_described_that_the_registry_does_not_offer(operations):
    offered = {
        (method, path.replace("{type}", name))
        for name, row in ROWS.items()
        for method, path in (ROUTES[interaction] for interaction in row.interactions)
    }
    of_types = {(method, path) for method, path in operations if path.split("/")[2:3] and path.split("/")[2] in ROWS}
    forms = {(method, path) for method, path in of_types if path.endswith("/_search")}
    conditional = {
        (method, f"/fhir/{name}")
        for name, row in REGISTRY.items()
        for method, is_offered in (
            ("PUT", row.updates_conditionally),
            ("PATCH", row.patches_conditionally),
            ("DELETE", row.deletes_conditionally),
        )
        if is_offered
    }
    histories = {
        ("GET", f"/fhir/{name}/_history") for name, row in REGISTRY.items() if Interaction.HISTORY in row.interactions
    }
    assert conditional | histories <= of_types
    extended = {(method, path) for method, path in of_types if "/$" in path}
    compartments = {("GET", f"/fhir/Patient/{{id}}/{name}") for name, row in REGISTRY.items() if row.names_patient}
    assert compartments <= of_types
    assert of_types - forms - conditional - histories - offered - extended - compartments == set()


def test_the_operations_that_are_stated_described_and_listed_are_the_same(statement, operations):
    stated = {
        f"{type_}/${operation['name']}".removeprefix("/")
        for type_, resource in _operating(statement).items()
        for operation in resource.get("operation", ())
    }
    paths = {path.removeprefix("/fhir/").replace("{id}/", "") for _, path in operations if "/$" in path}
    routed = {path for path in paths if not path.startswith(f"{delivery.STATUS}/")}
    routed -= {path for path in paths if path.startswith(f"{delivery.FILE}/")}
    assert stated == routed == {f"{one.type}/${one.name}".removeprefix("/") for one in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_every_operation_has_a_valid_definition_at_its_address(web, statement, operations, operation):
    """https://hl7.org/fhir/R4/operationdefinition.html; it says level, methods and parameters as they are routed."""
    (stated,) = [one for one in _operating(statement)[operation.type]["operation"] if one["name"] == operation.name]
    answer = web.get(stated["definition"].removeprefix("http://localhost:8080"))
    assert answer.status_code == 200
    told = answer.get_json()
    assert check(told) == []
    assert (told["code"], told["url"]) == (operation.name, stated["definition"])
    for level, place in (("instance", "/{id}"), ("type", ""), ("system", "")):
        path = f"/fhir/{operation.type}{place}/${operation.name}".replace("//", "/")
        methods = {method for method, there in operations if there == path}
        offered = {"POST"} if told["affectsState"] else {"GET", "POST"}
        if told[level] or level == "instance":
            assert methods == (offered if told[level] else set())
    assert {one["name"] for one in told.get("parameter", ()) if one["use"] == "in"} == {
        one.name for one in operation.parameters
    }


def test_an_unknown_definition_is_not_found(web):
    assert web.get("/fhir/OperationDefinition/Patient-burn").status_code == 404


def test_every_operation_is_explained_in_the_documentation():
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    named = {f"`{one.type}/{'[id]/' if one.instance else ''}${one.name}`".replace("`/", "`") for one in OPERATIONS}
    assert named <= set(re.findall(r"`(?:[A-Z]\w+/)?(?:\[id\]/)?\$[a-z-]+`", page))


def test_no_door_changes_the_trail(operations):
    trail = next(name for name, row in REGISTRY.items() if row.access is AccessRule.TRACE)
    doors = [(method, path) for method, path in operations if path.startswith(f"/fhir/{trail}")]
    changing = {(method, path) for method, path in doors if "_search" not in path and "/$" not in path}
    assert {one for one in changing if one[0] != "GET"} == {("POST", f"/fhir/{trail}")}  # adds; nothing changes


def test_the_page_of_types_says_what_the_registry_says():
    page = (ROOT / "docs/types.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([a-z -]+) \| (\w+) \| (.*)\| (.*)\|$", page, flags=re.MULTILINE)
    told = {
        name: (set(offered.split()), rule, path.strip("` "), ihe.split()) for name, offered, rule, path, ihe in rows
    }
    assert told == {
        name: (
            {offered.value for offered in row.interactions},
            row.access.value,
            row.patient_path,
            [row.transactions[one] for one in Interaction if one in row.transactions],
        )
        for name, row in ROWS.items()
    }
    assert set(re.findall(r"^\| ([a-z]+) \|", page, flags=re.MULTILINE)) == {
        "type",
        "rule",
        *(r.value for r in AccessRule),
    }


def test_every_type_has_an_access_rule():
    assert {row.access for row in REGISTRY.values()} <= set(AccessRule)
    assert all(isinstance(row.access, AccessRule) for row in REGISTRY.values())


LETTERS = {"create": "c", "read": "r", "update": "u", "patch": "u", "delete": "d", "search-type": "s"}


def test_the_scopes_of_the_metadata_are_those_of_the_types_that_are_served(web, statement):
    told = web.get("/fhir/.well-known/smart-configuration").get_json()["scopes_supported"]
    scopes = [scope for word in told for scope in Scopes.parse(word).resources if scope.type != "*"]
    assert [word for word in told if str(Scopes.parse(word)) != word] == []
    served = {
        one["type"]: {LETTERS[code] for item in one["interaction"] if (code := item["code"]) in LETTERS}
        for one in statement["rest"][0]["resource"]
        if one["type"] in {**REGISTRY, **OWNED}
    }
    by_submission = {"Binary": {"c"}, "List": {"c"}}
    wide = {scope.type: set(scope.letters) for scope in scopes if scope.level == "system"}
    assert wide == {type_: letters | by_submission.get(type_, set()) for type_, letters in served.items()}
    assert {(scope.level, scope.type) for scope in scopes} == {
        (level, type_) for level in ("patient", "user", "system") for type_ in served
    }
