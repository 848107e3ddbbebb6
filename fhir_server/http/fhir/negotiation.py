"""Format of answers: `_format` goes before Accept; JSON is the default and wins a tie; XML comes on request.

Source: https://hl7.org/fhir/R4/http.html#mime-type and #general.
"""

from functools import lru_cache
from http import HTTPStatus
from typing import Literal

import orjson
from flask import Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header, parse_etags, unquote_etag

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http import compression
from fhir_server.http.request_context import argument, header
from fhir_server.r4.parsing import load_json
from fhir_server.r4.xml import to_xml

Format = Literal["json", "xml"]

JSON_TYPE = "application/fhir+json"
XML_TYPE = "application/fhir+xml"
_FORMATS: dict[str, Format] = {
    "json": "json",
    "application/json": "json",
    "text/json": "json",
    JSON_TYPE: "json",
    "xml": "xml",
    "application/xml": "xml",
    "text/xml": "xml",
    XML_TYPE: "xml",
}
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_HEADERS = [("Cache-Control", "no-store"), ("Vary", "Accept, Accept-Encoding, Authorization")]


def wanted_format() -> Format:
    """Return the format that the client asks for.

    Raises: Problem(NOT_ACCEPTABLE) when the client accepts no format that the server has, or wants another FHIR
    version.
    """
    environ = request.environ
    named = argument("_format") or (_posted_format() if environ["REQUEST_METHOD"].upper() == "POST" else "")
    found = _named(named) if named else _accepted(environ.get("HTTP_ACCEPT", ""))
    if found is None:
        raise Problem(Category.NOT_ACCEPTABLE)
    return found


def _posted_format() -> str:
    """Return `_format` of a form, "" when the form cannot be read: the refusal of that form needs a format too."""
    if request.mimetype not in _FORMS:
        return ""
    try:
        return request.form.get("_format", "")
    except HTTPException:
        return ""


def _named(text: str) -> Format | None:
    return _FORMATS.get(text.replace(" ", "+").partition(";")[0].strip().lower())


@lru_cache(maxsize=64)
def _accepted(header: str) -> Format | None:
    """Return the format that an Accept header prefers; None when it accepts neither.

    A format that the header names goes before one that a range covers; JSON goes before XML when both are equal.
    Source: RFC 9110, 12.5.1 (a quality of 0 refuses; the most specific range counts).
    """
    sent = parse_accept_header(header, MIMEAccept)
    if not sent:
        return "json"
    ranges = MIMEAccept([(_simplified(kind), quality) for kind, quality in sent])
    named = set(ranges.values())
    best = max((JSON_TYPE, XML_TYPE), key=lambda kind: (ranges.quality(kind), kind in named))  # the first of equals
    return _FORMATS[best] if ranges.quality(best) > 0 else None


def _simplified(kind: str) -> str:
    """Return the FHIR type that a media type stands for, or the range; "" when it asks for another FHIR version."""
    whole = kind.lower().replace(" ", "")
    if "fhirversion=" in whole and "fhirversion=4.0" not in whole:
        return ""
    bare = whole.partition(";")[0]
    form = _FORMATS.get(bare)
    return f"application/fhir+{form}" if form else bare


def accepts_only_other() -> bool:
    """Tell whether the client accepts neither FHIR format, which asks for the raw contents of a Binary."""
    if argument("_format"):
        return False
    kinds = [kind.partition(";")[0].strip().lower() for kind, quality in request.accept_mimetypes if quality > 0]
    return not any(kind in (JSON_TYPE, XML_TYPE) for kind in kinds)


def fhir_response(resource: Json | bytes, status: int = 200, *, lenient: bool = False) -> Response:
    """Render a resource (a dict, or JSON bytes as stored) in the format that the client wants.

    lenient: fall back to JSON when the client accepts no format that the server has, as errors do.
    """
    try:
        chosen = wanted_format()
    except Problem:
        if not lenient:
            raise
        chosen = "json"
    if chosen == "xml":
        content = to_xml(load_json(resource) if isinstance(resource, bytes) else resource)
        return _response(content, status, XML_TYPE)
    if _is_pretty():
        loaded = load_json(resource) if isinstance(resource, bytes) else resource
        return _response(orjson.dumps(loaded, option=orjson.OPT_INDENT_2), status, JSON_TYPE)
    return _response(resource if isinstance(resource, bytes) else orjson.dumps(resource), status, JSON_TYPE)


def empty_response(status: int) -> Response:
    """Render an answer without a body, and therefore without a media type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    if status == HTTPStatus.NOT_MODIFIED:
        response.headers.extend(_HEADERS)
    return response


def preference(name: str) -> str:
    """Return what the client prefers by one name of the header `Prefer`, "" when it does not say (RFC 7240)."""
    items = (item.partition("=") for item in header("Prefer").replace(";", ",").split(","))
    return next((value.strip(' "') for found, _, value in items if found.strip() == name), "")


def is_strict() -> bool:
    """Tell whether the client wants the server to ignore nothing in its request (`Prefer: handling=strict`)."""
    return preference("handling") == "strict"


def names_tag(if_none_match: str, tag: str) -> bool:
    """Tell whether If-None-Match names this entity tag or is `*`; tags are compared weakly."""
    return parse_etags(if_none_match).contains_weak(unquote_etag(tag)[0] or "")


def _is_pretty() -> bool:
    return argument("_pretty") == "true"


def _response(content: bytes, status: int, kind: str) -> Response:
    answer = Response(content, status, _HEADERS, content_type=f"{kind}; charset=utf-8")
    if len(content) >= compression.LEAST_BYTES and compression.is_wanted(header("Accept-Encoding")):
        answer.set_data(compression.compressed(content))
        answer.headers["Content-Encoding"] = "gzip"
    return answer
