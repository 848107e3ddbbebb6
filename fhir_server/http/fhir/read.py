"""read and vread of every registered type; contents of documents (ITI-68).

Source: https://hl7.org/fhir/R4/http.html#read, #vread; https://hl7.org/fhir/R4/binary.html#rest;
IHE MHD 4.2, ITI-68 Retrieve Document.
"""

import re
from base64 import b64encode
from dataclasses import replace

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed

from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read
from fhir_server.domain.audit import tde
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir import negotiation, rendering, unoffered
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.routing import Route, View
from fhir_server.http.request_context import runtime
from fhir_server.r4.parsing import load
from fhir_server.registry import NATIVE, REGISTRY, AccessRule, Interaction, ResourceType

_AS_FILE = [("Content-Disposition", "attachment"), ("Cache-Control", "no-store")]
_INERT = [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox; default-src 'none'")]
"""The browser shows a content as its declared type only, and runs no script in it."""
_VERSION = re.compile(r"([1-9][0-9]{0,8})(?:-([0-9]{1,9}))?")


def read_one(row: ResourceType, id_: str) -> Response:
    """Answer the current version of a resource."""
    _refuse_words(row, id_)
    unoffered.demand_offered()
    negotiation.wanted_format()
    rendering.demand_of_one()
    shown = read.read(runtime(), current_caller(), row, id_)
    if row.access is AccessRule.TRACE and request.args.get(tde.ASKED[0]) == tde.PROFILE:
        shown = replace(shown, stored=replace(shown.stored, body=tde.rendered(shown.stored.body)))
    return rendering.resource(shown)


def _refuse_words(row: ResourceType, id_: str) -> None:
    """Refuse `_history` and `_search` in the place of an id, such as `/Binary/_history`.

    Raises: MethodNotAllowed.
    """
    if id_ in ("_history", "_search"):
        raise MethodNotAllowed(
            ["OPTIONS", "POST"] if id_ == "_search" and Interaction.SEARCH in row.interactions else []
        )


def read_version(row: ResourceType, id_: str, version: str) -> Response:
    """Answer one version; the version id is the one that this caller was given."""
    negotiation.wanted_format()
    rendering.demand_of_one()
    caller, parts = current_caller(), _VERSION.fullmatch(version)
    number = int(parts[1]) if parts else 0
    shown = read.read_version(runtime(), caller, row, id_, number)
    if parts is None or not _is_this_version(shown, parts[2]):
        raise read.not_found()
    return rendering.resource(shown)


def _is_this_version(shown: Shown, mark: str | None) -> bool:
    """Tell whether the mark revision in a version id is one that the server can have given to this caller."""
    if not shown.knows_marks:
        return mark is None
    return mark is None or int(mark) <= shown.stored.mark


def read_content(row: ResourceType, id_: str) -> Response:
    """Answer a content: raw bytes in its own type, or a Binary resource when a FHIR format is asked for."""
    _refuse_words(row, id_)
    served = runtime()
    shown, content = read.retrieve(served, current_caller(), row, id_)
    if rendering.has_it(shown):
        return _with_tag(negotiation.empty_response(304), shown)
    described = rendering.description_of(shown)
    kind = described["contentType"]
    if not _wants_raw(kind):
        response = negotiation.fhir_response(described | {"data": b64encode(content).decode()})
    else:
        response = Response(content, headers=_AS_FILE, content_type=kind)
    response.headers.extend(_INERT)
    return _with_tag(response, shown)


def read_native(row: ResourceType, id_: str) -> Response:
    """Answer a content that is a resource as that resource, under its own id; another content is not found."""
    negotiation.wanted_format()
    served = runtime()
    shown, content = read.retrieve(served, current_caller(), REGISTRY[row.stored_as], id_, row.name)
    if rendering.has_it(shown):
        return _with_tag(negotiation.empty_response(304), shown)
    resource = load(content, rendering.description_of(shown)["contentType"])
    response = negotiation.fhir_response(resource | {"id": id_})
    response.headers.extend(_INERT)
    return _with_tag(response, shown)


def _with_tag(response: Response, shown: Shown) -> Response:
    response.headers["ETag"] = rendering.etag_of(shown)
    return response


def _wants_raw(kind: str) -> bool:
    if not negotiation.accepts_only_other():
        return False
    asked = [accepted for accepted, quality in request.accept_mimetypes if quality > 0]
    base = kind.partition(";")[0].strip().lower()
    if asked and not any(_covers(accepted, base) for accepted in asked):
        raise Problem(Category.NOT_ACCEPTABLE)
    return True


def _covers(accepted: str, kind: str) -> bool:
    wanted = accepted.partition(";")[0].strip().lower()
    return wanted in ("*/*", kind) or (wanted.endswith("/*") and kind.startswith(wanted[:-1]))


def _routes(row: ResourceType) -> list[Route]:
    name = row.name
    of_contents = read_native if row.stored_as else read_content
    read = of_contents if row.access is AccessRule.CONTENT else read_one
    offered: dict[Interaction, tuple[str, View, str]] = {
        Interaction.READ: (f"/{name}/<id_>", read, f"Read one {name}"),
        Interaction.VREAD: (f"/{name}/<id_>/_history/<version>", read_version, f"Read a version of one {name}"),
    }
    return [
        Route("GET", path, view, name, f"{interaction.value}-{name}", summary, {"row": row})
        for interaction, (path, view, summary) in offered.items()
        if interaction in row.interactions
    ]


ROUTES = [route for row in (*REGISTRY.values(), *NATIVE.values()) for route in _routes(row)]
"""The reading routes of every type that offers them."""
