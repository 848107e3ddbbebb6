"""Every operation of the server: its routes and its OperationDefinition.

Source: https://hl7.org/fhir/R4/operations.html.
"""

from flask import Response

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.exports.delivery import TAG
from fhir_server.http.fhir.operations import (
    cases,
    documents,
    everything,
    exports,
    invitations,
    matching,
    reading,
    reviews,
    spaces,
    summary,
    suspensions,
)
from fhir_server.http.fhir.operations.model import Operation, arguments, definition_of
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

OPERATIONS: tuple[Operation, ...] = (
    *spaces.OPERATIONS,
    *invitations.OPERATIONS,
    *reviews.OPERATIONS,
    *cases.OPERATIONS,
    *suspensions.OPERATIONS,
    *reading.OPERATIONS,
    *everything.OPERATIONS,
    *exports.OPERATIONS,
    *documents.OPERATIONS,
    *matching.OPERATIONS,
    *summary.OPERATIONS,
)
RELEASED = "2026-11-25"


def capability_of(operation: Operation, fhir_base: str) -> Json:
    """Return what the CapabilityStatement says of an operation."""
    return {"name": operation.name, "definition": f"{fhir_base}/OperationDefinition/{operation.id}"}


def read_definition(id_: str) -> Response:
    """Answer the OperationDefinition; no token is needed."""
    found = next((operation for operation in OPERATIONS if operation.id == id_), None)
    if found is None:
        raise Problem(Category.NOT_FOUND)
    return negotiation.fhir_response(definition_of(found, runtime().fhir_base, RELEASED))


def call(operation: Operation, id_: str = "") -> Response:
    """Run an operation on one resource, or on a type."""
    negotiation.wanted_format()
    caller = current_caller()
    return operation.answer(runtime(), caller, id_, {} if operation.reads_request else arguments(operation))


def _routes(operation: Operation) -> list[Route]:
    routes = _at(operation, "/<id_>" if operation.instance else "", operation.id)
    return [*routes, *_at(operation, "", f"{operation.id}-of-type")] if operation.also_on_type else routes


def _at(operation: Operation, place: str, name: str) -> list[Route]:
    path = f"/{operation.type}{place}/${operation.name}" if operation.type else f"/${operation.name}"
    tag = operation.type if operation.type in REGISTRY else TAG
    names = {"GET": f"{name}-by-get", "POST": name}
    return [
        Route(method, path, call, tag, names[method], operation.title, {"operation": operation})
        for method in operation.methods
    ]


_SUMMARY = "Read the definition of an operation"
ROUTES = [
    *(route for operation in OPERATIONS for route in _routes(operation)),
    Route("GET", "/OperationDefinition/<id_>", read_definition, "Conformance", "read-OperationDefinition", _SUMMARY),
]
"""The routes of all operations, and of their definitions."""
