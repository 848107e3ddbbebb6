"""The OpenAPI document: flask-smorest lists the routes, and a plugin adds what the registry and the operations say.

The decorators of flask-smorest would wrap each view in two more calls; the plugin costs a request nothing.
Source: https://spec.openapis.org/oas/v3.0.3; https://hl7.org/fhir/R4/http.html. Bodies are FHIR resources, whose shapes
the standard publishes; the document names only their types.
"""

from collections.abc import Iterator
from http import HTTPStatus

from apispec import APISpec, BasePlugin
from flask import Flask
from flask_smorest import Api
from werkzeug.routing import Rule

from fhir_server.domain.values import Json
from fhir_server.http.fhir.endpoint import ROUTES
from fhir_server.http.fhir.examples import placing
from fhir_server.http.fhir.exports import delivery as exports
from fhir_server.http.fhir.exports.asked import NDJSON
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.http.fhir.operations.model import VALUES, Operation, Parameter
from fhir_server.http.fhir.routing import Route
from fhir_server.registry import NATIVE, OWNED, PUBLISHED, REGISTRY, AccessRule, Interaction, ResourceType

FHIR_TYPES = ("application/fhir+json", "application/fhir+xml")
_SCHEMAS = "#/components/schemas/"
_BESIDE = ("OperationOutcome", "Parameters")
_ROWS = {**REGISTRY, **NATIVE, **PUBLISHED, **OWNED}
_RESULT = {
    "_id": "ids, with commas between them",
    "_lastUpdated": "time of the last change, with a prefix such as `ge`",
    "_count": "entries of a page, 200 at most; 0 asks for the total alone",
    "_sort": "up to four of `_lastUpdated`, `_id` and the parameters with a value, with `-` for descending",
    "_total": "`none`, `estimate` or `accurate`",
    "_summary": "`true`, `text`, `data`, `count` or `false`",
    "_elements": "names of the elements to show",
    "_page": "from the links `next` and `previous`",
}
_HEADERS = {
    "If-Match": "the version that is changed, as its ETag",
    "If-None-Match": "an ETag that the client has",
    "If-Modified-Since": "the time of what the client has",
    "If-None-Exist": "search parameters of what must not exist yet, written as in a URL, without chains",
    "Prefer": "`return=minimal`, `handling=strict` and such",
}
_OF_WRITES = ("Prefer", "If-Match")


