"""Notifications: a Bundle of type `history` whose first entry is the status of the subscription, as Parameters.

Source: Subscriptions R5 Backport 1.1.0, profiles backport-subscription-notification-r4 and
backport-subscription-status-r4; IHE DSUBm ITI-112. Numbers of events are strings there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fhir_server.domain import bodies
from fhir_server.domain.subscriptions.asked import BACKPORT, ID_ONLY
from fhir_server.domain.values import Json

HANDSHAKE, HEARTBEAT, EVENT = "handshake", "heartbeat", "event-notification"
QUERY_STATUS, QUERY_EVENT = "query-status", "query-event"
_STATUS, _NOTIFICATION = (f"{BACKPORT}backport-subscription-{name}-r4" for name in ("status", "notification"))


@dataclass(frozen=True, slots=True)
class Told:
    """One event that was told. number: from 1. at: when it happened. focus: "Type/id"."""

    number: int
    at: datetime
    focus: str


@dataclass(frozen=True, slots=True)
class State:
    """What a notification says of its subscription. address: absolute. count: of the events that were told.

    error: a text, "" for none. content: EMPTY or ID_ONLY.
    """

    address: str
    topic: str
    status: str
    count: int
    content: str
    error: str = ""


def status_of(state: State, kind: str, id_: str, told: Sequence[Told] = ()) -> Json:
    """Return the status of a subscription. kind: why it is told, such as HANDSHAKE. id_: of the Parameters."""
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": state.address}},
        {"name": "status", "valueCode": state.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(state.count)},
    ]
    if state.content == ID_ONLY:
        parameters.insert(1, {"name": "topic", "valueCanonical": state.topic})
    base = state.address.rpartition("/Subscription/")[0]
    parameters += [_event(state, base, one) for one in told]
    if state.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": state.error}})
    return {"resourceType": "Parameters", "id": id_, "meta": {"profile": [_STATUS]}, "parameter": parameters}


def _event(state: State, base: str, told: Told) -> Json:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(told.number)},
        {"name": "timestamp", "valueInstant": bodies.instant(told.at)},
    ]
    if state.content == ID_ONLY:
        parts.append({"name": "focus", "valueReference": {"reference": f"{base}/{told.focus}"}})
    return {"name": "notification-event", "part": parts}


def bundle_of(state: State, kind: str, id_: str, at: datetime, told: Sequence[Told] = ()) -> Json:
    """Return a notification. id_: of the Parameters, a UUID. at: when it is sent."""
    status = status_of(state, kind, id_, told)
    asked = {"method": "GET", "url": f"{state.address}/${'events' if kind == QUERY_EVENT else 'status'}"}
    entries: list[Json] = [
        {"fullUrl": f"urn:uuid:{id_}", "resource": status, "request": asked, "response": {"status": "200"}}
    ]
    if state.content == ID_ONLY:
        base = state.address.rpartition("/Subscription/")[0]
        for one in told:
            url = f"{base}/{one.focus}"
            read = {"method": "GET", "url": url}
            entries.append({"fullUrl": url, "request": read, "response": {"status": "200"}})
    return {
        "resourceType": "Bundle",
        "id": id_,
        "meta": {"profile": [_NOTIFICATION]},
        "type": "history",
        "timestamp": bodies.instant(at),
        "entry": entries,
    }
