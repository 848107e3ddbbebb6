"""The only table from a category of problem to an HTTP status and an OperationOutcome; framework errors too.

A failure is told in the dialect of its address: an OperationOutcome below /fhir, an error of OAuth at its endpoints
below /oauth, and a page everywhere else.
Source: https://hl7.org/fhir/R4/http.html#Status-Codes and https://hl7.org/fhir/R4/operationoutcome.html.
"""

from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from consent_rules.vocabulary import Reason
from fhir_server import telemetry
from fhir_server.application import trail
from fhir_server.deadline import OutOfTime
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.http import asked, error_pages, negotiation, unoffered
from fhir_server.http.request_context import runtime
from fhir_server.oauth.issuer import PROOF_ALGORITHMS
from fhir_server.ports import StoreUnavailable

Json = dict[str, Any]

_ANSWERS: dict[Category, tuple[int, str, str]] = {
    # category: (status, issue code, text when the problem states none)
    Category.MALFORMED: (400, "invalid", "the request is malformed"),
    Category.INVALID: (400, "invalid", "the resource is not valid"),
    Category.UNAUTHENTICATED: (401, "login", "a valid access token is required"),
    Category.INSUFFICIENT_SCOPE: (403, "forbidden", "the token's scopes do not allow this"),
    Category.FORBIDDEN: (403, "forbidden", "this is not allowed"),
    Category.CONSENT_REQUIRED: (403, "forbidden", "no access to this space"),
    Category.NOT_FOUND: (404, "not-found", "not found"),
    Category.DELETED: (410, "deleted", "the resource has been deleted"),
    Category.METHOD_NOT_ALLOWED: (405, "not-supported", "this interaction is not offered here"),
    Category.IMMUTABLE_ELEMENT: (405, "not-supported", "this element cannot be changed"),
    Category.NOT_ACCEPTABLE: (406, "not-supported", "no acceptable format; json and xml are served"),
    Category.UNSUPPORTED_MEDIA: (415, "not-supported", "this content type is not accepted here"),
    Category.UNSUPPORTED: (400, "not-supported", "this is not supported"),
    Category.MULTIPLE_MATCHES: (412, "multiple-matches", "more than one resource matches"),
    Category.VERSION_CONFLICT: (412, "conflict", "the resource has another version by now"),
    Category.DUPLICATE: (409, "duplicate", "this exists already"),
    Category.BUSINESS_RULE: (422, "business-rule", "a business rule forbids this"),
    Category.TOO_LARGE: (413, "too-long", "the request is too large"),
    Category.TOO_MANY: (429, "throttled", "too many requests"),
    Category.TOO_COSTLY: (400, "too-costly", "the request asks for more than the server does at once"),
    Category.TOO_SLOW: (408, "timeout", "the body did not arrive in time"),
    Category.URL_TOO_LONG: (414, "too-long", "the URL is too long; a search can be sent by POST to _search"),
    Category.HEADERS_TOO_LARGE: (431, "too-long", "the header fields are too large"),
    Category.UNAVAILABLE: (503, "transient", "the server cannot answer now"),
    Category.OUT_OF_TIME: (503, "timeout", "the request takes longer than the server works on one"),
}
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
_DETAILS = "urn:habilis:problem"
_LEAST = 400
"""Lowest status of a failure."""
FHIR_PATH, OAUTH_PATH = "/fhir", "/oauth/"
OAUTH_PAGES = "oauth_pages"
"""Name of the blueprint of pages, some of which lie below /oauth."""

STOPPED_SECONDS = "300"
"""When to ask again while only emergencies are let through: somebody has to take that back."""


def is_stopped(problem: Problem) -> bool:
    """Tell whether a problem says that only emergencies are let through."""
    return any(issue.code == Reason.EMERGENCIES_ONLY for issue in problem.issues)


