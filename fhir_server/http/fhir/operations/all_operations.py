"""Every operation of the server: its routes and its OperationDefinition.

Source: https://hl7.org/fhir/R4/operations.html.
"""

from flask import Flask, Response
from flask_smorest import Api

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.operations import reading, reviews, spaces
from fhir_server.http.fhir.operations.model import Operation, arguments, definition_of
from fhir_server.http.fhir.routing import Route, View, attach
from fhir_server.http.request_context import runtime

OPERATIONS: tuple[Operation, ...] = (
    *spaces.OPERATIONS,
    *reviews.OPERATIONS,
    *reading.OPERATIONS,
)
RELEASED = "2026-11-25"


def register(_app: Flask, api: Api) -> None:
    """Register the routes of all operations, and their definitions."""
    for operation in OPERATIONS:
        attach(api, _routes(operation))
    summary = "Read the definition of an operation"
    path = "/OperationDefinition/<id_>"
    attach(api, [Route("GET", path, read_definition, "Conformance", "read-OperationDefinition", summary)])


def capability_of(operation: Operation, fhir_base: str) -> Json:
    """Return what the CapabilityStatement says of an operation."""
    return {"name": operation.name, "definition": f"{fhir_base}/OperationDefinition/{operation.id}"}


def read_definition(id_: str) -> Response:
    """Answer the OperationDefinition; no token is needed."""
    found = next((operation for operation in OPERATIONS if operation.id == id_), None)
    if found is None:
        raise Problem(Category.NOT_FOUND)
    return negotiation.fhir_response(definition_of(found, runtime().fhir_base, RELEASED))


def _routes(operation: Operation) -> list[Route]:
    place = "/<id_>" if operation.instance else ""
    path = f"/{operation.type}{place}/${operation.name}"
    names = {"GET": f"{operation.id}-by-get", "POST": operation.id}
    asked = {wanted.name: wanted.documentation for wanted in operation.parameters}
    by_query: dict[str, dict[str, str]] = {"GET": asked, "POST": {}}
    return [
        Route(method, path, _view(operation), operation.type, names[method], operation.title, by_query[method])
        for method in operation.methods
    ]


def _view(operation: Operation) -> View:
    def call(id_: str = "") -> Response:
        negotiation.wanted_format()
        caller = current_caller()
        return operation.answer(runtime(), caller, id_, arguments(operation))

    call.__doc__ = f"{operation.documentation}\n"
    return call
