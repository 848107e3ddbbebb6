"""create, read, update, delete and search of Subscription (ITI-110, ITI-113): each client has its own.

Source: https://hl7.org/fhir/R4/subscription.html; Subscriptions R5 Backport 1.1.0; docs/subscriptions.md.
"""

from email.utils import format_datetime

from flask import Response, request

from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.conformance.published import as_stored
from fhir_server.application.subscriptions import commands
from fhir_server.application.subscriptions.kept import Subscription
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.published import serving
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import runtime
from fhir_server.r4.parsing import parse
from fhir_server.registry import OWNED, ResourceType

(_ROW,) = OWNED.values()


def create() -> Response:
    """Store a subscription; the worker then tries its endpoint."""
    negotiation.wanted_format()
    made = commands.subscribe(runtime(), current_caller(), _body())
    return _shown(made, 201, "Location")


def read_one(id_: str) -> Response:
    """Answer a subscription of the caller."""
    negotiation.wanted_format()
    rendering.demand_of_one()
    return _shown(commands.look_at(runtime(), current_caller(), id_))


def update(id_: str) -> Response:
    """Switch a subscription off, or begin it anew."""
    negotiation.wanted_format()
    served, caller, resource = runtime(), current_caller(), _body()
    if resource.get("id") != id_:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", "Subscription.id", "value")
    return _shown(commands.switch(served, caller, id_, resource), 200, "Content-Location")


def delete(id_: str) -> Response:
    """Delete a subscription; what is not there needs no deleting."""
    commands.end(runtime(), current_caller(), id_)
    return negotiation.empty_response(204)


def search() -> Response:
    """Answer the caller's subscriptions that match."""
    negotiation.wanted_format()
    served, caller = runtime(), current_caller()
    return serving.found_among(_ROW, lambda: [stored_of(one) for one in commands.look_for(served, caller)])


def stored_of(one: Subscription) -> Stored:
    """Return a subscription as the store would hold it."""
    return as_stored(resource_of(one), _ROW, one.changed_at)


def resource_of(one: Subscription) -> Json:
    """Return a subscription as its client sees it."""
    error = {"error": one.error} if one.error else {}
    head: Json = {"resourceType": _ROW.name, "id": one.id, "status": one.status_at(runtime().now())}
    return head | error | {name: value for name, value in one.resource.items() if name not in head}


def _body() -> Json:
    return parse(request.get_data(cache=False), request.content_type or "", _ROW.name)


def _shown(one: Subscription, status: int = 200, place: str = "") -> Response:
    shown = Shown(stored_of(one), knows_marks=False)
    response = negotiation.fhir_response(rendering.body_of(shown), status)
    response.headers["ETag"] = rendering.etag_of(shown)
    response.headers["Last-Modified"] = format_datetime(one.changed_at.replace(microsecond=0), usegmt=True)
    if place:
        response.headers[place] = f"{runtime().fhir_base}/{shown.reference}"
    return response


def _routes(row: ResourceType) -> list[Route]:
    name = row.name
    form = f"Search {name} by form"
    return [
        Route("POST", f"/{name}", create, name, f"create-{name}", f"Create one {name}"),
        Route("GET", f"/{name}/<id_>", read_one, name, f"read-{name}", f"Read one {name}"),
        Route("PUT", f"/{name}/<id_>", update, name, f"update-{name}", f"Replace one {name}"),
        Route("DELETE", f"/{name}/<id_>", delete, name, f"delete-{name}", f"Delete one {name}"),
        Route("GET", f"/{name}", search, name, f"search-type-{name}", f"Search {name}"),
        Route("POST", f"/{name}/_search", search, name, f"search-form-{name}", form),
    ]


ROUTES = _routes(_ROW)
"""The routes of subscriptions."""