def install(app: Flask) -> None:
    """Answer every failure in the dialect of its address, whatever raised it."""
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(OutOfTime, _out_of_time)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem."""
    return _ANSWERS[problem.category][0]


def outcome_of(problem: Problem) -> Json:
    """Build the OperationOutcome of a problem: one issue for each fault."""
    _, code, default = _ANSWERS[problem.category]
    issues = problem.issues or (Issue(default),)
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue, code, default) for issue in issues]}


def answer(problem: Problem) -> Response:
    """Build the HTTP answer of a problem."""
    response = negotiation.fhir_response(outcome_of(problem), status_of(problem), lenient=True)
    response.headers.update(_headers(problem))
    telemetry.note(category=problem.category.value)
    return response


def page(problem: Problem) -> Response:
    """Build the page of a problem; what the problem states is for programs, and not shown."""
    text = error_pages.EMERGENCIES_ONLY if is_stopped(problem) else None
    telemetry.note(category=problem.category.value)
    return error_pages.page(status_of(problem), _headers(problem).items(), text)


def _problem(problem: Problem) -> Response:
    return page(problem) if _is_for_people() else answer(problem)


def _is_for_people() -> bool:
    """Tell whether whoever sends this request reads pages."""
    if request.path.startswith(FHIR_PATH):
        return False
    return request.blueprint == OAUTH_PAGES or not request.path.startswith(OAUTH_PATH)


def _headers(problem: Problem) -> dict[str, str]:
    if problem.category is Category.UNAUTHENTICATED:
        return {"WWW-Authenticate": _challenge(problem)}
    if problem.category is Category.INSUFFICIENT_SCOPE:
        return {"WWW-Authenticate": 'Bearer realm="habilis", error="insufficient_scope"'}
    if problem.category in {Category.UNAVAILABLE, Category.OUT_OF_TIME, Category.TOO_MANY}:
        return {"Retry-After": STOPPED_SECONDS if is_stopped(problem) else "1"}
    return {}


def _challenge(problem: Problem) -> str:
    """Say how to authenticate: RFC 6750 3, RFC 9449 7.1 for a proof, RFC 9470 3 for a login that is not enough."""
    code = next((issue.code for issue in problem.issues if issue.code), "")
    scheme = "DPoP" if code == "invalid_dpop_proof" else "Bearer"
    said = {"realm": "habilis", "error": code}
    if problem.login is not None:
        said["acr_values"] = problem.login.level
        said["max_age"] = "" if problem.login.max_age is None else str(problem.login.max_age)
    if scheme == "DPoP":
        said["algs"] = " ".join(PROOF_ALGORITHMS)
    return f"{scheme} " + ", ".join(f'{name}="{value}"' for name, value in said.items() if value)


def _issue(issue: Issue, code: str, default: str) -> Json:
    details: Json = {"text": issue.text or default}
    if issue.code:
        details["coding"] = [{"system": _DETAILS, "code": issue.code}]
    built: Json = {"severity": "error", "code": code, "details": details}
    if issue.expression:
        built["expression"] = [issue.expression]
    return built


def _unavailable(_error: StoreUnavailable) -> Response:
    telemetry.alarm("store_unavailable")
    return _problem(Problem(Category.UNAVAILABLE))


def _out_of_time(_error: OutOfTime) -> Response:
    """Say that the work was stopped; the trail says it too of a caller who is known."""
    telemetry.alarm("out_of_time")
    caller = g.get("caller")
    if caller is not None:
        try:
            trail.record_out_of_time(runtime(), caller, asked.deed())
        except StoreUnavailable as error:
            return _unavailable(error)
    return _problem(Problem(Category.OUT_OF_TIME))


def _framework(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < _LEAST:  # a redirect
        return error
    if _is_for_people():
        return error_pages.page(error.code, error.get_headers())
    return _in_oauth(error) if request.path.startswith(OAUTH_PATH) else _in_fhir(error)


def _in_fhir(error: HTTPException) -> Response | HTTPException:
    category = unoffered.category_of(error) or _OF_STATUS.get(error.code or 0)
    if category is None:
        return error
    response = answer(Problem(category))
    if category is Category.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ""  # nothing, unless the path has a route for other methods
    for name, value in error.get_headers():
        if name == "Accept-Encoding":
            response.headers[name] = value
    allowed = getattr(error, "valid_methods", None)
    if allowed and category is Category.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _in_oauth(error: HTTPException) -> Response:
    """Answer an address or a method that is not offered as RFC 6749 5.2 shapes an error."""
    allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    text = f"allowed here: {allowed}" if allowed else (error.name or "refused").lower()
    body = orjson.dumps({"error": "invalid_request", "error_description": text})
    response = Response(body, error.code, {"Cache-Control": "no-store"}, mimetype="application/json")
    if allowed:
        response.headers["Allow"] = allowed
    return response


def defect(error: Exception) -> Json:
    """Report a defect: the alarm has the class of the error, the OperationOutcome says only that the server failed."""
    telemetry.alarm("defect", error)
    issue = {"severity": "fatal", "code": "exception", "details": {"text": "the server failed"}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _unexpected(error: Exception) -> Response:
    outcome = defect(error)
    return error_pages.page(500) if _is_for_people() else negotiation.fhir_response(outcome, 500, lenient=True)
