"""Every door of the server: which questions hold it to non-interference, or where it is held and why not here.

A door is a method and a rule of the web application. One that is in no table fails the test: a new one is asked too.
"""

from collections.abc import Iterator
from typing import Any

from flask import Flask

from fhir_server.domain.values import Json
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.registry import NATIVE, PUBLISHED, REGISTRY, AccessRule, Interaction, ResourceType, SearchParam

Door = tuple[str, str]

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
SECRET_NAME = "urn:oid:1.2.250.1.213.1.4.99999.77"
INS = "urn:oid:1.2.250.1.213.1.4.10"
_DIRECTORY = frozenset(row.name for row in REGISTRY.values() if row.access is AccessRule.DIRECTORY)
_OPEN = _DIRECTORY | PUBLISHED.keys()

NOTHING_OF_PATIENTS = frozenset({
    ("GET", "/fhir/metadata"),
    ("GET", "/fhir/.well-known/smart-configuration"),
    ("GET", "/matrix"), ("GET", "/matrix/<version>"), ("GET", "/matrix/<version>/changes"),
    ("GET", "/"), ("GET", "/api"), ("GET", "/api/openapi.json"), ("GET", "/favicon.ico"), ("GET", "/brands.json"),
    ("GET", "/assets/<path:filename>"), ("GET", "/static/<path:filename>"),
    ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/status"), ("GET", "/transparency"),
    ("GET", "/who-reads"), ("GET", "/keys"), ("GET", "/security"), ("GET", "/accessibility"),
    ("GET", "/developer"), ("POST", "/developer/apps"),
})  # fmt: skip
"""What is the same for everybody, whatever the patients' spaces hold."""

OF_THE_SERVER = frozenset({("GET", "/fhir"), ("GET", "/fhir/"), ("POST", "/fhir/_search")})
"""A search of the whole server is one of the type that it names, and is asked beside the doors of `searched`."""

ELSEWHERE = {
    "/oauth/": "tests/oauth/test_secrecy.py",
    "/.well-known/": "tests/oauth/test_documentation.py",
    "/login": "tests/oauth/test_upstream_hostile.py",
    "/logout": "tests/oauth/test_passkeys.py",
    "/account/": "tests/oauth/test_passkeys.py",
    "/fhir/$export": "tests/adversarial/test_exports_tell_nothing.py",
    "/fhir/Group/": "tests/adversarial/test_exports_tell_nothing.py",
    "/fhir/Subscription": "tests/adversarial/test_subscriptions_tell_nothing.py",
    "/api/try": "tests/http/test_try_page.py",
    "/journal": "tests/adversarial/test_notices_name_nothing_hidden.py",
} | {f"/fhir/Patient/<id_>/{name}": "tests/adversarial/test_joins_tell_nothing.py" for name in REGISTRY}
"""Doors by the beginning of their rule, with the tests that hold them: they know tokens and sessions, no documents."""


def doors_of(app: Flask) -> frozenset[Door]:
    """Return every door of an application; HEAD is GET without its body."""
    return frozenset(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or ()) - {"HEAD", "OPTIONS"}
    )


KNOWN = {
    ("other-ehr", "/fhir/Patient/<id_>/$explain"): "software needs no consent, so a refusal says closed or blocked",
}
"""What is told all the same, and why it cannot be kept: who is told, and the rule of the door."""


def is_elsewhere(door: Door) -> bool:
    """Tell whether a door is held by other tests, or is of the directory, which is open to whoever is signed in."""
    _, rule = door
    named = rule.removeprefix("/fhir/").split("/")[0]
    return door in NOTHING_OF_PATIENTS or named in _OPEN or any(rule.startswith(start) for start in ELSEWHERE)


# --- doors that name a resource by its id --------------------------------------------------------------------------


def by_id() -> Iterator[tuple[Door, str]]:
    """Yield each door that names a resource of a patient by its id, and the type of that resource."""
    ways = {
        Interaction.READ: ("GET", ""),
        Interaction.VREAD: ("GET", "/_history/<version>"),
        Interaction.HISTORY: ("GET", "/_history"),
        Interaction.UPDATE: ("PUT", ""),
        Interaction.PATCH: ("PATCH", ""),
        Interaction.DELETE: ("DELETE", ""),
    }
    for row in (*_patients_own(), *NATIVE.values()):
        for interaction, (method, end) in ways.items():
            if interaction in row.interactions:
                yield (method, f"/fhir/{row.name}/<id_>{end}"), row.name
    for operation in OPERATIONS:
        if operation.instance and operation.type in REGISTRY.keys() - _OPEN:
            for method in operation.methods:
                yield (method, f"/fhir/{operation.type}/<id_>/${operation.name}"), operation.type


