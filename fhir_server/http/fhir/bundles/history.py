"""history of one resource, of a type and of a space: the parameters, the pages and their links.

Source: https://hl7.org/fhir/R4/http.html#history.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from flask import Response, request

from consent_rules.visibility import micros
from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading.versions import histories
from fhir_server.application.reading.versions.histories import Versions, Window
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates
from fhir_server.http.fhir import negotiation, paging, rendering
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.routing import Route
from fhir_server.http.fhir.search_query import MAX_COUNT
from fhir_server.http.request_context import runtime
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, Interaction, ResourceType

_OF_FORMAT = frozenset({"_format", "_pretty"})
_KNOWN = ("_since", "_at", "_count")
_PAGE = "_page"
_DIGITS = 9
Read = Callable[[Runtime, Caller, Window, PatientId | None], Versions]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of a history. used: those that the server applies. cursor: "" for the first page."""

    window: Window
    patient: PatientId | None
    used: tuple[tuple[str, str], ...]
    cursor: str


def read_history(row: ResourceType, id_: str) -> Response:
    """Answer the versions of a resource, newest first."""
    return _answer(
        f"{row.name}/{id_}/_history",
        lambda served, caller, window, _named: histories.of_resource(served, caller, row, id_, window),
    )


def read_type_history(row: ResourceType) -> Response:
    """Answer the versions of all resources of a type, newest first: of the directory, or in one patient's space."""
    return _answer(
        f"{row.name}/_history",
        lambda served, caller, window, named: histories.of_types(served, caller, (row,), window, named),
        names_patient=row.access is not AccessRule.DIRECTORY,
    )


def read_system_history() -> Response:
    """Answer the versions of all that one patient's space contains, newest first."""
    return _answer(
        "_history",
        lambda served, caller, window, named: histories.of_types(served, caller, histories.OF_SPACES, window, named),
        names_patient=True,
    )


def _answer(path: str, read: Read, *, names_patient: bool = False) -> Response:
    negotiation.wanted_format()
    served, caller = runtime(), current_caller()
    asked = _asked(served.fhir_base, names_patient=names_patient)
    bound, window = f"{caller.granted.id}\nhistory\n{path}?{urlencode(asked.used)}", asked.window
    if asked.cursor:
        window = replace(window, after=paging.unseal(served.cursor_key, asked.cursor, bound))
    found = read(served, caller, window, asked.patient)
    links = [("self", _url(f"{served.fhir_base}/{path}", asked.used))]
    if found.next is not None:
        cursor = paging.seal(served.cursor_key, found.next, bound)
        links.append(("next", _url(f"{served.fhir_base}/{path}", (*asked.used, (_PAGE, cursor)))))
    return negotiation.fhir_response(rendering.history(served.fhir_base, found.shown, found.total, links))


def _url(address: str, pairs: tuple[tuple[str, str], ...]) -> str:
    return f"{address}?{rendering.query_of(pairs)}" if pairs else address


def _asked(fhir_base: str, *, names_patient: bool) -> _Asked:
    """Read the parameters.

    Raises: Problem(MALFORMED) for a value that cannot be read, and for a parameter that is sent twice; UNSUPPORTED for
    another parameter of a strict client, and for one that would narrow the history.
    """
    sent = [pair for pair in request.args.items(multi=True) if pair[0] not in _OF_FORMAT]
    known = (*_KNOWN, *(("patient",) if names_patient else ()))
    for name in {name for name, _ in sent}:
        is_refused = negotiation.is_strict() or not name.startswith("_") or name in ("_list", "_id", "_type")
        if name not in (*known, _PAGE) and is_refused:
            text = f"`{name[:64]}` is not a parameter of this history; these are: {', '.join(known)}"
            raise Problem.of(Category.UNSUPPORTED, text, code=name[:64])
    used = tuple((name, value) for name in known for found, value in sent if found == name and value)
    if len({name for name, _ in used}) < len(used):
        raise Problem.of(Category.MALFORMED, "a history takes each parameter once", code="value")
    by_name = dict(used)
    window = Window(_since(by_name.get("_since")), _at(by_name.get("_at")), _count(by_name.get("_count")))
    named = by_name.get("patient", "").removeprefix(f"{fhir_base}/").removeprefix(f"{PATIENT}/")
    return _Asked(window, PatientId(named) if named else None, used, request.args.get(_PAGE, ""))


def _since(value: str | None) -> int | None:
    """Return the instant from which the client wants versions, None for all."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value.replace(" ", "+"))
        if found.tzinfo is None:
            raise _malformed("`_since` takes an instant with its time zone", "_since")
        return micros(found)
    except (ValueError, OverflowError) as error:
        raise _malformed("`_since` takes an instant with its time zone", "_since") from error


def _at(value: str | None) -> tuple[int, int] | None:
    """Return the time in which the wanted versions were current, None for any."""
    if value is None:
        return None
    try:
        compared, interval = dates.searched(value)
    except ValueError as error:
        raise _malformed("`_at` takes a date, or a date with a time", "_at") from error
    if compared != "eq":
        raise _malformed("`_at` takes a date without a prefix", "_at")
    return interval


def _count(value: str | None) -> int:
    if value is None:
        return MAX_COUNT
    if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS):
        raise _malformed("`_count` takes a whole number", "_count")
    return min(int(value), MAX_COUNT)


def _malformed(text: str, name: str) -> Problem:
    return Problem.of(Category.MALFORMED, text, code=name)


def _routes(row: ResourceType) -> list[Route]:
    name, given = row.name, {"row": row}
    of_one, of_all = f"List the versions of one {name}, newest first", f"List the versions of each {name}, newest first"
    return [
        Route(
            "GET", f"/{name}/<id_>/_history", read_history, name, f"{Interaction.HISTORY.value}-{name}", of_one, given
        ),
        Route("GET", f"/{name}/_history", read_type_history, name, f"history-type-{name}", of_all, given),
    ]


_SUMMARY = "List the versions of all that a patient's space contains, newest first"
ROUTES = [
    *(route for row in REGISTRY.values() if Interaction.HISTORY in row.interactions for route in _routes(row)),
    Route("GET", "/_history", read_system_history, "Bundle", "history-system", _SUMMARY),
]
"""The histories of every type that has versions, and of a space."""
