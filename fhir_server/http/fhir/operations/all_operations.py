"""Every operation of the server, and its routes.

Source: https://hl7.org/fhir/R4/operations.html.
"""

from flask import Response, request

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
    reading,
    relatives,
    reviews,
    space_copies,
    spaces,
    subscriptions,
    summary,
    suspensions,
)
from fhir_server.http.fhir.operations.conformance import terminology, validating
from fhir_server.http.fhir.operations.identities import matching, merging
from fhir_server.http.fhir.operations.model import Operation, arguments
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import runtime
from fhir_server.registry import OWNED, PUBLISHED, REGISTRY
from fhir_server.settings import limits

OPERATIONS: tuple[Operation, ...] = (
    *spaces.OPERATIONS,
    *invitations.OPERATIONS,
    *relatives.OPERATIONS,
    *reviews.OPERATIONS,
    *cases.OPERATIONS,
    *suspensions.OPERATIONS,
    *reading.OPERATIONS,
    *everything.OPERATIONS,
    *exports.OPERATIONS,
    *space_copies.OPERATIONS,
    *documents.OPERATIONS,
    *matching.OPERATIONS,
    *merging.OPERATIONS,
    *summary.OPERATIONS,
    *terminology.OPERATIONS,
    *validating.OPERATIONS,
    *subscriptions.OPERATIONS,
)
_TYPES = REGISTRY.keys() | PUBLISHED.keys() | OWNED.keys()


def capability_of(operation: Operation, fhir_base: str) -> Json:
    """Return what the CapabilityStatement says of an operation."""
    return {"name": operation.name, "definition": f"{fhir_base}/OperationDefinition/{operation.id}"}


def call(operation: Operation, id_: str = "") -> Response:
    """Run an operation on one resource, or on a type."""
    if not operation.media_type:
        negotiation.wanted_format()
    if operation.shown:
        _demand_small(operation)
        return operation.shown(id_, arguments(operation))
    caller = current_caller()
    return operation.answer(runtime(), caller, id_, {} if operation.reads_request else arguments(operation))


def _demand_small(operation: Operation) -> None:
    """Refuse a body that is longer than the parameters can be, before it is parsed: these callers have no token.

    Raises: Problem(TOO_LARGE).
    """
    most = limits.in_force().value_bytes * len(operation.parameters)
    sent = request.content_length
    if (len(request.get_data()) if sent is None else sent) > most:
        raise Problem.of(Category.TOO_LARGE, f"the parameters of this operation have at most {most} bytes")


def _routes(operation: Operation) -> list[Route]:
    routes = _at(operation, "/<id_>" if operation.instance else "", operation.id)
    return [*routes, *_at(operation, "", f"{operation.id}-of-type")] if operation.also_on_type else routes


def _at(operation: Operation, place: str, name: str) -> list[Route]:
    path = f"/{operation.type}{place}/${operation.name}" if operation.type else f"/${operation.name}"
    tag = operation.type if operation.type in _TYPES else TAG
    names = {"GET": f"{name}-by-get", "POST": name}
    given, is_public = {"operation": operation}, operation.shown is not None
    return [
        Route(method, path, call, tag, names[method], operation.title, given, is_public) for method in operation.methods
    ]


ROUTES = [route for operation in OPERATIONS for route in _routes(operation)]
"""The routes of all operations."""
