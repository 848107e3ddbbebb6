"""The home page with the people of the demonstration, and the page of the HTTP interface."""

from flask import Response, current_app, make_response, render_template

from fhir_server.domain.values import Json
from fhir_server.http.pages.base import demonstration, site

OPENAPI = "habilis.api"


@site.get("/")
def home() -> Response:
    """Show the people of the demonstration with their tokens and requests, or a description of the server."""
    return make_response(render_template("pages/home.html", demo=demonstration()))


@site.get("/api")
def interface() -> Response:
    """Show the requests that the HTTP interface offers, from the OpenAPI document."""
    api = current_app.extensions[OPENAPI]
    return make_response(render_template("pages/api.html", groups=_groups(api.spec.to_dict())))


def _groups(spec: Json) -> list[tuple[str, list[Json]]]:
    """Return the operations of the OpenAPI document, grouped by tag, in the order of their paths."""
    groups: dict[str, list[Json]] = {}
    for path, item in sorted(spec.get("paths", {}).items()):
        for method, operation in item.items():
            if isinstance(operation, dict):
                shown = {"method": method.upper(), "path": path, "summary": operation.get("summary", "")}
                groups.setdefault((operation.get("tags") or [""])[0], []).append(shown)
    return sorted(groups.items())
