"""The state of the service, for anybody: `/status`, a page for people and JSON for programs.

It does not say who stopped the service or why, and says nothing about any person.
"""

from datetime import datetime

from flask import Blueprint, Flask, Response, current_app, jsonify, make_response, render_template, request

from fhir_server import telemetry
from fhir_server.application.core import lockdown
from fhir_server.application.core.readiness import EXTENSION, Look
from fhir_server.application.outbox import progress
from fhir_server.domain.values import Json
from fhir_server.http.pages.base import lock_down
from fhir_server.http.request_context import runtime
from fhir_server.ports.store import StoreUnavailable

SERVING, EMERGENCIES_ONLY, UNAVAILABLE = "serving", "emergencies-only", "unavailable"
_KINDS = ("application/json", "text/html")
_status = Blueprint("status", "fhir_server.http", template_folder="templates")
_status.after_request(lock_down)


def register(app: Flask) -> None:
    """Register the page."""
    app.extensions[EXTENSION] = Look()
    app.register_blueprint(_status)


@_status.get("/status")
def show() -> Response:
    """Show whether the server serves everybody, only emergencies, or nobody."""
    state, since = _standing()
    code = 503 if state == UNAVAILABLE else 200
    if request.accept_mimetypes.best_match(_KINDS) == "text/html":
        response = make_response(render_template("pages/status.html", state=state, since=since), code)
    else:
        told = {"status": state} | ({"since": since.isoformat(timespec="seconds")} if since else {})
        response = make_response(jsonify(told | _worker(state)), code)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    return response


def _worker(state: str) -> Json:
    """Return how far the worker has come, and whether messages have failed for good. No count, no lane, no person."""
    measure: progress.Measure = current_app.extensions[progress.EXTENSION]
    if state == UNAVAILABLE:
        return {}
    try:
        now = measure.last(runtime())
    except StoreUnavailable:
        return {}
    return {"worker": {"lag_seconds": now.coarse_lag, "dead_letters": now.dead_letters > 0}}


def _standing() -> tuple[str, datetime | None]:
    look: Look = current_app.extensions[EXTENSION]
    if not look.is_able(runtime()):
        return UNAVAILABLE, None
    try:
        stop = lockdown.find(runtime())
    except StoreUnavailable:
        telemetry.alarm("store_unavailable")
        return UNAVAILABLE, None
    return (EMERGENCIES_ONLY, stop.since) if stop else (SERVING, None)
