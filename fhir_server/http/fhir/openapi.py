"""What the OpenAPI document says about a FHIR route (parameters, body, answers), made from the route and the registry.

Source: https://spec.openapis.org/oas/v3.0.3; https://hl7.org/fhir/R4/http.html. Bodies are FHIR resources, whose shapes
the standard publishes; the document names only their types.
"""

from collections.abc import Iterator, Mapping

from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY, AccessRule, Interaction, ResourceType

FHIR_TYPES = ("application/fhir+json", "application/fhir+xml")
_SCHEMAS = "#/components/schemas/"
_BESIDE = ("Bundle", "OperationOutcome", "Parameters", "CapabilityStatement", "OperationDefinition")
_RESULT = {
    "_id": "ids, with commas between them",
    "_lastUpdated": "time of the last change, with a prefix such as `ge`",
    "_count": "entries of a page, 200 at most; 0 asks for the total alone",
    "_sort": "`_lastUpdated` or a date parameter, with `-` for the latest first",
    "_total": "`none`, `estimate` or `accurate`",
    "_summary": "`count` or `false`",
    "_elements": "names of the elements to show",
    "_page": "from the link `next`",
}
_HEADERS = {
    "If-Match": "the version that is changed, as its ETag",
    "If-None-Match": "an ETag that the client has",
    "If-Modified-Since": "the time of what the client has",
    "If-None-Exist": "`identifier=system|value` of what must not exist yet",
    "Prefer": "`return=minimal`, `handling=strict` and such",
}
_OF_WRITES = ("Prefer", "If-Match")


def schemas() -> dict[str, Json]:
    """Return the schema of each resource type that a client sends or receives."""
    named = {name: _resource(name) for name in (*REGISTRY, *_BESIDE)}
    issue = {"type": "object", "required": ["severity", "code"], "properties": {"severity": _TEXT, "code": _TEXT}}
    named["OperationOutcome"]["properties"]["issue"] = {"type": "array", "items": issue}
    return named | {"JsonPatch": {"type": "array", "items": {"type": "object"}}}


def tags() -> list[Json]:
    """Return the tags of the document: one for each resource type, and the tags of other routes."""
    beside = {"Bundle": "Batch, transaction (ITI-65) and search of the server", "Conformance": "What the server can do"}
    beside["Matrix"] = "The habilitation matrix"
    types = [{"name": name, "description": f"FHIR R4 {name}"} for name in REGISTRY]
    return [*types, *({"name": name, "description": text} for name, text in beside.items())]


def described(method: str, path: str, tag: str, asked: Mapping[str, str]) -> Json:
    """Return parameters, body and answers of one route.

    path: below /fhir, as in the route. asked: the query parameters of an operation called by GET, with explanations.
    """
    row = REGISTRY.get(tag)
    told: Json = {"responses": _responses(method, path, row), "parameters": [*_parameters(method, path, row, asked)]}
    body = _body(method, path, row)
    return told | ({"requestBody": {"required": "$" not in path, "content": body}} if body else {})


_TEXT: Json = {"type": "string"}


def _resource(type_: str) -> Json:
    named = {"resourceType": {"type": "string", "enum": [type_]}}
    return {"type": "object", "required": ["resourceType"], "properties": named}


def _content(*types: str) -> Json:
    schema: Json = {"$ref": f"{_SCHEMAS}{types[0]}"} if len(types) == 1 else {"type": "object"}
    return {media: {"schema": schema} for media in FHIR_TYPES}


def _is_search(method: str, path: str) -> bool:
    return path.endswith("/_search") or (method == "GET" and path.count("/") < 2 and path != "/metadata")  # noqa: PLR2004


def _responses(method: str, path: str, row: ResourceType | None) -> Json:
    if method == "DELETE":
        return {"204": {"description": "deleted, or nothing was there"}}
    content = _answered(method, path, row)
    if not _is_create(method, path, row):
        answers: Json = {"200": {"description": "done", "content": content}}
        is_conditional = method == "GET" and not _is_search(method, path) and "$" not in path
        return answers | ({"304": {"description": "the client has it"}} if is_conditional else {})
    answers = {"201": {"description": "created", "content": content}}
    found = {"200": {"description": "was there already (If-None-Exist)", "content": content}}
    return answers | (found if row and row.creates_conditionally else {})


def _is_create(method: str, path: str, row: ResourceType | None) -> bool:
    return method == "POST" and row is not None and path == f"/{row.name}"


def _answered(method: str, path: str, row: ResourceType | None) -> Json:
    if "$" in path:
        return _content("any", "of these")
    if path == "/metadata":
        return _content("CapabilityStatement")
    if path.startswith("/OperationDefinition"):
        return _content("OperationDefinition")
    if row is None or path.endswith("/_history") or _is_search(method, path):
        return _content("Bundle")
    raw = {"*/*": {"schema": {"type": "string", "format": "binary"}}} if row.access is AccessRule.CONTENT else {}
    return _content(row.name) | raw


def _body(method: str, path: str, row: ResourceType | None) -> Json:
    if method not in ("POST", "PUT", "PATCH"):
        return {}
    if path.endswith("/_search"):
        return {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    if method == "PATCH":
        patch = {"application/json-patch+json": {"schema": {"$ref": f"{_SCHEMAS}JsonPatch"}}}
        return patch | _content("Parameters")
    if "$" in path:
        return _content("any", "of these")
    return _content(row.name if row else "Bundle")


def _parameters(method: str, path: str, row: ResourceType | None, asked: Mapping[str, str]) -> Iterator[Json | str]:
    yield "_format"  # this parameter is shared: it stands among the components
    yield from _headers(method, path, row)
    if "$" in path:
        yield from (_named("query", name, text) for name, text in asked.items())
    elif path.endswith("/_history"):
        yield _named("query", "_since", "the instant from which on versions are listed")
    elif method == "PATCH" and "<id_>" not in path:
        yield _named("query", "identifier", "`system|value` of the one document", required=True)
    elif method == "GET" and _is_search(method, path):
        yield from _of_search(row)


def _headers(method: str, path: str, row: ResourceType | None) -> Iterator[Json]:
    if method in ("PUT", "PATCH", "DELETE"):
        names: tuple[str, ...] = _OF_WRITES
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