_SETTINGS = {
    "API_TITLE": "Habilis",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.0.3",
    "OPENAPI_URL_PREFIX": "/api",
    "OPENAPI_JSON_PATH": "openapi.json",
}
_INFO = {
    "description": f"FHIR R4 server that shares documents by consent.\n\n{placing.told_of_personas()}",
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
_UNUSED = ("Error", "PaginationMetadata")
"""Schemas that flask-smorest adds, and that no route uses."""
_NAMED = {f"fhir.{route.name}": route for route in ROUTES}


def api_of(app: Flask, origin: str) -> Api:
    """Return the API whose document an application serves. origin: the public address of the server."""
    app.config.update(_SETTINGS)
    told = {"extra_plugins": [RegistryPlugin()], "servers": [{"url": origin}], "info": _INFO}
    api = Api(app, spec_kwargs=told)
    for schema in _UNUSED:
        api.spec.components.schemas.pop(schema, None)
    return api


class RegistryPlugin(BasePlugin):
    """Adds schemas of types, searches and operations to the document, and describes each route of the endpoint."""

    def init_spec(self, spec: APISpec) -> None:
        """Add the tags and the components, which the routes refer to."""
        for tag in _tags():
            spec.tag(tag)
        for name, schema in (_of_types() | _of_searches() | _of_operations()).items():
            spec.components.schema(name, schema)
        problem = _content("OperationOutcome")
        spec.components.response(_PROBLEM, {"description": "what is wrong, by element", "content": problem})
        shape = {"description": "`json` or `xml`", "schema": _TEXT}
        spec.components.parameter("_format", "query", shape)
        spec.components.security_scheme("smart", {"type": "oauth2", "flows": _flows()})

    def operation_helper(
        self,
        path: str | None = None,  # noqa: ARG002 - apispec passes it; the rule says more
        operations: dict[str, Json] | None = None,
        **passed: object,
    ) -> None:
        """Describe the operation of a rule; every operation answers its failures with an OperationOutcome."""
        rule = passed["rule"]
        route = _NAMED.get(rule.endpoint) if isinstance(rule, Rule) else None
        for operation in (operations or {}).values():
            if route:
                operation.pop("description", None)  # of the view's docstring, which is for programmers
                operation.update(_described(route))
                placing.place(route.name, operation)
            operation.setdefault("security", [])
            operation["responses"]["default"] = _PROBLEM


def _flows() -> Json:
    publishing = {"system/DocumentReference.crus": "publish documents"}
    scopes = {"patient/DocumentReference.rs": "read and search the patient's documents"}
    return {
        "authorizationCode": {"authorizationUrl": "/oauth/authorize", "tokenUrl": "/oauth/token", "scopes": scopes},
        "clientCredentials": {"tokenUrl": "/oauth/token", "scopes": publishing},
    }


def _tags() -> list[Json]:
    """Return the tags of the FHIR endpoint: one for each resource type, and the tags of other routes."""
    beside = {
        "Conformance": "What the server can do",
        exports.TAG: "Exports (Bulk Data Access)",
    }
    types = [{"name": name, "description": f"FHIR R4 {name}"} for name in _ROWS]
    return [*types, *({"name": name, "description": text} for name, text in beside.items())]


_TEXT: Json = {"type": "string"}
_DATA_TYPES: dict[str, Json] = {
    "string": _TEXT,
    "code": _TEXT,
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "id": _TEXT,
    "date": _TEXT,
    "instant": {"type": "string", "format": "date-time"},
    "uri": {"type": "string", "format": "uri"},
    "canonical": {"type": "string", "format": "uri"},
    "Coding": {"type": "object", "properties": {"system": _TEXT, "code": _TEXT}},
    "CodeableConcept": {"type": "object"},
    "Resource": {"$ref": f"{_SCHEMAS}Resource"},
    "Reference": {"type": "object", "required": ["reference"], "properties": {"reference": _TEXT}},
    "Identifier": {
        "type": "object",
        "required": ["system", "value"],
        "properties": {"system": _TEXT, "value": _TEXT},
    },
}
_PROBLEM = "Problem"


def _of_types() -> dict[str, Json]:
    """Return the schema of each resource type that a client sends or receives."""
    named = {name: _resource(name) for name in (*_ROWS, *_BESIDE)}
    for name, row in REGISTRY.items():
        if row.profiles:
            named[name]["description"] = f"Profiles that the server supports: {', '.join(row.profiles)}"
    issue = {"type": "object", "required": ["severity", "code"], "properties": {"severity": _TEXT, "code": _TEXT}}
    named["OperationOutcome"]["properties"]["issue"] = {"type": "array", "items": issue}
    named["Resource"] = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": _TEXT}}
    return named | {"JsonPatch": {"type": "array", "items": {"type": "object"}}}


def _of_searches() -> dict[str, Json]:
    """Return the form of each search by POST; a field may hold several values, with commas between them."""
    return {
        f"{row.name}.search": {"type": "object", "properties": {p["name"]: _form_field(p) for p in _of_search(row)}}
        for row in _ROWS.values()
        if Interaction.SEARCH in row.interactions
    }


def _form_field(parameter: Json) -> Json:
    return {**parameter["schema"], "description": parameter["description"]}


def _of_operations() -> dict[str, Json]:
    """Return the input of each operation that takes parameters."""
    return {f"{operation.id}.input": _input(operation) for operation in OPERATIONS if operation.parameters}


def _input(operation: Operation) -> Json:
    """Return the Parameters of an operation; one that takes a resource also accepts the resource alone."""
    schema = _resource("Parameters")
    schema["properties"]["parameter"] = {
        "type": "array",
        "items": {"anyOf": [_parameter(wanted) for wanted in operation.parameters]},
    }
    resources = [wanted.type for wanted in operation.parameters if wanted.type not in VALUES]
    return {"anyOf": [schema, *({"$ref": f"{_SCHEMAS}{name}"} for name in resources)]} if resources else schema


def _parameter(wanted: Parameter) -> Json:
    """Return the schema of one parameter with its value."""
    value = VALUES.get(wanted.type, "resource")
    schema: Json = _DATA_TYPES.get(wanted.type) or {"$ref": f"{_SCHEMAS}{wanted.type}"}
    named = {"name": {"type": "string", "enum": [wanted.name]}, value: schema}
    return {"type": "object", "required": ["name", value], "properties": named, "description": wanted.documentation}


def _resource(type_: str) -> Json:
    named = {"resourceType": {"type": "string", "enum": [type_]}}
    return {"type": "object", "required": ["resourceType"], "properties": named}


def _described(route: Route) -> Json:
    """Return what the document says of a route."""
    method, path, row = route.method, route.path, _ROWS.get(route.tag)
    operation = route.given.get("operation")
    told: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [] if route.public or route.tag == "Conformance" else [{"smart": []}],
        "responses": _responses(method, path, row),
        "parameters": [*_parameters(method, path, row)],
    }
    content = _body(method, path, row)
    if isinstance(operation, Operation):
        told |= _of_call(operation, method)
        content = _taken(operation) if method == "POST" else {}
    return told | ({"requestBody": {"required": "$" not in path, "content": content}} if content else {})


