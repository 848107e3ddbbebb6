"""read and search of the types whose resources come from the code: open to everybody, like the CapabilityStatement.

No token is needed, nothing of a patient is in them, and no audit event tells of them. A search reads all resources of
the type, of which the code sets the number.
Source: https://hl7.org/fhir/R4/http.html#read, #search.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from flask import Response, request

from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.conformance.published import matching
from fhir_server.application.reading.search import Found
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Place
from fhir_server.domain.stored import Stored
from fhir_server.http.fhir import negotiation, paging, rendering
from fhir_server.http.fhir.published.resources import published
from fhir_server.http.fhir.routing import Route
from fhir_server.http.fhir.search_query import demand_measure, parse
from fhir_server.http.request_context import runtime
from fhir_server.registry import PUBLISHED, ResourceType

_NOWHERE = str(UUID(int=0))
"""Stands for the id in a cursor: here the number in it is enough, which says how many resources came before."""
_FORM = "application/x-www-form-urlencoded"


def read_one(row: ResourceType, id_: str) -> Response:
    """Answer one resource.

    Raises: Problem(NOT_FOUND).
    """
    negotiation.wanted_format()
    found = next((one for one in published(runtime().fhir_base)[row.name] if one.id == id_), None)
    if found is None:
        raise Problem(Category.NOT_FOUND)
    return rendering.resource(Shown(found, knows_marks=False))


def search(row: ResourceType) -> Response:
    """Answer one page of the resources that match, sorted by id or by a date, as a searchset Bundle."""
    negotiation.wanted_format()
    return found_among(row, lambda: published(runtime().fhir_base)[row.name])


def found_among(row: ResourceType, resources: Callable[[], Sequence[Stored]], bound: str = "public") -> Response:
    """Answer one page of those resources that match the search of this request.

    resources: called once the search has been read. bound: for whom the cursors hold.
    """
    served, pairs = runtime(), _pairs()
    demand_measure(pairs)
    parsed = parse(row, pairs, served.fhir_base, strict=negotiation.is_strict())
    if parsed.joins or parsed.including or parsed.chained:
        raise Problem.of(Category.UNSUPPORTED, f"a search of {row.name} joins nothing", code="not-supported")
    if parsed.examined or parsed.order:
        text = f"a search of {row.name} takes whole values alone, and `_sort` one date"
        raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    bound = f"{bound}\n{parsed.canonical}"
    start = max(paging.unseal(served.cursor_key, parsed.cursor, bound).value, 0) if parsed.cursor else 0
    matches = matching(resources(), parsed.wanted("").search)
    limit = 0 if parsed.only_count else parsed.count
    page = tuple(Shown(one, knows_marks=False) for one in matches[start : start + limit])
    url = f"{served.fhir_base}/{row.name}?"
    links = [("self", url + rendering.query_of(parsed.used))]
    if limit and start + limit < len(matches):
        cursor = paging.seal(served.cursor_key, Place(start + limit, _NOWHERE), bound)
        links.append(("next", url + rendering.query_of([*parsed.used, ("_page", cursor)])))
    total = len(matches) if parsed.total or parsed.only_count else None
    notes = [f"`{said}` is not a search parameter of {row.name} and was ignored" for said in parsed.ignored]
    found = Found(page, total, None, None)
    return negotiation.fhir_response(rendering.searchset(served.fhir_base, found, links, notes))


def _pairs() -> list[tuple[str, str]]:
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        if request.mimetype != _FORM:
            raise Problem.of(Category.UNSUPPORTED_MEDIA, f"`_search` takes {_FORM}")
        pairs.extend(request.form.items(multi=True))
    return pairs


def _routes(row: ResourceType) -> list[Route]:
    name, given = row.name, {"row": row}
    by_form = f"Search {name} by form"
    return [
        Route("GET", f"/{name}/<id_>", read_one, name, f"read-{name}", f"Read one {name}", given, public=True),
        Route("GET", f"/{name}", search, name, f"search-{name}", f"Search {name}", given, public=True),
        Route("POST", f"/{name}/_search", search, name, f"search-form-{name}", by_form, given, public=True),
    ]


ROUTES = [route for row in PUBLISHED.values() for route in _routes(row)]
"""The routes of all published types."""
