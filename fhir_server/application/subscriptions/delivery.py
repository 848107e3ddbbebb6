"""The worker's part: events that wait, handshakes, heartbeats and notifications, in order for each subscription.

A commit puts one message about each new version; the worker turns it into an event that waits for every subscription
that may be concerned, and one message has the worker look at the subscription. Events are told in order. A call that
fails is repeated, and until then no later event is told; after many failures the subscription is in error.
Source: IHE DSUBm ITI-112; docs/adr/0123-a-notification-is-a-search.md, docs/adr/0124-who-is-notified-where.md.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus

import orjson

from fhir_server import telemetry
from fhir_server.application.core import audit_log, lockdown
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.notices import webhooks
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.application.subscriptions import deciding, kept
from fhir_server.application.subscriptions.kept import (
    ACTIVE,
    ERROR,
    LIVE,
    OFF,
    REQUESTED,
    Delivered,
    Subscription,
    Waiting,
)
from fhir_server.domain.audit.interactions import Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.subscriptions.notifications import EVENT, HANDSHAKE, HEARTBEAT, bundle_of
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change
from fhir_server.ports.surroundings import WebhookUnreachable
from fhir_server.r4.xml import to_xml
from fhir_server.settings import limits

LANE, HEARTBEATS = "subscriptions", "heartbeats"
ENDED = "the basis has ended: the registration of the app, its address, the grant or the person's practice there"
REFUSED, GAVE_UP = "the endpoint did not take the handshake", "the endpoint has not answered for a day"
_LOCKED = timedelta(minutes=1)
_AT_ONCE = 50
"""Events that are told before other subscriptions have their turn."""


class NotificationFailed(Exception):
    """The endpoint did not take a call; the worker must repeat the call."""


def spread(runtime: Runtime, message: Pending) -> Change:
    """Let an event wait for every subscription that may be concerned, and have the worker look at each."""
    changed = audit_log.CHANGED.decode(message.body)
    patient = message.compartment
    if patient is None or runtime.ports.webhooks is None:
        return NOTHING
    found = kept.listeners(runtime, patient, changed.type, is_new=changed.is_new)
    for id_ in found:
        name, key = runtime.ports.ids.new(), f"{id_} {message.id}"
        event = Waiting(name, message.position, key, patient, changed.type, changed.id, changed.at)
        kept.put_waiting(runtime, id_, event)
    return Change((), outbox=tuple(wake(runtime, id_) for id_ in found))


def wake(runtime: Runtime, id_: str) -> Message:
    """Return the message by which the worker looks at a subscription."""
    return Message(LANE, id_, id_.encode(), runtime.now())


def tell(runtime: Runtime, message: Pending) -> Change:
    """Do the handshake that a subscription still needs, then tell the events that wait for it.

    Raises: NotificationFailed: the message is to be handled again; Later while the subscription rests, during a
    lockdown, and when much is left.
    """
    one, now = kept.find(runtime, message.body.decode()), runtime.now()
    if one is None or not _is_live(runtime, one):
        return NOTHING
    if lockdown.find(runtime):
        raise Later(now + _LOCKED)
    if one.rests_until and now < one.rests_until <= now + webhooks.LONGEST_REST:  # later: a clock gone wrong
        raise Later(one.rests_until)
    caller = deciding.caller_of(runtime, one)
    webhook = webhooks.find(runtime, one.granted.client_id)
    if caller is None or webhook is None or not webhooks.is_at(webhook, one.endpoint):
        _end(runtime, one, ERROR, ENDED)
        return NOTHING
    if one.status == REQUESTED and not _shakes_hands(runtime, caller, one):
        return NOTHING
    waiting = kept.waiting(runtime, one.id)
    for event in waiting[:_AT_ONCE]:
        one = _tell_one(runtime, caller, one, event)
    if len(waiting) > _AT_ONCE:
        raise Later(now)
    return NOTHING


def _is_live(runtime: Runtime, one: Subscription) -> bool:
    """Tell whether a subscription is requested or active; switch it off first if its end has passed."""
    if one.status in LIVE and one.status_at(runtime.now()) == OFF:
        _end(runtime, one, OFF, "")
    return one.status_at(runtime.now()) in LIVE


def _end(runtime: Runtime, one: Subscription, status: str, error: str) -> None:
    now = runtime.now()
    kept.silence(runtime, one)
    kept.change(runtime, one.id, lambda held: replace(held, status=status, error=error, changed_at=now))
    if status == ERROR:
        telemetry.warning("subscription_stopped", client_id=one.granted.client_id)


def _shakes_hands(runtime: Runtime, caller: Caller, one: Subscription) -> bool:
    """Send the handshake; the subscription is active when the endpoint takes it, and in error otherwise."""
    audit_log.record(runtime, caller, interaction_of(EventKind.SUBSCRIPTION_TRIED), Outcome(), None)
    if not _send(runtime, one, HANDSHAKE):
        _end(runtime, one, ERROR, REFUSED)
        return False
    now = runtime.now()
    kept.change(runtime, one.id, lambda held: replace(held, status=ACTIVE, error="", changed_at=now, sent_at=now))
    if one.heartbeat:
        audit_log.commit(runtime, Change((), outbox=(heartbeat_of(one, now),)))
    return True


def _tell_one(runtime: Runtime, caller: Caller, one: Subscription, event: Waiting) -> Subscription:
    """Tell one event, unless it is withheld; return the subscription as it is afterwards.

    Raises: NotificationFailed.
    """
    is_known = any(event.key == before.event.key for before in one.recent)
    if is_known or not deciding.is_told(runtime, caller, one, event):
        kept.drop_waiting(runtime, event)
        return one
    number = one.told + 1
    told = Delivered(number, event)
    if not _send(runtime, replace(one, told=number, error=""), EVENT, told):
        _note_failure(runtime, one)
        raise NotificationFailed
    most, now = limits.in_force().subscription_events, runtime.now()

    def after(held: Subscription) -> Subscription:
        rested = replace(held, failures=0, failing_since=None, rests_until=None, sent_at=now)
        return replace(rested, told=number, recent=(*held.recent, told)[-most:])

    changed = kept.change(runtime, one.id, after)
    kept.drop_waiting(runtime, event)
    return changed or one


def _note_failure(runtime: Runtime, one: Subscription) -> None:
    """Let a subscription rest after a failure; after too many failures put it into error."""
    now = runtime.now()
    failed = replace(one, failures=one.failures + 1, failing_since=one.failing_since or now)
    if failed.failures >= webhooks.MOST_FAILURES and now - (failed.failing_since or now) >= webhooks.PATIENCE:
        _end(runtime, one, ERROR, GAVE_UP)
        return
    rests_until = now + webhooks.rest_after(failed.failures)
    kept.change(
        runtime,
        one.id,
        lambda held: replace(
            held, failures=failed.failures, failing_since=failed.failing_since, rests_until=rests_until
        ),
    )


def heartbeat_of(one: Subscription, since: datetime) -> Message:
    """Return the message of the next heartbeat of a subscription, counted from what was last sent."""
    due = since + timedelta(seconds=one.heartbeat)
    return Message(HEARTBEATS, f"{one.id} {due.isoformat()}", one.id.encode(), since, due)


def beat(runtime: Runtime, message: Pending) -> Change:
    """Send a heartbeat if nothing was sent for the period of the subscription, and put the message of the next one.

    The time of a heartbeat depends on what was sent before, and never on what was withheld.
    Raises: Later during a lockdown.
    """
    one, now = kept.find(runtime, message.body.decode()), runtime.now()
    if one is None or one.status_at(now) != ACTIVE:
        return NOTHING
    if lockdown.find(runtime):
        raise Later(now + _LOCKED)
    sent_at = one.sent_at or now
    if now - sent_at < timedelta(seconds=one.heartbeat):
        return Change((), outbox=(heartbeat_of(one, sent_at),))
    webhook = webhooks.find(runtime, one.granted.client_id)
    is_standing = deciding.caller_of(runtime, one) and webhook and webhooks.is_at(webhook, one.endpoint)
    if not is_standing:
        _end(runtime, one, ERROR, ENDED)
        return NOTHING
    if _send(runtime, one, HEARTBEAT):
        kept.change(runtime, one.id, lambda held: replace(held, sent_at=now, failures=0, failing_since=None))
    else:
        _note_failure(runtime, one)
    return Change((), outbox=(heartbeat_of(one, now),))


def _send(runtime: Runtime, one: Subscription, kind: str, *told: Delivered) -> bool:
    """Send a notification, and tell whether the endpoint took it."""
    webhook = webhooks.find(runtime, one.granted.client_id)
    if webhook is None or runtime.ports.webhooks is None:
        return False
    now = runtime.now()
    name = told[0].event.name if told else runtime.ports.ids.new()
    bundle = bundle_of(one.state(runtime.fhir_base, now), kind, name, now, [each.told for each in told])
    content = orjson.dumps(bundle) if one.media.endswith("json") else to_xml(bundle)
    headers = webhooks.headers_of(webhook, name, content, now)
    try:
        status = runtime.ports.webhooks.post(one.endpoint, headers | {"Content-Type": one.media}, content)
    except WebhookUnreachable:
        status = 0
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


SPREADING = Lane(audit_log.CHANGES_LANE, spread, together=20)
TELLING = Lane(LANE, tell, tries=48, first_pause=timedelta(seconds=10))
BEATING = Lane(HEARTBEATS, beat)
LANES = (SPREADING, TELLING, BEATING)