def _of_call(operation: Operation, method: str) -> Json:
    """Return what calls of an operation have: its description, its answer, and parameters of the URL by GET."""
    asked = operation.parameters if method == "GET" else ()
    named = [_named("query", wanted.name, wanted.documentation) for wanted in asked]
    if operation.answers == HTTPStatus.ACCEPTED:
        answer: Json = {"202": {"description": "accepted: its state is at `Content-Location`"}}
    else:
        answer = {"200": {"description": "done", "content": _told_back(operation)}}
    return {"description": operation.documentation, "responses": answer, "parameters": ["_format", *named]}


def _told_back(operation: Operation) -> Json:
    """Return the content of an operation's answer: the resource that is its one output, or Parameters."""
    if operation.media_type:
        return {operation.media_type: {"schema": {"type": "string", "format": "binary"}}}
    if not operation.output:
        return _content("any", "of these")
    only, *others = operation.output
    is_bare = only.name == "return" and not others and only.type in {*REGISTRY, *_BESIDE}
    return _content(only.type if is_bare else "Parameters")


def _taken(operation: Operation) -> Json:
    if operation.takes:
        return {operation.takes: {"schema": {"type": "string", "format": "binary"}}}
    return _content(f"{operation.id}.input" if operation.parameters else "Parameters")


def _content(*types: str) -> Json:
    schema: Json = {"$ref": f"{_SCHEMAS}{types[0]}"} if len(types) == 1 else {"type": "object"}
    return {media: {"schema": schema} for media in FHIR_TYPES}


def _is_search(method: str, path: str) -> bool:
    return path.endswith("/_search") or (method == "GET" and path.count("/") < 2 and path != "/metadata")  # noqa: PLR2004


def _responses(method: str, path: str, row: ResourceType | None) -> Json:
    if path.startswith("/$export-"):
        return _of_export(method, path)
    if method == "DELETE":
        return {"204": {"description": "deleted, or nothing was there"}}
    content = _answered(method, path, row)
    if not _is_create(method, path, row):
        answers: Json = {"200": {"description": "done", "content": content}}
        if method == "PUT" and _is_by_criteria(method, path):
            return answers | {"201": {"description": "created, because nothing met the criteria", "content": content}}
        is_conditional = method == "GET" and not _is_search(method, path) and "$" not in path
        return answers | ({"304": {"description": "the client has it"}} if is_conditional else {})
    answers = {"201": {"description": "created", "content": content}}
    found = {"200": {"description": "was there already (If-None-Exist)", "content": content}}
    return answers | (found if row and row.creates_conditionally else {})


_OF_HISTORIES = {
    "_since": "the instant from which on versions are listed",
    "_at": "the time in which the listed versions were current",
    "_count": "versions of a page",
}


def _is_by_criteria(method: str, path: str) -> bool:
    """Tell whether a write names its resource by search parameters."""
    return method in ("PUT", "PATCH", "DELETE") and "<id_>" not in path


