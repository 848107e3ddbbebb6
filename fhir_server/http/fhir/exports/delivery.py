"""The state of an export, its manifest and its files.

A file is made while it is sent, from what a search shows at that moment; nothing of it is kept.
Source: https://hl7.org/fhir/uv/bulkdata/export.html, status request and file request.
"""

from collections.abc import Callable, Iterator
from email.utils import format_datetime
from itertools import chain
from time import thread_time

import orjson
from flask import Response

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.exports import commands, jobs
from fhir_server.application.exports.commands import File, Guards
from fhir_server.application.exports.jobs import Job
from fhir_server.application.reading.search import Wanted
from fhir_server.domain import bodies
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http import request_rates
from fhir_server.http.admission import TRAFFIC
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.exports.asked import NDJSON
from fhir_server.http.fhir.exports.streams import STREAMS
from fhir_server.http.fhir.routing import Route
from fhir_server.http.fhir.search_query import parse
from fhir_server.http.request_context import FHIR_PATH, header, runtime
from fhir_server.oauth.resource.bearer import is_in_force
from fhir_server.r4.subsets import Subset
from fhir_server.registry import REGISTRY

STATUS, FILE = "$export-status", "$export-file"
TAG = "Export"


def accepted(job: Job) -> Response:
    """Answer that an export was accepted, and where its state is."""
    response = negotiation.empty_response(202)
    response.headers["Content-Location"] = f"{runtime().fhir_base}/{STATUS}/{job.id}"
    return response


def status(job: str) -> Response:
    """Answer the manifest of an export, or 202 while the worker plans it."""
    caller = current_caller()
    found = commands.look_at(runtime(), caller, job)
    if not found.is_planned:
        response = negotiation.empty_response(202)
        response.headers["X-Progress"] = "looking for the spaces"
        response.headers["Retry-After"] = str(jobs.POLL_SECONDS)
        return response
    response = Response(orjson.dumps(manifest_of(found, runtime().fhir_base)), 200, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Expires"] = format_datetime(found.expires.replace(microsecond=0), usegmt=True)
    return response


def manifest_of(job: Job, fhir_base: str) -> Json:
    """Return the manifest, as versions 2.0 and 3.0 of the guide describe it; the draft of version 4.0 only adds to it.

    There are no counts: what is visible is counted when it is shown, and then it is in the audit log.
    """
    files = [
        {"type": part.type, "url": f"{fhir_base}/{FILE}/{job.id}/{number * job.slices + position}"}
        for number, part in enumerate(job.asked.parts)
        for position in range(job.slices)
    ]
    return {
        "transactionTime": bodies.instant(job.begun),
        "request": job.asked.request,
        "requiresAccessToken": True,
        "output": files,
        "deleted": [],
        "error": [{"type": "OperationOutcome", "url": f"{fhir_base}/{FILE}/{job.id}/errors"}] if job.left_out else [],
    }


def end(job: str) -> Response:
    """End an export."""
    commands.end(runtime(), current_caller(), job)
    return negotiation.empty_response(202)


def file(job: str, number: int) -> Response:
    """Send one file, page by page; each page is decided and recorded before it leaves.

    Raises: Problem(TOO_MANY) when the caller, or everybody together, fetches more than may be fetched at once.
    """
    served, caller = runtime(), current_caller()
    found, part, spaces = commands.slice_of(served, caller, job, number)
    meter = request_rates.meter_of(caller, served.profile.ceilings)
    sent = _file_of(served, found, part, spaces, meter.wait)
    meter.take(len(spaces) * len(sent.searches) - 1)  # this request is counted already
    place = STREAMS.enter(found.owner)

    def finish() -> None:
        STREAMS.leave(place)
        sent.finish()

    lines = _lines(sent, _elements(found, sent.row.name), finish)
    first = next(lines, b"")  # a refusal of the first page is still an answer with its status
    response = Response(chain((first,), lines), 200, content_type=NDJSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def errors(job: str) -> Response:
    """Send the errors of an export as NDJSON: how many spaces a download left out."""
    found = commands.look_at(runtime(), current_caller(), job)
    if not found.left_out:
        raise Problem(Category.NOT_FOUND)
    text = f"{found.left_out} searches of planned spaces were refused at a download: a file lacks their results"
    issue = {"severity": "warning", "code": "suppressed", "details": {"text": text}}
    line = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(line + b"\n", 200, [("Cache-Control", "no-store")], content_type=NDJSON)


def _file_of(
    served: Runtime, job: Job, number: int, spaces: tuple[PatientId, ...], before_more: Callable[[], None]
) -> File:
    part, authorization = job.asked.parts[number], header("Authorization")
    searches = [_wanted(served, part.type, query) for query in part.queries]
    guards = Guards(lambda: is_in_force(served, authorization), before_more)
    return File(served, current_caller(), job, REGISTRY[part.type], searches, spaces, guards)


def _wanted(served: Runtime, type_: str, query: tuple[tuple[str, str], ...]) -> Wanted:
    parsed = parse(REGISTRY[type_], query, served.fhir_base, strict=True)
    return parsed.wanted(f"GET {FHIR_PATH}/{parsed.canonical}\nAccept: {NDJSON}")


def _elements(job: Job, type_: str) -> Subset:
    """Return the elements of a type that a job asks for: `status` is for every type, `List.entry` for Lists."""
    named = (name.rpartition(".") for name in job.asked.elements)
    return Subset("", frozenset(element for of, _, element in named if of in ("", type_)))


def _lines(sent: File, elements: Subset, finish: Callable[[], None]) -> Iterator[bytes]:
    """Yield the lines of each page, and pause after it while others ask.

    finish: called once, at the end, at a failure, or when the client has gone.
    """
    try:
        began = thread_time()
        for page in sent.pages():
            lines = b"".join(rendering.asked_body_of(item, elements) + b"\n" for item in page)
            taken = thread_time() - began
            if lines:
                yield lines
            TRAFFIC.give_way(taken)
            began = thread_time()
    finally:
        finish()


ROUTES = [
    Route("GET", f"/{STATUS}/<job>", status, TAG, "export-status", "The state of an export, or its manifest"),
    Route("DELETE", f"/{STATUS}/<job>", end, TAG, "end-export", "End an export"),
    Route("GET", f"/{FILE}/<job>/<int:number>", file, TAG, "export-file", "One file of an export, as NDJSON"),
    Route("GET", f"/{FILE}/<job>/errors", errors, TAG, "export-errors", "What an export left out, as NDJSON"),
]
"""The routes of exports that are no operations."""
