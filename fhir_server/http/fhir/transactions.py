"""batch and transaction at the root of the FHIR endpoint; a transaction that files documents is ITI-65.

Source: https://hl7.org/fhir/R4/http.html#transaction; IHE MHD 4.2, ITI-65 Provide Document Bundle.
"""

from collections.abc import Callable

import orjson
from flask import Response, request

from fhir_server.application.bundles import transactions
from fhir_server.application.bundles.entries import Entry, entries_of, with_own_urls
from fhir_server.application.core.unit_of_work import Written
from fhir_server.deadline import OutOfTime, demand_time
from fhir_server.domain import bodies
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http import request_rates
from fhir_server.http.fhir import negotiation, outcomes, rendering
from fhir_server.http.fhir.bundles import entry_answers
from fhir_server.http.fhir.caller import current_caller, renew_caller
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import runtime
from fhir_server.http.request_rates import Meter
from fhir_server.ports.store import StoreUnavailable
from fhir_server.r4.parsing import parse
from fhir_server.settings import limits

_REASONS = {200: "200 OK", 201: "201 Created", 204: "204 No Content"}


def submit() -> Response:
    """Run a batch or a transaction; the answer has one entry for each entry sent, in the same order."""
    negotiation.wanted_format()
    caller = current_caller()
    bundle = parse(request.get_data(cache=False), request.content_type or "", "Bundle")
    bundle = with_own_urls(bundle, runtime().fhir_base)
    kind, meter = bundle.get("type"), request_rates.meter_of(caller, runtime().profile.ceilings)
    if kind == "transaction":
        entries = _transaction(bundle, meter)
    elif kind == "batch":
        asked = _Asked()
        entries = [_alone(entry, asked, meter) for entry in entries_of(bundle)]
    else:
        raise Problem.of(Category.INVALID, "the Bundle must be a batch or a transaction", "Bundle.type", "value")
    answer = {"resourceType": "Bundle", "type": f"{kind}-response", "entry": entries}
    return negotiation.fhir_response(orjson.dumps({name: value for name, value in answer.items() if value != []}))


def _transaction(bundle: Json, meter: Meter) -> list[Json]:
    """Run a transaction. Raises: Problem(TOO_MANY) before anything is decided, when it has too many entries by now."""
    entries = entries_of(bundle)
    meter.take(len(entries) - 1)  # the request itself is counted already
    for entry in entries:
        if entry.is_operation:
            entry_answers.demand_no_change(entry)
    written = transactions.transact(runtime(), current_caller(), bundle)
    asked = _Asked()
    return [_answered(entry, result, asked) for entry, result in zip(entries, written, strict=True)]


class _Asked:
    """Answers entries that read or call an operation, while their answers together stay below a number of bytes."""

    def __init__(self) -> None:
        self._left = limits.in_force().body_bytes

    def answer(self, entry: Entry) -> Json:
        """Answer one entry, for the caller as it is now.

        Raises: as its view, and as `renew_caller`; Problem(TOO_LARGE) when the answers before it are too large.
        """
        renew_caller()
        if self._left < 0:
            text = "the answers to the entries before this one are too large; send this one in another request"
            raise Problem.of(Category.TOO_LARGE, text, entry.at_url)
        answered = entry_answers.answer(entry)
        self._left -= len(orjson.dumps(answered.get("resource")))
        return answered


def _answered(entry: Entry, result: Written | None, asked: _Asked) -> Json:
    """Render one entry of a transaction; one that reads or calls an operation is answered now, after all writes."""
    if result is not None:
        return _written(result)
    if entry.method == "DELETE":
        return {"response": {"status": _REASONS[204]}}
    return _failing_alone(lambda: asked.answer(entry))


def _alone(entry: Entry, asked: _Asked, meter: Meter) -> Json:
    """Run one entry of a batch, which counts as a request; its failure does not affect the other entries."""

    def run() -> Json:
        if entry.index:  # the request itself, which is counted already, is the first
            meter.take(1)
        if entry.asks:
            return asked.answer(entry)
        return _answered(entry, transactions.perform(runtime(), renew_caller(), entry), asked)

    return _failing_alone(run)


def _failing_alone(run: Callable[[], Json]) -> Json:
    """Answer one entry; when it fails, the answer still reports what was done for the others.

    Raises: Problem(UNAVAILABLE) and StoreUnavailable, because then no entry can be answered.
    A lockdown that began after the first entry is the failure of each further one.
    """
    try:
        demand_time()
        return run()
    except OutOfTime:
        stopped = Problem(Category.OUT_OF_TIME)
        return _failed(outcomes.status_of(stopped), outcomes.outcome_of(stopped))
    except Problem as problem:
        if problem.category is Category.UNAVAILABLE and not outcomes.is_stopped(problem):
            raise
        problem = _in_an_entry(problem)
        return _failed(outcomes.status_of(problem), outcomes.outcome_of(problem))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - a defect in one entry must not affect the others
        return _failed(500, outcomes.defect(error))


def _in_an_entry(problem: Problem) -> Problem:
    """Return the problem of an entry; an entry has no header that asks for a stronger login, so it gets a 429."""
    return problem if problem.login is None else Problem(Category.TOO_MANY, *problem.issues)


def _failed(status: int, outcome: Json) -> Json:
    return {"response": {"status": str(status), "outcome": outcome}}


def _written(result: Written) -> Json:
    shown = result.shown
    response: Json = {
        "status": _REASONS[201 if result.created else 200],
        "location": rendering.location_of(runtime().fhir_base, shown),
        "etag": rendering.etag_of(shown),
        "lastModified": bodies.instant(bodies.last_updated(shown.stored, knows_marks=shown.knows_marks)),
    }
    if result.notes:
        response["outcome"] = rendering.warnings(result.notes)
    is_asked = negotiation.preference("return") == "representation"
    if is_asked and not rendering.form_of(shown) and rendering.may_be_told(current_caller(), result):
        return {"resource": orjson.Fragment(rendering.body_of(shown)), "response": response}
    return {"response": response}


_SUMMARY = "Publish documents (ITI-65), or run a batch or transaction"
ROUTES = [
    Route("POST", "", submit, "Bundle", "transaction", _SUMMARY),
    Route("POST", "/", submit, "Bundle", "transaction-slash", _SUMMARY),
]
"""The root of the endpoint, with and without a final slash."""