def _of_export(method: str, path: str) -> Json:
    """Return the answers of the state of an export, and of its files."""
    if method == "DELETE":
        return {"202": {"description": "ended: its address is unknown from now on"}}
    if path.startswith(f"/{exports.FILE}"):
        return {"200": {"description": "the file", "content": {NDJSON: {"schema": _TEXT}}}}
    manifest = {"application/json": {"schema": {"type": "object"}}}
    waits = {"description": "the export is being prepared: ask again after `Retry-After`"}
    return {"200": {"description": "the manifest", "content": manifest}, "202": waits}


def _is_create(method: str, path: str, row: ResourceType | None) -> bool:
    return method == "POST" and row is not None and path == f"/{row.name}"


def _answered(method: str, path: str, row: ResourceType | None) -> Json:
    if path == "/metadata":
        return _content("CapabilityStatement")
    if row is None or path.endswith("/_history") or _is_search(method, path):
        return _content("Bundle")
    raw = {"*/*": {"schema": {"type": "string", "format": "binary"}}} if row.access is AccessRule.CONTENT else {}
    return _content(row.name) | raw


def _body(method: str, path: str, row: ResourceType | None) -> Json:
    if method not in ("POST", "PUT", "PATCH"):
        return {}
    if path.endswith("/_search"):
        schema: Json = {"$ref": f"{_SCHEMAS}{row.name}.search"} if row and row.search else {"type": "object"}
        return {"application/x-www-form-urlencoded": {"schema": schema}}
    if method == "PATCH":
        patch = {"application/json-patch+json": {"schema": {"$ref": f"{_SCHEMAS}JsonPatch"}}}
        patch["application/xml-patch+xml"] = {"schema": {"type": "string"}}
        patch["application/merge-patch+json"] = {"schema": {"type": "object"}}
        return patch | _content("Parameters")
    return _content(row.name if row else "Bundle")


def _parameters(method: str, path: str, row: ResourceType | None) -> Iterator[Json | str]:
    yield "_format"  # this parameter is shared: it stands among the components
    yield from _headers(method, path, row)
    if path.endswith("/_history"):
        yield from (_named("query", name, text) for name, text in _OF_HISTORIES.items())
        if "<id_>" not in path and (row is None or row.access is not AccessRule.DIRECTORY):
            yield _named("query", "patient", "whose space is asked, unless the token names it")
    elif _is_by_criteria(method, path):
        criteria = [param for param in row.search if not param.chain[0]] if row else []
        yield from (_named("query", param.name, param.documentation or param.type) for param in criteria)
    elif method == "GET" and _is_search(method, path):
        yield from _of_search(row)


def _headers(method: str, path: str, row: ResourceType | None) -> Iterator[Json]:
    if method in ("PUT", "PATCH", "DELETE"):
        names: tuple[str, ...] = _OF_WRITES
        if method == "PUT" and "<id_>" in path:
            yield _named("header", "If-None-Match", "`*`: create the resource, replace none")
    elif _is_create(method, path, row):
        names = ("Prefer", "If-None-Exist") if row and row.creates_conditionally else ("Prefer",)
    elif method == "GET" and "<id_>" in path and not path.endswith("/_history") and "$" not in path:
        names = ("If-None-Match", "If-Modified-Since")
    else:
        names = ("Prefer",) if _is_search(method, path) else ()
    yield from (_named("header", name, _HEADERS[name]) for name in names)


def _of_search(row: ResourceType | None) -> Iterator[Json]:
    if row is None or Interaction.SEARCH not in row.interactions:
        yield _named("query", "_type", "the one type that is searched", required=True)
        return
    yield from (_named("query", name, text) for name, text in _RESULT.items())
    yield from (_named("query", param.name, param.documentation or param.type) for param in row.search)
    if row.names_patient:
        names = [param.name for param in row.search if param.name in ("patient", "subject")]
        yield from (_named("query", f"{name}.identifier", "one patient, as `system|value`") for name in names)


def _named(place: str, name: str, text: str, *, required: bool = False) -> Json:
    return {"in": place, "name": name, "description": text, "required": required, "schema": _TEXT}
