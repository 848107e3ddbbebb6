"""`/transparency`: the ceilings in force and the registered exceptions, a page for people and JSON for programs.

It names roles, numbers and dates, never a person, an establishment or a client.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V12).
"""

from dataclasses import asdict

from flask import Response, jsonify, make_response, render_template, request

from fhir_server.application.core.ceilings import supervising
from fhir_server.domain.supervision import CEILINGS
from fhir_server.domain.values import Json
from fhir_server.http.pages.base import lock_down, site
from fhir_server.http.request_context import runtime

_KINDS = ("application/json", "text/html")


@site.get("/transparency")
def transparency() -> Response:
    """Show which ceilings hold for everybody, and for which roles others were registered."""
    usual = {name: most for name, most in asdict(runtime().profile.ceilings).items() if name in CEILINGS}
    listed = _listed()
    if request.accept_mimetypes.best_match(_KINDS) == "text/html":
        return lock_down(make_response(render_template("pages/transparency.html", usual=usual, exceptions=listed)))
    return lock_down(jsonify({"ceilings": usual, "exceptions": listed}))


def _listed() -> list[Json]:
    held = supervising.find(runtime()).exceptions
    dated = [{"role": one.role, "ceilings": dict(one.numbers), "since": one.since.date().isoformat()} for one in held]
    return sorted(dated, key=lambda one: (str(one["since"]), str(one["role"])))
