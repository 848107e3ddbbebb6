"""The only table from a category of problem to an HTTP status and an OperationOutcome, for framework errors too.

A failure is answered in the format of its address: an OperationOutcome below /fhir, an OAuth error at the endpoints
below /oauth, and a page everywhere else.
Source: https://hl7.org/fhir/R4/http.html#Status-Codes and https://hl7.org/fhir/R4/operationoutcome.html.
"""

from flask import Response

from consent_rules.vocabulary import Reason
from fhir_server import telemetry
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.metrics import counting
from fhir_server.oauth.base.issuer import PROOF_ALGORITHMS

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
    Category.TOO_COSTLY: (400, "too-costly", "the request asks for more work than the server allows"),
    Category.TOO_SLOW: (408, "timeout", "the body did not arrive in time"),
    Category.URL_TOO_LONG: (414, "too-long", "the URL is too long; a search can be sent by POST to _search"),
    Category.HEADERS_TOO_LARGE: (431, "too-long", "the header fields are too large"),
    Category.UNAVAILABLE: (503, "transient", "the server cannot answer now"),
    Category.OUT_OF_TIME: (503, "timeout", "the request takes longer than the server allows"),
}
_DETAILS = "urn:habilis:problem"

STOPPED_SECONDS = "300"
"""Seconds after which a client may ask again during a lockdown; a person has to end the lockdown."""


def is_stopped(problem: Problem) -> bool:
    """Tell whether the reason of a problem is a lockdown."""
    return any(issue.code == Reason.EMERGENCIES_ONLY for issue in problem.issues)


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem."""
    return _ANSWERS[problem.category][0]


def outcome_of(problem: Problem) -> Json:
    """Build the OperationOutcome of a problem, with one issue for each fault."""
    _, code, default = _ANSWERS[problem.category]
    issues = problem.issues or (Issue(default),)
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue, code, default) for issue in issues]}


def answer(problem: Problem) -> Response:
    """Build the HTTP answer of a problem."""
    response = negotiation.fhir_response(outcome_of(problem), status_of(problem), lenient=True)
    response.headers.update(headers_of(problem))
    telemetry.note(category=problem.category.value)
    counting.refused(problem.category.value)
    return response


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers that belong to a problem: how to authenticate, and when to ask again."""
    if problem.category is Category.UNAUTHENTICATED:
        return {"WWW-Authenticate": _challenge(problem)}
    if problem.category is Category.INSUFFICIENT_SCOPE:
        return {"WWW-Authenticate": 'Bearer realm="habilis", error="insufficient_scope"'}
    if problem.category in {Category.UNAVAILABLE, Category.OUT_OF_TIME, Category.TOO_MANY}:
        return {"Retry-After": STOPPED_SECONDS if is_stopped(problem) else str(problem.retry_after or 1)}
    return {}


def _challenge(problem: Problem) -> str:
    """Return WWW-Authenticate: RFC 6750 3; RFC 9449 7.1 for a DPoP proof; RFC 9470 3 for a login that is too weak."""
    code = next((issue.code for issue in problem.issues if issue.code), "")
    scheme = "DPoP" if code == "invalid_dpop_proof" else "Bearer"
    said = {"realm": "habilis", "error": code}
    if problem.login is not None:
        said["acr_values"] = problem.login.level or ""
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


def defect(error: Exception) -> Json:
    """Log the class of an unexpected error, and return an OperationOutcome that says only that the server failed."""
    telemetry.alarm("defect", error)
    issue = {"severity": "fatal", "code": "exception", "details": {"text": "the server failed"}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
