"""Sends the copy of a whole space as a ZIP file, made while it is sent; for the API and for the pages.

It takes a place among the files of exports, and gives way to other requests as they do.
Source: docs/adr/0149-a-copy-of-the-whole-space.md; RFC 9110 12.5.1 (Accept).
"""

from collections.abc import Callable, Iterator
from itertools import chain
from time import thread_time

from flask import Response, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.space_copies import copying
from fhir_server.application.space_copies.copying import Asked
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.space_archive.writing import MEDIA_TYPE
from fhir_server.http.admission import TRAFFIC
from fhir_server.http.fhir.exports.streams import STREAMS

NAME = "habilis-space-copy.zip"
"""The name of the file; it names nobody, because it stays in the list of downloads."""


def sent(served: Runtime, asked: Asked, goes_on: Callable[[], bool]) -> Response:
    """Answer an archive. goes_on: asked before each page, whether the login still holds and the server serves.

    Raises: Problem as `copying.begin`; TOO_MANY when the caller, or everybody together, fetches as much as may be.
    """
    place = STREAMS.enter(f"copies {asked.caller.requester.person}")
    try:
        copy = copying.begin(served, asked)
        copy.goes_on = goes_on
        parts = _giving_way(copy.archive(), place)
        first = next(parts, b"")  # a failure of the first page is still an answer with its status
    except BaseException:
        STREAMS.leave(place)
        raise
    response = Response(chain((first,), parts), 200, content_type=MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{NAME}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def demand_zip() -> None:
    """Refuse a client that takes no ZIP file, such as an entry of a batch. Raises: Problem(NOT_ACCEPTABLE)."""
    accepted = request.accept_mimetypes
    if accepted and not accepted.quality(MEDIA_TYPE):
        raise Problem.of(Category.NOT_ACCEPTABLE, f"a copy of a space is `{MEDIA_TYPE}`")


def _giving_way(parts: Iterator[bytes], place: int) -> Iterator[bytes]:
    """Yield the parts, and pause after each while others ask; at the end, or when the client has gone, leave."""
    try:
        began = thread_time()
        for part in parts:
            taken = thread_time() - began
            if part:
                yield part
            TRAFFIC.give_way(taken)
            began = thread_time()
    finally:
        STREAMS.leave(place)