def body_for(door: Door, type_: str, id_: str) -> tuple[Any, str]:
    """Return a body that the door takes, and its media type."""
    method, rule = door
    if method == "PUT":
        return {"resourceType": type_, "id": id_} | _LEAST.get(type_, {}), "application/fhir+json"
    if method == "PATCH":
        return [{"op": "test", "path": "/status", "value": "x"}], "application/json-patch+json"
    if method == "POST":
        return _arguments(rule), "application/fhir+json"
    return None, ""


def _arguments(rule: str) -> Json:
    name = rule.partition("$")[2]
    operation = next(one for one in OPERATIONS if one.name == name and f"/{one.type}/" in rule)
    values = {"string": {"valueString": "said"}, "boolean": {"valueBoolean": False}, "code": {"valueCode": "hidden"}}
    given = [{"name": one.name} | values[one.type] for one in operation.parameters if one.required]
    return {"resourceType": "Parameters", "parameter": given} if given else {"resourceType": "Parameters"}


_LEAST: dict[str, Json] = {
    "RelatedPerson": {"patient": {"reference": f"Patient/{UNKNOWN}"}},
    "Consent": {
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policyRule": {"text": "x"},
    },
}
"""What R4 demands of a type beside its id."""


# --- doors that name none ------------------------------------------------------------------------------------------


def searched() -> Iterator[tuple[Door, ResourceType]]:
    """Yield the doors of search, by address and by form."""
    for row in _patients_own():
        if Interaction.SEARCH in row.interactions:
            yield ("GET", f"/fhir/{row.name}"), row
            yield ("POST", f"/fhir/{row.name}/_search"), row


def histories() -> Iterator[Door]:
    """Yield the doors of the history of a type of a patient's space, and of the space."""
    yield ("GET", "/fhir/_history")
    for row in _patients_own():
        if Interaction.HISTORY in row.interactions:
            yield ("GET", f"/fhir/{row.name}/_history")


def questions(row: ResourceType, patient: str) -> Iterator[str]:
    """Yield queries of one type in one space: each parameter, each order, each way to count."""
    base = f"_id={patient}" if row.access is AccessRule.IDENTITY else f"patient={patient}"
    if row.access is AccessRule.TRACE:
        base += "&date=lt2026-03-02T10:30:00Z"  # what the caller asks now leaves traces of its own
    yield from (f"{base}{more}" for more in _WAYS)
    for param in row.search:
        if param.name not in ("patient", "subject"):
            yield from (f"{base}&{param.name}={value}" for value in _values(param))
        if param.type == "date":
            yield f"{base}&_sort={param.name}&_count=1"
            yield f"{base}&_sort=-{param.name}"


_WAYS = (
    "", "&_summary=count", "&_total=none", "&_total=accurate&_count=1", "&_count=0", "&_elements=id", "&_format=xml",
    "&_sort=_lastUpdated", "&_lastUpdated=ge2026-03-02T09:30:00Z", "&_lastUpdated=lt2026-03-02T09:30:00Z",
    f"&_id={UNKNOWN}",
)  # fmt: skip


def _values(param: SearchParam) -> tuple[str, ...]:
    if param.name == "identifier":
        return (f"urn:ietf:rfc:3986|{SECRET_NAME}",)
    by_type = {"date": ("ge2020", "lt2020"), "string": ("a", "compte"), "uri": ("urn:x",), "reference": ("Patient/x",)}
    known = {
        "status": ("current", "active"),
        "type": ("http://loinc.org|34112-3",),
        "category": ("10",),
        "code": ("folder", "submissionset"),
        "outcome": ("0", "4"),
        "action": ("C", "R"),
    }
    return known.get(param.name) or by_type.get(param.type) or ("N", "x")


def of_no_id() -> frozenset[Door]:
    """Return the writing doors that name no resource in their rule: what their bodies name is asked by `named`."""
    rows = {row.name: row for row in _patients_own()}
    creating = {("POST", f"/fhir/{name}") for name, row in rows.items() if Interaction.CREATE in row.interactions}
    of_types = {
        (method, f"/fhir/{operation.type}/${operation.name}")
        for operation in OPERATIONS
        if operation.type in REGISTRY.keys() - _OPEN and (not operation.instance or operation.also_on_type)
        for method in operation.methods
    }
    by_criteria = {door for door, _ in by_number()}
    return frozenset(creating | of_types | by_criteria | {("POST", "/fhir"), ("POST", "/fhir/")})


def by_number() -> Iterator[tuple[Door, str]]:
    """Yield each door that writes the one resource of a patient that meets criteria, and the type of that resource."""
    for row in _patients_own():
        ways = {
            "PUT": row.updates_conditionally,
            "PATCH": row.patches_conditionally,
            "DELETE": row.deletes_conditionally,
        }
        for method, is_offered in ways.items():
            if is_offered:
                yield (method, f"/fhir/{row.name}"), row.name


def _patients_own() -> Iterator[ResourceType]:
    return (row for row in REGISTRY.values() if row.name not in _DIRECTORY)
