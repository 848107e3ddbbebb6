"""Routes of the FHIR endpoint, made from the registry and described for the OpenAPI document.

Flask-smorest documents every route from the view's docstring; a resource type is one tag.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps

from flask import Response
from flask_smorest import Api, Blueprint

from fhir_server.http.fhir.openapi import described
from fhir_server.registry import ResourceType

FHIR_PATH = "/fhir"
View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One route below the FHIR endpoint.

    path: below /fhir, such as "/Patient/<id_>". tag: the resource type under which the route is documented.
    name: unique over all routes. summary: one line for the documentation. asked: the query parameters of an operation.
    """

    method: str
    path: str
    view: View
    tag: str
    name: str
    summary: str
    asked: Mapping[str, str] = field(default_factory=dict)


def bound(view: View, row: ResourceType) -> View:
    """Return the view for one resource type; it keeps the docstring of the view for all types."""

    @wraps(view)
    def of_type(**parts: str) -> Response:
        return view(row, **parts)

    return of_type


def attach(api: Api, routes: Iterable[Route]) -> None:
    """Register routes, each documented under its tag."""
    for route in routes:
        blueprint = Blueprint(route.name, route.name, url_prefix=FHIR_PATH)
        told = described(route.method, route.path, route.tag, route.asked)
        guarded: list[dict[str, list[str]]] = [] if route.tag == "Conformance" else [{"smart": []}]
        documented = blueprint.doc(
            summary=route.summary, tags=[route.tag], operationId=route.name, security=guarded, **told
        )(route.view)
        blueprint.add_url_rule(route.path, endpoint=route.name, view_func=documented, methods=[route.method])
        api.register_blueprint(blueprint)
