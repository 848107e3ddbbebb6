"""`/developer`: registers a sandbox app, and starts requests as one of the invented people of the demonstration.

Outside the demonstration every address here answers as an unknown one: a production server hands out no token, and
registers an app for the holder of an initial access token alone.
Source: RFC 7591 (registration); docs/smart.md; docs/portal.md.
"""

from dataclasses import dataclass

import orjson
from flask import Response, abort, make_response, render_template, request

from fhir_server.domain.values import Json
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.base import demonstration, site
from fhir_server.http.pages.public.trying import is_ours
from fhir_server.oauth.token import registration

METHODS = ("none", "client_secret_basic")
MOST_PATIENTS = 12
"""Test patients that the page lists."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a form. told: members of the answer (RFC 7591). error: why there is none."""

    told: Json
    error: str = ""


@site.get("/developer")
def console() -> Response:
    """Show the form, the cast, and the test patients."""
    return _page(None)


@site.post("/developer/apps")
def register_app() -> Response:
    """Register a sandbox app, and show its client id once, with its secret if it has one."""
    if demonstration() is None:
        abort(404)
    if not is_ours():
        abort(403)
    method = request.form.get("method", "")
    if method not in METHODS:
        abort(400)
    metadata = {
        "client_name": request.form.get("name", "").strip(),
        "redirect_uris": request.form.get("redirects", "").split(),
        "scope": " ".join(request.form.get("scope", "").split()),
        "token_endpoint_auth_method": method,
    }
    answer = registration.register_in_sandbox(context(), orjson.dumps(metadata))
    told: Json = answer.body if isinstance(answer.body, dict) else {}
    if answer.status >= 400:  # noqa: PLR2004 - a failure
        return _page(Registered({}, str(told.get("error_description") or told.get("error"))))
    return _page(Registered(told))


def _page(registered: Registered | None) -> Response:
    demo = demonstration()
    if demo is None:
        abort(404)
    cast = [one for one in demo["people"] if one["key"] in demo["tokens"]]
    patients = sorted(demo["patients"].items())[:MOST_PATIENTS]
    page = make_response(
        render_template(
            "pages/developer.html",
            cast=cast,
            patients=patients,
            registered=registered,
            ceiling=registration.CEILING,
            methods=METHODS,
        ),
        422 if registered and registered.error else 200,
    )
    page.headers["Referrer-Policy"] = "same-origin"  # else a browser would hide from us that the form is ours
    return page
