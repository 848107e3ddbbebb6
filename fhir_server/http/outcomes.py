"""The only table from a category of problem to an HTTP status and an OperationOutcome; framework errors too.

Source: https://hl7.org/fhir/R4/http.html#Status-Codes and https://hl7.org/fhir/R4/operationoutcome.html.
"""

from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from consent_rules.vocabulary import Reason
from fhir_server import telemetry
from fhir_server.application import trail
from fhir_server.deadline import OutOfTime
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.http import asked, locked_pages, negotiation, unoffered
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
FHIR_PATH, OAUTH_PATH, API_PATH = "/fhir", "/oauth/", "/api/"


STOPPED_SECONDS = "300"
"""When to ask again while only emergencies are let through: somebody has to take that back."""


def is_stopped(problem: Problem) -> bool:
    """Tell whether a problem says that only emergencies are let through."""
    return any(issue.code == Reason.EMERGENCIES_ONLY for issue in problem.issues)


def install(app: Flask) -> None:
    """Answer every failure of the FHIR endpoint as an OperationOutcome, whatever raised it."""
    app.register_error_handler(Problem, answer)
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
    if problem.category is Category.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = _challenge(problem)
    elif problem.category is Category.INSUFFICIENT_SCOPE:
        response.headers["WWW-Authenticate"] = 'Bearer realm="habilis", error="insufficient_scope"'
    elif problem.category in {Category.UNAVAILABLE, Category.OUT_OF_TIME, Category.TOO_MANY}:
        response.headers["Retry-After"] = STOPPED_SECONDS if is_stopped(problem) else "1"
    telemetry.note(category=problem.category.value)
    return response


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
    return answer(Problem(Category.UNAVAILABLE))


def _out_of_time(_error: OutOfTime) -> Response | HTTPException:
    """Say that the work was stopped; the trail says it too of a caller who is known."""
    telemetry.alarm("out_of_time")
    if not request.path.startswith(FHIR_PATH):
        return ServiceUnavailable(retry_after=1)
    caller = g.get("caller")
    if caller is not None:
        try:
            trail.record_out_of_time(runtime(), caller, asked.deed())
        except StoreUnavailable as error:
            return _unavailable(error)
    return answer(Problem(Category.OUT_OF_TIME))


def _framework(error: HTTPException) -> Response | HTTPException:
    if request.path.startswith(OAUTH_PATH) and error.code is not None:
        return _in_oauth(error)
    if not request.path.startswith(FHIR_PATH) or error.code is None:
        is_page = error.code in locked_pages.MISSING and not request.path.startswith(API_PATH)
        return locked_pages.missing(error) if is_page else error
    category = unoffered.category_of(error) or _OF_STATUS.get(error.code)
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
    return negotiation.fhir_response(defect(error), 500, lenient=True)
