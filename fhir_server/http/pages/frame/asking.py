"""How a page asks for resources: by the search that an app would send, with the same answer and the same audit event.

Source: docs/portal.md; https://hl7.org/fhir/R4/search.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

import orjson

from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import search, whole_trail
from fhir_server.domain import bodies
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Json
from fhir_server.http.fhir import paging, search_query
from fhir_server.http.request_context import FHIR_PATH, runtime
from fhir_server.registry import REGISTRY

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found. beside: what the search includes, by reference.

    since: for each resource, when its present version came, or when the patient could see it first.
    earlier, later: cursors of the neighbouring pages, "" where there is none.
    patient: id of the patient whom the search names, "" for none.
    """

    resources: tuple[Json, ...]
    since: tuple[datetime, ...]
    beside: dict[str, Json]
    earlier: str = ""
    later: str = ""
    patient: str = ""


def find(caller: Caller, type_: str, pairs: Pairs, cursor: str = "", *, by_form: bool = False) -> Page:
    """Search one type. pairs: the parameters of the search, with the patient. cursor: of a page, "" for the first one.

    by_form: as an app that sends the search by POST, because it names a person by a number; the cursors then fit the
    search that names the patient by id.

    Raises: Problem, as for an app that sends the same search.
    """
    served, row = runtime(), REGISTRY[type_]
    search_query.demand_measure(pairs)
    parsed = search_query.parse(row, pairs, served.fhir_base, strict=True)
    asked = f"POST {FHIR_PATH}/{type_}/_search" if by_form else f"GET {FHIR_PATH}/{type_}"
    wanted = replace(parsed.wanted(f"{asked}?{urlencode(pairs)}\nAccept: "), total=False)
    if cursor:
        place = paging.unseal(served.cursor_key, cursor, _binding(caller, parsed))
        wanted = replace(wanted, search=replace(wanted.search, after=place))
    by = whole_trail.find if whole_trail.is_asked(caller, row, wanted) else search.find
    found = by(served, caller, row, wanted)
    named = found.patient or ""
    binding = _binding(caller, replace(parsed, used=[_by_id(pair, named) for pair in parsed.used]))
    earlier, later = (paging.seal(served.cursor_key, at, binding) if at else "" for at in (found.previous, found.next))
    beside = {item.reference: resource_of(item) for item in found.included}
    since = tuple(_since(item) for item in found.shown)
    return Page(tuple(resource_of(item) for item in found.shown), since, beside, earlier, later, named)


def _binding(caller: Caller, parsed: search_query.Parsed) -> str:
    return f"{caller.granted.id}\n{parsed.canonical}"


def _by_id(pair: tuple[str, str], patient: str) -> tuple[str, str]:
    return ("patient", patient) if pair[0] == "patient.identifier" else pair


def count(caller: Caller, type_: str, pairs: Pairs) -> int | None:
    """Return how many resources a search finds, None for more than the server counts. pairs: as for `find`.

    Raises: Problem, as for an app that asks for the count.
    """
    served = runtime()
    asked = [*pairs, ("_summary", "count")]
    parsed = search_query.parse(REGISTRY[type_], asked, served.fhir_base, strict=True)
    wanted = parsed.wanted(f"GET {FHIR_PATH}/{type_}?{urlencode(asked)}\nAccept: ")
    return search.find(served, caller, REGISTRY[type_], wanted).total


def _since(shown: Shown) -> datetime:
    stored = shown.stored
    return max(stored.last_updated, stored.facts.access.sealed_until or stored.last_updated)


def resource_of(shown: Shown) -> Json:
    """Return a resource as its reader sees it."""
    resource: Json = orjson.loads(bodies.body_for(shown.stored, knows_marks=shown.knows_marks))
    return resource
