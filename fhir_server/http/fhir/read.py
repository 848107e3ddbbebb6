"""read, vread and history of every registered type; contents of documents (ITI-68).

Source: https://hl7.org/fhir/R4/http.html#read, #vread, #history; https://hl7.org/fhir/R4/binary.html#rest;
IHE MHD 4.2, ITI-68 Retrieve Document.
"""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from flask import Response, abort, request

from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read
from fhir_server.domain import bodies
from fhir_server.domain.audit import tde
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir import negotiation, rendering, unoffered
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.routing import Route, View
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY, AccessRule, Interaction, ResourceType

_SINCE = "_since"
_AS_FILE = [("Content-Disposition", "attachment"), ("Cache-Control", "no-store")]
_INERT = [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox; default-src 'none'")]
"""The browser shows a content as its declared type only, and runs no script in it."""
_OF_FORMAT = ("_format", "_pretty")
_VERSION = re.compile(r"([1-9][0-9]{0,8})(?:-([0-9]{1,9}))?")


def read_one(row: ResourceType, id_: str) -> Response:
    """Answer the current version of a resource."""
    if id_ == "_history":  # the history of a whole type: no id begins with an underscore
        abort(405)
    unoffered.demand_offered()
    negotiation.wanted_format()
    rendering.demand_of_one()
    shown = read.read(runtime(), current_caller(), row, id_)
    if row.access is AccessRule.TRACE and request.args.get(tde.ASKED[0]) == tde.PROFILE:
        shown = replace(shown, stored=replace(shown.stored, body=tde.rendered(shown.stored.body)))
    return rendering.resource(shown)


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


def read_history(row: ResourceType, id_: str) -> Response:
    """Answer the versions of a resource as a history Bundle: all, or those since an instant."""
    negotiation.wanted_format()
    served, caller, since = runtime(), current_caller(), _since()
    shown = [
        version
        for version in read.history(served, caller, row, id_)
        if since is None or bodies.last_updated(version.stored, knows_marks=version.knows_marks) >= since
    ]
    asked = f"?{urlencode({_SINCE: request.args[_SINCE]})}" if since else ""
    url = f"{served.fhir_base}/{row.name}/{id_}/_history{asked}"
    return negotiation.fhir_response(rendering.history(served.fhir_base, shown, url))


def _since() -> datetime | None:
    """Return the instant from which the client wants the history, None for the whole history.

    Raises: Problem(MALFORMED) when the value is not an instant; UNSUPPORTED for another parameter of a strict client.
    """
    others = sorted(set(request.args) - {_SINCE, *_OF_FORMAT})
    if others and negotiation.is_strict():
        text = f"`{others[0][:64]}` is not a parameter of a history here; `{_SINCE}` is"
        raise Problem.of(Category.UNSUPPORTED, text, code=others[0][:64])
    if _SINCE not in request.args:
        return None
    try:
        found = datetime.fromisoformat(request.args[_SINCE])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Problem.of(Category.MALFORMED, f"`{_SINCE}` takes an instant with its time zone", code=_SINCE)
    return found


def read_content(row: ResourceType, id_: str) -> Response:
    """Answer a content: raw bytes in its own type, or a Binary resource when a FHIR format is asked for."""
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
    read = read_content if row.access is AccessRule.CONTENT else read_one
    offered: dict[Interaction, tuple[str, View, str]] = {
        Interaction.READ: (f"/{name}/<id_>", read, f"Read one {name}"),
        Interaction.VREAD: (f"/{name}/<id_>/_history/<version>", read_version, f"Read one version of a {name}"),
        Interaction.HISTORY: (f"/{name}/<id_>/_history", read_history, f"List the versions of a {name}, newest first"),
    }
    return [
        Route("GET", path, view, name, f"{interaction.value}-{name}", summary, {"row": row})
        for interaction, (path, view, summary) in offered.items()
        if interaction in row.interactions
    ]


ROUTES = [route for row in REGISTRY.values() for route in _routes(row)]
"""The reading routes of every type that offers them."""
