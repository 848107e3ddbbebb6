"""Entries of a Bundle that read something or call an operation: the view of their URL answers them, as if sent alone.

So an entry is decided, counted and recorded in the audit log like a request of its own, and answers the same.

Source: https://hl7.org/fhir/R4/http.html#transaction.
"""

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from io import BytesIO
from typing import cast
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

import orjson
from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from fhir_server.application.bundles.entries import ELSEWHERE, Entry
from fhir_server.domain import bodies
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, unoffered
from fhir_server.http.fhir.operations.model import Operation
from fhir_server.http.request_context import FHIR_PATH

_SUBMITTING = frozenset({"fhir.transaction", "fhir.transaction-slash"})
_OF_THE_WHOLE = frozenset({
    "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_EXIST", "HTTP_IF_NONE_MATCH", "HTTP_PREFER", "HTTP_ACCEPT_ENCODING", "werkzeug.request",
})  # fmt: skip
"""What the request says of the Bundle, and not of its entries."""
_TOLD = {"etag": "ETag", "location": "Location"}
"""Elements of an entry of the answer; each has the value that this header has in the answer to a single request."""


def answer(entry: Entry) -> Json:
    """Return the entry of the answer, with the resource that the view answers.

    Raises: Problem as the view does; INVALID for the URL of another server.
    """
    if entry.is_elsewhere:
        raise Problem.of(Category.INVALID, ELSEWHERE, entry.at_url, "value")
    with current_app.request_context(_environ(entry)):
        return _as_entry(entry, _answered())


def demand_no_change(entry: Entry) -> None:
    """Refuse an operation in a transaction that changes something, because it cannot be undone with the other entries.

    Raises: Problem(UNSUPPORTED); NOT_FOUND or METHOD_NOT_ALLOWED for what is not offered.
    """
    with current_app.request_context(_environ(entry)):
        _refuse_unrouted()
        operation = (request.view_args or {}).get("operation")
    if not isinstance(operation, Operation) or operation.affects_state:
        text = "an operation that changes something cannot be part of a transaction; send it alone or in a batch"
        raise Problem.of(Category.UNSUPPORTED, text, entry.at_url)


def _answered() -> Response:
    """Call the view of the current request."""
    _refuse_unrouted()
    rule, given = request.url_rule, request.view_args or {}
    if rule is None or not rule.endpoint.startswith("fhir.") or rule.endpoint in _SUBMITTING:
        raise Problem.of(Category.UNSUPPORTED, "an entry of a Bundle cannot ask this", code="not-supported")
    try:
        return cast("Response", current_app.view_functions[rule.endpoint](**given))
    except HTTPException as error:
        raise _problem_of(error) from error


def _refuse_unrouted() -> None:
    error = request.routing_exception
    if error is not None:
        raise _problem_of(error)


def _problem_of(error: HTTPException) -> Problem:
    """Return an error of the framework as a problem; an address that is redirected is not found."""
    is_bad = error.code is not None and error.code == HTTPStatus.BAD_REQUEST
    return Problem(unoffered.category_of(error) or (Category.MALFORMED if is_bad else Category.NOT_FOUND))


def _environ(entry: Entry) -> WSGIEnvironment:
    """Return the environment of the request that the entry stands for: of the same caller, in JSON."""
    path, _, query = entry.url.partition("?")
    body = orjson.dumps(entry.resource) if entry.method == "POST" and entry.resource else b""
    environ = {name: value for name, value in request.environ.items() if name not in _OF_THE_WHOLE}
    environ |= {
        "REQUEST_METHOD": entry.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(f"{FHIR_PATH}/{path}".rstrip("/")).decode("latin-1"),
        "QUERY_STRING": "&".join(part for part in query.split("&") if not part.startswith("_format="))
        .encode()
        .decode("latin-1"),
        "CONTENT_TYPE": negotiation.JSON_TYPE if body else "",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": negotiation.JSON_TYPE,
        "HTTP_PREFER": "handling=strict",
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
    }
    conditions = {"HTTP_IF_NONE_MATCH": entry.if_none_match, "HTTP_IF_MODIFIED_SINCE": entry.if_modified_since}
    return environ | {name: value for name, value in conditions.items() if value}


def _as_entry(entry: Entry, response: Response) -> Json:
    status = HTTPStatus(response.status_code)
    told: Json = {"status": f"{status.value} {status.phrase}"}
    told |= {name: response.headers[sent] for name, sent in _TOLD.items() if sent in response.headers}
    if "Last-Modified" in response.headers:
        told["lastModified"] = bodies.instant(parsedate_to_datetime(response.headers["Last-Modified"]))
    if entry.method == "HEAD" or response.mimetype != negotiation.JSON_TYPE or not response.content_length:
        return {"response": told}
    return {"resource": orjson.Fragment(response.get_data()), "response": told}
