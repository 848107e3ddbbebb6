"""Routes of the FHIR endpoint, made from the registry and described for the OpenAPI document.

Flask-smorest documents every route from the view's docstring; a resource type is one tag.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flask import Response
from flask_smorest import Api, Blueprint

FHIR_PATH = "/fhir"
View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One route below the FHIR endpoint.

    path: below /fhir, such as "/Patient/<id_>". tag: the resource type it is documented under.
    name: unique over all routes. summary: one line for the documentation.
    """

    method: str
    path: str
    view: View
    tag: str
    name: str
    summary: str


def attach(api: Api, routes: Iterable[Route]) -> None:
    """Register routes, each documented under its tag."""
    for route in routes:
        blueprint = Blueprint(route.name, route.name, url_prefix=FHIR_PATH)
        documented = blueprint.doc(
            summary=route.summary, tags=[route.tag], operationId=route.name, security=[{"smart": []}]
        )(route.view)
        blueprint.add_url_rule(route.path, endpoint=route.name, view_func=documented, methods=[route.method])
        api.register_blueprint(blueprint)
