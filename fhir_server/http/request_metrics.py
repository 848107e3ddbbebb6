"""Which metric counts a request: the kind of each route, found once when the server starts.

A request counts by its route, never by its path, so that no client can add a kind.
"""

from collections.abc import Mapping

from flask import Flask
from werkzeug.routing import Rule

from fhir_server.http.fhir.endpoint import ROUTES, fhir
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import FHIR_PATH, after_each
from fhir_server.metrics import counting
from fhir_server.metrics.counting import RequestKind
from fhir_server.metrics.families import NONE, OTHER, Interface
from fhir_server.registry import Interaction

_BY_METHOD = {
    "GET": Interaction.READ,
    "POST": Interaction.CREATE,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}
_PROBES, _ASSETS = ("/status", "/health/"), ("/assets/", "/static/", "/favicon.ico")
_OF_CLIENTS = ("/oauth/", "/.well-known/", f"{FHIR_PATH}/.well-known/", "/brands.json")
_PREFIXES = ((_PROBES, Interface.PROBE), (_ASSETS, Interface.ASSET), (_OF_CLIENTS, Interface.OAUTH))


def install(app: Flask) -> None:
    """Count each answer of an application whose routes are registered."""
    kinds = _kinds(app)
    unknown = RequestKind.of(OTHER, NONE)

    def count(endpoint: str | None, status: int, seconds: float) -> None:
        counting.answered(kinds[endpoint] if endpoint else unknown, status, seconds)

    after_each(app, count)


def _kinds(app: Flask) -> Mapping[str, RequestKind]:
    """Return the kind of each endpoint."""
    found = {rule.endpoint: RequestKind.of(_interface(rule), NONE) for rule in app.url_map.iter_rules()}
    return found | {f"{fhir.name}.{route.name}": _kind(route) for route in ROUTES}


def _interface(rule: Rule) -> str:
    """Return what a route that is no FHIR interaction counts as; pages of sign-in below /oauth are pages."""
    if rule.endpoint.startswith("oauth_pages."):
        return Interface.PAGE
    return next((named for prefixes, named in _PREFIXES if rule.rule.startswith(prefixes)), Interface.PAGE)


def _kind(route: Route) -> RequestKind:
    if route.path == "/metadata":
        return RequestKind.of(Interface.CAPABILITIES, NONE)
    return RequestKind.of(_interaction(route), route.tag)


def _interaction(route: Route) -> Interaction:
    """Return the interaction of a route of the FHIR endpoint, by its path and method."""
    path, last = route.path, route.path.rpartition("/")[2]
    if last.startswith("$"):
        return Interaction.OPERATION
    if "_history" in path:
        return Interaction.HISTORY if last == "_history" else Interaction.VREAD
    if last == "_search" or (route.method == "GET" and last in ("", route.tag)):
        return Interaction.SEARCH
    if last == "":
        return Interaction.TRANSACTION
    return _BY_METHOD[route.method]
