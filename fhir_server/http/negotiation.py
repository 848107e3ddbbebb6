"""Format of answers: `_format` before Accept, JSON by default, XML on request.

Source: https://hl7.org/fhir/R4/http.html#mime-type and #general.
"""

from functools import lru_cache
from typing import Any, Literal

import orjson
from flask import Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.parsing import load_json
from fhir_server.r4.xml import to_xml

Json = dict[str, Any]
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
_ANY = ("*/*", "application/*")
_HEADERS = [("Cache-Control", "no-store"), ("Vary", "Accept, Authorization")]


def wanted_format() -> Format:
    """Return the format that the client asks for.

    Raises: Problem(NOT_ACCEPTABLE) when it accepts none that the server has, or another FHIR version.
    """
    named = request.args.get("_format") or _posted_format()
    found = _named(named) if named else _accepted(request.environ.get("HTTP_ACCEPT", ""))
    if found is None:
        raise Problem(Category.NOT_ACCEPTABLE)
    return found


def _posted_format() -> str:
    """Return `_format` of a form; a form that cannot be read says nothing, for this is asked while refusing it too."""
    try:
        return request.form.get("_format", "") if request.method == "POST" else ""
    except HTTPException:
        return ""


def _named(text: str) -> Format | None:
    return _FORMATS.get(text.replace(" ", "+").partition(";")[0].strip().lower())


@lru_cache(maxsize=64)
def _accepted(header: str) -> Format | None:
    """Return the first format of an Accept header that the server has."""
    accepts = [(kind.partition(";")[0].strip().lower(), kind) for kind, _ in parse_accept_header(header, MIMEAccept)]
    if not accepts:
        return "json"
    for kind, whole in accepts:
        if "fhirversion=" in whole.lower() and "fhirversion=4.0" not in whole.lower().replace(" ", ""):
            continue
        if kind in _ANY:
            return "json"
        if kind in _FORMATS:
            return _FORMATS[kind]
    return None


def accepts_only_other() -> bool:
    """Tell whether the client asks for neither FHIR format: how raw contents of a Binary are asked for."""
    if request.args.get("_format"):
        return False
    kinds = [kind.partition(";")[0].strip().lower() for kind, _ in request.accept_mimetypes]
    return not any(kind in (JSON_TYPE, XML_TYPE) for kind in kinds)


def fhir_response(resource: Json | bytes, status: int = 200, *, lenient: bool = False) -> Response:
    """Render a resource (a dict, or JSON bytes as stored) in the format asked for.

    lenient: fall back to JSON when no acceptable format exists, as errors do.
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


def _is_pretty() -> bool:
    return request.args.get("_pretty", "") == "true"


def _response(content: bytes, status: int, kind: str) -> Response:
    return Response(content, status, _HEADERS, content_type=f"{kind}; charset=utf-8")
