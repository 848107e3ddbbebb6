"""`$everything`: all of a space that the caller may see, in pages.

Source: https://hl7.org/fhir/R4/patient-operation-everything.html; docs/operations.md.
"""

from urllib.parse import urlencode
from uuid import UUID

from flask import Response

from consent_rules.visibility import Interval
from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import everything
from fhir_server.application.reading.everything import DIRECTORY_TYPES, TYPES, Step, Wanted
from fhir_server.application.reading.search import Found
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates
from fhir_server.domain.search.criteria import Place
from fhir_server.http.fhir import negotiation, paging, rendering
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.http.fhir.search_query import DEFAULT_COUNT, MAX_COUNT
from fhir_server.http.request_context import argument

_BEGINNING = Place(0, str(UUID(int=0)))
"""Stands in a cursor for the beginning of a part."""
_MOST_PARTS = 64
Pairs = list[tuple[str, str]]


def _everything(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    wanted = Wanted(
        start=_interval(given, "start"),
        end=_interval(given, "end"),
        since=_interval(given, "_since"),
        types=_types(given),
        count=_count(given),
    )
    asked = _asked(given)
    cursor = argument("_page")
    if cursor:
        step = _unsealed(runtime, caller, id_, asked, cursor)
        wanted = Wanted(wanted.start, wanted.end, wanted.since, wanted.types, wanted.count, step)
    found = everything.everything(runtime, caller, PatientId(id_), wanted)
    url = f"{runtime.fhir_base}/Patient/{found.patient}/$everything"
    links = [("self", _url(url, asked))]
    if found.next:
        sealed = _sealed(runtime, caller, found.patient, asked, found.next)
        links.append(("next", _url(url, [*asked, ("_page", sealed)])))
    page = Found(found.shown, None, None, found.patient, found.included)
    return negotiation.fhir_response(rendering.searchset(runtime.fhir_base, page, links))


def _interval(given: Arguments, name: str) -> Interval | None:
    if name not in given:
        return None
    try:
        return dates.interval_of(str(given[name]))
    except ValueError as error:
        raise Problem.of(Category.MALFORMED, f"`{name}`: {error}", code=name) from error


def _types(given: Arguments) -> frozenset[str]:
    named = frozenset(part.strip() for text in given.get("_type", ()) for part in str(text).split(","))
    unknown = sorted(named - {*TYPES, *DIRECTORY_TYPES})
    if unknown:
        text = f"`_type` takes {', '.join((*TYPES, *DIRECTORY_TYPES))}; not `{unknown[0][:64]}`"
        raise Problem.of(Category.UNSUPPORTED, text, code="_type")
    return named


def _count(given: Arguments) -> int:
    count = given.get("_count", DEFAULT_COUNT)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise Problem.of(Category.MALFORMED, f"`_count` takes a whole number from 1 to {MAX_COUNT}", code="_count")
    return min(count, MAX_COUNT)


def _asked(given: Arguments) -> Pairs:
    """Return the parameters in one spelling, for the links and to bind cursors to them."""
    pairs: Pairs = []
    for name in ("start", "end", "_since"):
        pairs += [(name, str(given[name]))] if name in given else []
    types = _types(given)
    pairs += [("_type", ",".join(sorted(types)))] if types else []
    return [*pairs, ("_count", str(_count(given)))]


def _bound(caller: Caller, patient: str, asked: Pairs, part: int) -> str:
    return f"{caller.granted.id}\nPatient/{patient}/$everything?{urlencode(asked)}\n{part}"


def _sealed(runtime: Runtime, caller: Caller, patient: str, asked: Pairs, step: Step) -> str:
    """Return the cursor of a step; the number of the part is sealed by what the cursor is bound to."""
    return paging.seal(runtime.cursor_key, step.after or _BEGINNING, _bound(caller, patient, asked, step.part))


def _unsealed(runtime: Runtime, caller: Caller, patient: str, asked: Pairs, cursor: str) -> Step:
    """Return the step of a cursor: it opens for one part only.

    Raises: Problem(MALFORMED).
    """
    for part in range(_MOST_PARTS):
        try:
            place = paging.unseal(runtime.cursor_key, cursor, _bound(caller, patient, asked, part))
        except Problem:
            continue
        return Step(part, None if place == _BEGINNING else place)
    raise Problem.of(Category.MALFORMED, "`_page` is not a page of this request for this caller", code="page")


def _url(url: str, asked: Pairs) -> str:
    return f"{url}?{urlencode(asked)}"


OPERATIONS = (
    Operation(
        "everything",
        "Patient",
        "Everything in a space that the caller may see",
        "The patient, documents, lists, records of deposits, choices, admissions and notices that single searches "
        "would show the caller, each through its own filter, and the directory entries to which they refer; in pages, "
        "each on one permit and one snapshot. The journal is not among them. On the type: for the patient in context. "
        "A patient whose space the caller may not enter is not found, as an unknown one.",
        _everything,
        (
            Parameter("start", "date", "care from this date on; what has no date of care is always returned"),
            Parameter("end", "date", "care until this date"),
            Parameter("_since", "instant", "only what has changed since"),
            Parameter("_type", "code", "only these types; also with commas between them", repeats=True),
            Parameter("_count", "integer", "resources of a page, at most 200"),
        ),
        outputs(("return", "Bundle")),
        affects_state=False,
        also_on_type=True,
    ),
)
