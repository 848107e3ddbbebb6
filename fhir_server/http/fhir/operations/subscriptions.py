"""`$status` and `$events`: the state of subscriptions, and the events that they were told, each decided about anew.

Source: Subscriptions R5 Backport 1.1.0, operations backport-subscription-status and backport-subscription-events;
docs/subscriptions.md.
"""

from datetime import datetime
from uuid import uuid4

from flask import Response

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.subscriptions import commands
from fhir_server.application.subscriptions.kept import Subscription
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.subscriptions.asked import EMPTY
from fhir_server.domain.subscriptions.notifications import QUERY_EVENT, QUERY_STATUS, bundle_of, status_of
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs

_DIGITS, _LAST = 9, 10**9


def _status(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    now = runtime.now()
    own = (commands.look_at(runtime, caller, id_),) if id_ else commands.look_for(runtime, caller)
    found = [one for one in own if id_ or _is_asked(one, given, now)]
    states = [status_of(one.state(runtime.fhir_base, now), QUERY_STATUS, one.id) for one in found]
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": {"mode": "match"}} for one in states]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return negotiation.fhir_response(bundle | ({"entry": entries} if entries else {}))


def _is_asked(one: Subscription, given: Arguments, now: datetime) -> bool:
    is_named = "id" not in given or one.id in given["id"]
    return is_named and ("status" not in given or one.status_at(now) in given["status"])


def _events(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    first = _number(given, "eventsSinceNumber", 1)
    last = _number(given, "eventsUntilNumber", _LAST)
    found, told = commands.events_of(runtime, caller, id_, (first, last))
    now = runtime.now()
    state = found.state(runtime.fhir_base, now, EMPTY if given.get("content") == EMPTY else found.content)
    return negotiation.fhir_response(bundle_of(state, QUERY_EVENT, str(uuid4()), now, told))


def _number(given: Arguments, name: str, absent: int) -> int:
    written = str(given.get(name, absent))
    if not (written.isascii() and written.isdecimal() and len(written) <= _DIGITS + 1):
        raise Problem.of(Category.INVALID, f"`{name}` takes the number of an event", "Parameters.parameter", "value")
    return int(written)


OPERATIONS = (
    Operation(
        "status",
        "Subscription",
        "The state of subscriptions",
        "The status of one subscription of the caller, or of all that match: a Bundle of type searchset with one "
        "Parameters for each. The number of events counts what was told. Somebody else's subscription is not found.",
        _status,
        (
            Parameter("id", "id", "ids of subscriptions, on the type alone", repeats=True),
            Parameter("status", "code", "states of subscriptions, on the type alone", repeats=True),
        ),
        output=outputs(("return", "Bundle")),
        affects_state=False,
        also_on_type=True,
    ),
    Operation(
        "events",
        "Subscription",
        "What a subscription was told",
        "A Bundle of type history with the latest events that this subscription was told, as far as a search would "
        "show them to the caller now. Each event that is shown is recorded like a search.",
        _events,
        (
            Parameter("eventsSinceNumber", "string", "the first number"),
            Parameter("eventsUntilNumber", "string", "the last number"),
            Parameter("content", "code", "`empty` leaves the ids out; anything else is as the subscription says"),
        ),
        output=outputs(("return", "Bundle")),
        affects_state=False,
    ),
)
