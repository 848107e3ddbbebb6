"""What operations that walk through a space in pages share: dates and sizes as asked, links and cursors.

Source: https://hl7.org/fhir/R4/http.html#paging; docs/threat-model.md for what a cursor may tell.
"""

from urllib.parse import urlencode
from uuid import UUID

from flask import request

from consent_rules.visibility import Interval
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading.walk import BEGINNING, Step
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates
from fhir_server.domain.search.criteria import Place
from fhir_server.http.fhir import paging, rendering
from fhir_server.http.fhir.operations.model import Arguments
from fhir_server.http.fhir.search_query import DEFAULT_COUNT, MAX_COUNT

_BEGINNING = Place(0, str(UUID(int=0)))
"""Stands in a cursor for the beginning of a part."""
_MOST_PARTS = 64
Pairs = list[tuple[str, str]]


def interval(given: Arguments, name: str) -> Interval | None:
    """Return the interval that a date parameter means, None when the request does not have the parameter.

    Raises: Problem(MALFORMED).
    """
    if name not in given:
        return None
    try:
        return dates.interval_of(str(given[name]))
    except ValueError as error:
        raise Problem.of(Category.MALFORMED, f"`{name}`: {error}", code=name) from error


def count_of(given: Arguments, default: int = DEFAULT_COUNT) -> int:
    """Return how many resources a page has, at most 200. default: when it is not asked.

    Raises: Problem(MALFORMED).
    """
    count = given.get("_count", default)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise Problem.of(Category.MALFORMED, f"`_count` takes a whole number from 1 to {MAX_COUNT}", code="_count")
    return min(count, MAX_COUNT)


def sent(asked: Pairs) -> str:
    """Return this request as the audit log keeps it: method, URL with the parameters, format header."""
    return f"{request.method} {request.path}?{urlencode(asked)}\nAccept: {request.headers.get('Accept', '')}"


def links(runtime: Runtime, caller: Caller, url: str, asked: Pairs, following: Step | None) -> Pairs:
    """Return the links of a page, as (relation, URL). url: of the operation. asked: its parameters, in one spelling."""
    told = [("self", f"{url}?{rendering.query_of(asked)}")]
    if following:
        cursor = paging.seal(runtime.cursor_key, following.after or _BEGINNING, _bound(caller, url, asked, following))
        told.append(("next", f"{url}?{rendering.query_of([*asked, ('_page', cursor)])}"))
    return told


def step_of(runtime: Runtime, caller: Caller, url: str, asked: Pairs, cursor: str) -> Step:
    """Return where the page of a cursor starts, the beginning for "".

    A cursor is bound to the number of its part and does not contain it, so that all cursors have one length. This
    function tries each part until the cursor opens.
    Raises: Problem(MALFORMED) for a cursor that was not made for this caller and these parameters.
    """
    if not cursor:
        return BEGINNING
    for part in range(_MOST_PARTS):
        try:
            place = paging.unseal(runtime.cursor_key, cursor, _bound(caller, url, asked, Step(part)))
        except Problem:
            continue
        return Step(part, None if place == _BEGINNING else place)
    raise Problem.of(Category.MALFORMED, "`_page` is not a page of this request for this caller", code="page")


def _bound(caller: Caller, url: str, asked: Pairs, step: Step) -> str:
    return f"{caller.granted.id}\n{url}?{urlencode(asked)}\n{step.part}"
