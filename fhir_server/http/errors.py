"""Failures in the format of their address: an OperationOutcome, OAuth JSON, or a page.

Source: https://hl7.org/fhir/R4/http.html#Status-Codes; RFC 6749 5.2.
"""

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from fhir_server import telemetry
from fhir_server.application.core import audit_log
from fhir_server.deadline import OutOfTime
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir import caller as fhir_caller
from fhir_server.http.fhir import negotiation, unoffered
from fhir_server.http.fhir.outcomes import answer, defect, headers_of, is_stopped, status_of
from fhir_server.http.pages import error_pages, refusals
from fhir_server.http.pages.sign_in.frame import oauth_pages
from fhir_server.http.request_context import is_of_fhir, runtime
from fhir_server.metrics import counting
from fhir_server.ports.store import StoreUnavailable

OAUTH_PATH = "/oauth/"
_OF_STATUS = {
    400: Category.MALFORMED,
    404: Category.NOT_FOUND,
    405: Category.METHOD_NOT_ALLOWED,
    406: Category.NOT_ACCEPTABLE,
    408: Category.TOO_SLOW,
    413: Category.TOO_LARGE,
    414: Category.URL_TOO_LONG,
    415: Category.UNSUPPORTED_MEDIA,
    429: Category.TOO_MANY,
    431: Category.HEADERS_TOO_LARGE,
    503: Category.UNAVAILABLE,
}
_LEAST = 400
"""Lowest status of a failure."""


def install(app: Flask) -> None:
    """Answer every failure in the format of its address, whichever layer raised it."""
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(OutOfTime, _out_of_time)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)


def _unavailable(_error: StoreUnavailable) -> Response:
    telemetry.alarm("store_unavailable")
    return _problem(Problem(Category.UNAVAILABLE))


def _out_of_time(_error: OutOfTime) -> Response:
    """Answer that the server stopped the work at its deadline; record it in the audit log when the caller is known."""
    telemetry.alarm("out_of_time")
    caller = g.get("caller")
    if caller is not None:
        try:
            audit_log.record_out_of_time(runtime(), caller, fhir_caller.addressed_interaction())
        except StoreUnavailable as error:
            return _unavailable(error)
    return _problem(Problem(Category.OUT_OF_TIME))


def _framework(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < _LEAST:  # a redirect
        return error
    if _is_for_people():
        return error_pages.page(error.code, error.get_headers())
    return _in_oauth(error) if request.path.startswith(OAUTH_PATH) else _in_fhir(error)


def _in_oauth(error: HTTPException) -> Response:
    """Answer an unknown address or method below /oauth in the shape of RFC 6749 5.2."""
    allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    text = f"allowed here: {allowed}" if allowed else (error.name or "refused").lower()
    body = orjson.dumps({"error": "invalid_request", "error_description": text})
    response = Response(body, error.code, {"Cache-Control": "no-store"}, mimetype="application/json")
    if allowed:
        response.headers["Allow"] = allowed
    return response


def _unexpected(error: Exception) -> Response:
    outcome = defect(error)
    return error_pages.page(500) if _is_for_people() else negotiation.fhir_response(outcome, 500, lenient=True)


def page(problem: Problem) -> Response:
    """Build the page of a problem, without the problem's own text, which is written for programs."""
    text = error_pages.EMERGENCIES_ONLY if is_stopped(problem) else refusals.text_of(problem)
    telemetry.note(category=problem.category.value)
    counting.refused(problem.category.value)
    at = refusals.passes_at(problem, runtime().now()) if text else None
    return error_pages.page(status_of(problem), headers_of(problem).items(), text, at)


def _problem(problem: Problem) -> Response:
    return page(problem) if _is_for_people() else answer(problem)


def _is_for_people() -> bool:
    """Tell whether the client of this request reads pages."""
    if is_of_fhir(request.path):
        return False
    return request.blueprint == oauth_pages.name or not request.path.startswith(OAUTH_PATH)


def _in_fhir(error: HTTPException) -> Response | HTTPException:
    category = unoffered.category_of(error) or _OF_STATUS.get(error.code or 0)
    if category is None:
        return error
    response = answer(unoffered.refused_by_name() or Problem(category))
    if category is Category.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ""  # no method at all, unless the path has a route for other methods
    for name, value in error.get_headers():
        if name == "Accept-Encoding":
            response.headers[name] = value
    allowed = getattr(error, "valid_methods", None)
    if allowed and category is Category.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response
