"""Search of every registered type, by GET and by POST `_search` (ITI-66, ITI-67, ITI-81, PCF).

Source: https://hl7.org/fhir/R4/http.html#search, https://hl7.org/fhir/R4/search.html.
"""

from dataclasses import replace
from urllib.parse import urlencode

from flask import Response, request

from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import search as reading_search
from fhir_server.application.reading import whole_trail
from fhir_server.application.reading.search import Found, Wanted
from fhir_server.domain.audit import tde
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir import negotiation, paging, rendering, sealed_numbers
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.operations.identities import look_ups
from fhir_server.http.fhir.routing import Route
from fhir_server.http.fhir.search_query import Parsed, demand_measure, parse
from fhir_server.http.request_context import runtime
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, Interaction, ResourceType

_NAMING_A_PERSON = {
    f"{name}{spelt}"
    for name in ("patient", "subject")
    for spelt in (".identifier", ":identifier", ":Patient.identifier")
}
_SEARCHED = {name: row for name, row in REGISTRY.items() if Interaction.SEARCH in row.interactions}
_TYPE = "_type"
_FORM = "application/x-www-form-urlencoded"


def search(row: ResourceType, id_: str = "") -> Response:
    """Answer one page of the visible resources that match, as a searchset Bundle.

    id_: of the patient whose compartment is searched, "" when the path names none.
    """
    negotiation.wanted_format()
    served, caller = runtime(), current_caller()
    pairs = sealed_numbers.opened(served.cursor_key, caller.granted.id, _pairs())
    sent = _as_sent(pairs)
    pairs = [("patient", id_), *pairs] if id_ else pairs
    demand_traced_measure(served, caller, AuditedInteraction(Interaction.SEARCH, row.name, query=sent), pairs)
    asked = [pair for pair in pairs if pair != (_TYPE, row.name)]
    if look_ups.is_look_up(row, caller, asked):
        return look_ups.search(served, caller, asked)
    for_tde = row.access is AccessRule.TRACE and tde.ASKED in asked
    parsed = parse(row, tde.as_stored(asked) if for_tde else asked, served.fhir_base, strict=negotiation.is_strict())
    parsed.used += [tde.ASKED] if for_tde else []
    wanted = _wanted(served, caller, parsed, sent)
    if whole_trail.is_asked(caller, row, wanted):
        found = whole_trail.find(served, caller, row, wanted)
    else:
        found = reading_search.find(served, caller, row, wanted)
    found = _for_tde(found) if for_tde else found
    links = _links(served, caller, parsed, found)
    notes = [f"`{said}` is not a search parameter of {row.name} and was ignored" for said in parsed.ignored]
    return negotiation.fhir_response(rendering.searchset(served.fhir_base, found, links, notes))


def _for_tde(found: Found) -> Found:
    shown = (replace(item, stored=replace(item.stored, body=tde.rendered(item.stored.body))) for item in found.shown)
    return replace(found, shown=tuple(shown))


def search_system() -> Response:
    """Answer a search at the root of the endpoint as one of the type that `_type` names.

    Raises: Problem(UNSUPPORTED) unless it names exactly one type that can be searched.
    """
    current_caller()
    named = [value for name, value in _pairs() if name == _TYPE]
    row = _SEARCHED.get(named[0]) if len(named) == 1 else None
    if row is None:
        text = (
            "a search of the whole server names one type; for several, send a batch or ask for `$everything`: "
            f"`_type` takes one of {', '.join(sorted(_SEARCHED))}"
        )
        raise Problem.of(Category.UNSUPPORTED, text, code=_TYPE)
    return search(row)


def demand_traced_measure(
    served: Runtime, caller: Caller, audited: AuditedInteraction, pairs: list[tuple[str, str]]
) -> None:
    """Refuse a search that is too large for the server, and record the refusal in the audit log.

    Raises: Problem(TOO_COSTLY).
    """
    try:
        demand_measure(pairs)
    except Problem as problem:
        audit_log.record_refusal(served, caller, audited, problem)
        raise


