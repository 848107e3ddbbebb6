"""Subscriptions in the vault, and the events that wait for each.

A subscription belongs to one client, person, practice situation, patient and purpose: for everybody else, its id is
unknown. An event that waits names a resource and holds nothing of it; whether the subscriber learns of the event is
decided when it is told.
Source: docs/adr/0123-a-notification-is-a-search.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.exports.jobs import owner_of
from fhir_server.domain.caller import Caller, Granted
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.subscriptions.notifications import State, Told
from fhir_server.domain.subscriptions.topics import TOPICS, Topic
from fhir_server.domain.values import Json
from fhir_server.ports.vault import Secret

_KIND, _INDEX, _WAITING = "subscription", "subscription-index", "subscription-event"
REQUESTED, ACTIVE, ERROR, OFF = "requested", "active", "error", "off"
LIVE = frozenset({REQUESTED, ACTIVE})
"""The states in which events wait for a subscription."""
EVERYBODY = NO_SPACE
"""Stands for the patient of a subscription that names none."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits for a subscription.

    name: a random name, the same at each repeat of the call. position: of its message in the outbox, which nobody is
    told. key: of its entry in the vault. at: when it happened; events are told in this order.
    """

    name: str
    position: str
    key: str
    patient: PatientId
    type: str
    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """An event that was told, and its number."""

    number: int
    event: Waiting

    @property
    def told(self) -> Told:
        """The event, as a notification tells it."""
        return Told(self.number, self.event.at, f"{self.event.type}/{self.event.id}")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription.

    resource: as the client sent it, without id, meta, status and error. granted, scopes: of the token that asked.
    patient: whose events it is about, EVERYBODY for a topic of many patients. filters: (parameter, value) pairs.
    error: why the status is `error`, "" for another status. told: how many events were told. recent: the last of them,
    oldest first. sent_at: when something was last sent. failures: in a row, since `failing_since`. rests_until: when
    the next call is tried, None after a success.
    """

    id: str
    owner: str
    resource: Json
    granted: Granted
    scopes: str
    topic_url: str
    patient: PatientId
    filters: tuple[tuple[str, str], ...]
    endpoint: str
    content: str
    media: str
    heartbeat: int
    end: datetime | None
    made_at: datetime
    changed_at: datetime
    status: str = REQUESTED
    error: str = ""
    told: int = 0
    recent: tuple[Delivered, ...] = ()
    sent_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    rests_until: datetime | None = None

    @property
    def topic(self) -> Topic:
        """The topic."""
        return TOPICS[self.topic_url]

    def status_at(self, now: datetime) -> str:
        """Return the status at an instant: a subscription whose end has passed is off."""
        return OFF if self.has_ended(now) else self.status

    def has_ended(self, now: datetime) -> bool:
        """Tell whether the end that the subscriber set has passed."""
        return self.end is not None and self.end <= now

    def state(self, fhir_base: str, now: datetime, content: str = "") -> State:
        """Return what a notification says of the subscription. content: instead of its own, "" for its own."""
        address = f"{fhir_base}/Subscription/{self.id}"
        return State(address, self.topic_url, self.status_at(now), self.told, content or self.content, self.error)


_DECODER = msgspec.json.Decoder(Subscription)
_EVENTS = msgspec.json.Decoder(Waiting)
_ROWS = msgspec.json.Decoder(tuple[str, bool])


def store(runtime: Runtime, made: Subscription) -> None:
    """Store a new subscription, for which events wait from now on."""
    runtime.ports.vault.add(Secret(_KIND, made.id, msgspec.json.encode(made), f"subscriptions {made.owner}"))
    listen(runtime, made)


def find(runtime: Runtime, id_: str) -> Subscription | None:
    """Return a subscription, whoever asks; None when it is unknown."""
    entry = runtime.ports.vault.get(_KIND, id_, runtime.now())
    return _DECODER.decode(entry.value) if entry else None


def of_caller(runtime: Runtime, caller: Caller) -> tuple[Subscription, ...]:
    """Return the subscriptions of a caller, the oldest first."""
    entries = runtime.ports.vault.entries(_KIND, runtime.now(), f"subscriptions {owner_of(caller)}")
    return tuple(sorted((_DECODER.decode(entry.value) for entry in entries), key=lambda one: (one.made_at, one.id)))


def change(runtime: Runtime, id_: str, changed: Callable[[Subscription], Subscription]) -> Subscription | None:
    """Change a subscription; return it as changed, None when it is gone.

    Raises: Problem(UNAVAILABLE) when others changed it again and again meanwhile.
    """
    vault = runtime.ports.vault
    for _ in range(_ATTEMPTS):
        entry = vault.get(_KIND, id_, runtime.now())
        if entry is None:
            return None
        after = changed(_DECODER.decode(entry.value))
        if vault.replace(replace(entry, key=id_, value=msgspec.json.encode(after))):
            return after
    raise Problem(Category.UNAVAILABLE)


def drop(runtime: Runtime, gone: Subscription) -> None:
    """Remove a subscription and what waits for it."""
    silence(runtime, gone)
    runtime.ports.vault.drop(_KIND, gone.id)


def listen(runtime: Runtime, one: Subscription) -> None:
    """Let events wait for a subscription from now on."""
    row = msgspec.json.encode((one.id, one.topic.updates))
    runtime.ports.vault.add(Secret(_INDEX, one.id, row, _listeners(one.patient, one.topic.type)))


def silence(runtime: Runtime, one: Subscription) -> None:
    """Let no events wait for a subscription any more, and forget those that do."""
    runtime.ports.vault.drop(_INDEX, one.id)
    runtime.ports.vault.drop_group(_queue(one.id))


def listeners(runtime: Runtime, patient: PatientId, type_: str, *, is_new: bool) -> tuple[str, ...]:
    """Return the ids of the subscriptions that an event may concern. is_new: whether it is about a first version."""
    vault, now = runtime.ports.vault, runtime.now()
    groups = (_listeners(patient, type_), _listeners(EVERYBODY, type_))
    rows = [_ROWS.decode(entry.value) for group in groups for entry in vault.entries(_INDEX, now, group)]
    return tuple(id_ for id_, updates in rows if is_new or updates)


def put_waiting(runtime: Runtime, subscription: str, event: Waiting) -> None:
    """Let an event wait for a subscription; an event that waits already stays as it is."""
    runtime.ports.vault.add(Secret(_WAITING, event.key, msgspec.json.encode(event), _queue(subscription)))


def waiting(runtime: Runtime, subscription: str) -> tuple[Waiting, ...]:
    """Return the events that wait for a subscription, in the order in which they happened."""
    entries = runtime.ports.vault.entries(_WAITING, runtime.now(), _queue(subscription))
    found = (_EVENTS.decode(entry.value) for entry in entries)
    return tuple(sorted(found, key=lambda one: (one.at, len(one.position), one.position)))


def drop_waiting(runtime: Runtime, event: Waiting) -> None:
    """Forget an event that was told or withheld."""
    runtime.ports.vault.drop(_WAITING, event.key)


def _listeners(patient: PatientId, type_: str) -> str:
    return f"listeners {patient or '*'} {type_}"


def _queue(subscription: str) -> str:
    return f"subscription {subscription}"