def _pairs() -> list[tuple[str, str]]:
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        if request.mimetype != _FORM:
            raise Problem.of(Category.UNSUPPORTED_MEDIA, f"`_search` takes {_FORM}")
        pairs.extend(request.form.items(multi=True))
    return pairs


def _wanted(served: Runtime, caller: Caller, parsed: Parsed, sent: str) -> Wanted:
    wanted = parsed.wanted(sent)
    if not parsed.cursor:
        return wanted
    place = paging.unseal(served.cursor_key, parsed.cursor, _binding(caller, parsed))
    return replace(wanted, search=replace(wanted.search, after=place))


def _as_sent(pairs: list[tuple[str, str]]) -> str:
    """Return the request as the audit log keeps it: method, URL with the parameters of a form, format headers."""
    query = urlencode(pairs)
    accept = request.headers.get("Accept", "")
    return f"{request.method} {request.path}?{query}\nAccept: {accept}"


def _binding(caller: Caller, parsed: Parsed) -> str:
    return f"{caller.granted.id}\n{parsed.canonical}"


def _links(served: Runtime, caller: Caller, parsed: Parsed, found: Found) -> list[tuple[str, str]]:
    """Return the links of a page; they name the patient by id, never by an identifier of the person."""
    as_page = _as_told(parsed, found)
    links, binding = [("self", _url(served, caller, as_page))], _binding(caller, as_page)
    if parsed.only_count:
        return links
    if parsed.cursor or found.next:
        links.append(("first", _url(served, caller, as_page)))
    for relation, place in (("previous", found.previous), ("next", found.next)):
        if place:
            cursor = paging.seal(served.cursor_key, place, binding)
            links.append((relation, _url(served, caller, as_page, ("_page", cursor))))
    return links


def self_url(served: Runtime, caller: Caller, parsed: Parsed, found: Found) -> str:
    """Return the URL of the search without any identifier of a person, because URLs end up in logs."""
    return _url(served, caller, _as_told(parsed, found))


def _url(served: Runtime, caller: Caller, parsed: Parsed, *more: tuple[str, str]) -> str:
    told = sealed_numbers.sealed(served.cursor_key, caller.granted.id, parsed.type, parsed.used)
    return f"{served.fhir_base}/{parsed.type}?{rendering.query_of([*told, *more])}"


def _as_told(parsed: Parsed, found: Found) -> Parsed:
    """Return the search with the patient named by id."""
    names = _NAMING_A_PERSON if parsed.type != PATIENT else {"identifier"}
    told = [pair for pair in parsed.used if pair[0] not in names]
    if len(told) == len(parsed.used):
        return parsed
    if found.patient and parsed.type != PATIENT:
        told.insert(0, ("patient", found.patient))
    elif found.patient and found.shown:
        told.insert(0, ("_id", found.patient))
    return replace(parsed, used=told)


def _routes(row: ResourceType) -> list[Route]:
    name, given = row.name, {"row": row}
    routes = [
        Route("GET", f"/{name}", search, name, f"search-{name}", f"Search {name}", given),
        Route("POST", f"/{name}/_search", search, name, f"search-form-{name}", f"Search {name} by form", given),
    ]
    if not row.names_patient:
        return routes
    within, summary = f"/{PATIENT}/<id_>/{name}", f"Search {name} of one patient"
    return [
        *routes,
        Route("GET", within, search, name, f"search-of-patient-{name}", summary, given),
        Route(
            "POST", f"{within}/_search", search, name, f"search-of-patient-form-{name}", f"{summary}, by form", given
        ),
    ]


_SUMMARY = "Search the type that `_type` names"
ROUTES = [
    *(route for row in _SEARCHED.values() for route in _routes(row)),
    Route("GET", "", search_system, "Bundle", "search-system", _SUMMARY),
    Route("GET", "/", search_system, "Bundle", "search-system-slash", _SUMMARY),
    Route("POST", "/_search", search_system, "Bundle", "search-form-system", f"{_SUMMARY}, by form"),
]
"""The search routes of every type that offers them, and those of the whole server."""
