"""Webhooks: an app is told that there is a new notice which it may read; the call has the id of the notice and no more.

An app has one https address, which the operator registers. It is called about a notice when a recipient has given the
app a grant that holds without the person, and the app may read the notice with this grant at that very moment.
Calls are signed in the symmetric form of Standard Webhooks, so that libraries of many languages check them.
Sources: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com); docs/adr/0080.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import digest
from http import HTTPStatus
from secrets import token_bytes
from urllib.parse import urlsplit

import msgspec
import orjson

from consent_rules.vocabulary import Action, PatientId
from fhir_server import telemetry
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import PATIENTS_SIDE, Access, Opened
from fhir_server.application.core.enforcement_point import judge
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import Grant, grants_of, has_ended
from fhir_server.application.notices.recipients import NOTICE_TYPES, Told, told_of
from fhir_server.application.outbox.lanes import Later
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import ClientId, Interaction
from fhir_server.ports.outbox import Message
from fhir_server.ports.surroundings import WebhookUnreachable
from fhir_server.ports.vault import Secret

LANE = "webhooks"
PREFIX = "whsec_"
"""How a secret begins in Standard Webhooks."""
MOST_FAILURES = 20
"""After so many failures in a row, over a day at least, an address is no longer called."""
PATIENCE = timedelta(days=1)
FIRST_REST, LONGEST_REST = timedelta(seconds=10), timedelta(hours=1)
"""How long an app is not called after a failure: at first, and at most; the time doubles with each failure in a row."""
_LONGEST_DOUBLING = 30
OVERLAP = timedelta(days=1)
"""How long calls are also signed with the previous secret, so that an app can change to the new one."""
_KIND = "webhook"
_SECRET_BYTES = 32


class WebhookFailed(Exception):
    """The app did not take a call; it is to be repeated."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address of one app.

    secret, before: the present and the previous secret, base64 without prefix; before_until: how long both sign.

    failures: in a row, since `failing_since`. rests_until: when the next call is tried, None after a success.
    stopped_at: when the server gave up, None otherwise.
    """

    client: ClientId
    url: str
    secret: str = field(repr=False)
    before: str | None = field(default=None, repr=False)
    before_until: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    stopped_at: datetime | None = None


class _Call(msgspec.Struct, frozen=True):
    """Tell an app of a notice. notice: its id. client: id of the app."""

    notice: str
    client: ClientId


_DECODER = msgspec.json.Decoder(Webhook)
_CALLS = msgspec.json.Decoder(_Call)


@query
def find(runtime: Runtime, client: ClientId) -> Webhook | None:
    """Return the address of an app, also one that is no longer called; None when there is none."""
    entry = runtime.ports.vault.get(_KIND, client, runtime.now())
    return _DECODER.decode(entry.value) if entry else None


def is_at(webhook: Webhook, url: str) -> bool:
    """Tell whether an address is on the host that the operator registered for an app that is still called."""
    known, asked = urlsplit(webhook.url), urlsplit(url)
    return webhook.stopped_at is None and (known.scheme, known.netloc) == (asked.scheme, asked.netloc)


@command(EventKind.CLIENT_CHANGED)
def register_address(runtime: Runtime, caller: Caller, client: Client, url: str) -> str:
    """Register an address with a new secret, and return the secret; calls that were stopped begin again."""
    _audit(runtime, caller, client, "webhook set")
    now, before = runtime.now(), find(runtime, client.id)
    made = Webhook(client.id, url, b64encode(token_bytes(_SECRET_BYTES)).decode())
    if before:
        made = replace(made, before=before.secret, before_until=now + OVERLAP)
    runtime.ports.vault.drop(_KIND, client.id)
    runtime.ports.vault.add(Secret(_KIND, client.id, orjson.dumps(made), f"client:{client.id}"))
    return f"{PREFIX}{made.secret}"


@command(EventKind.CLIENT_CHANGED)
def forget_address(runtime: Runtime, caller: Caller, client: Client) -> None:
    """Forget the address of an app, which is then no longer called."""
    _audit(runtime, caller, client, "webhook removed")
    runtime.ports.vault.drop(_KIND, client.id)


def _audit(runtime: Runtime, caller: Caller, client: Client, told: str) -> None:
    audited = AuditedInteraction(Interaction.OPERATION, "", target=client.device, operation="edit-client")
    audit_log.record(runtime, caller, audited, Outcome(reason=told), None)


def calls_about(runtime: Runtime, notice: str) -> tuple[Message, ...]:
    """Return a message for each app that is called about a notice. notice: its id."""
    told = told_of(runtime, notice) if runtime.ports.webhooks else None
    if told is None:
        return ()
    called = dict.fromkeys(client for client in _clients(runtime, notice, told) if _is_called(runtime, client))
    return tuple(_message(runtime, _Call(notice, client), told.patient) for client in called)


def _message(runtime: Runtime, call: _Call, patient: PatientId) -> Message:
    body = msgspec.json.encode(call)
    return Message(LANE, sha256(body).hexdigest(), body, runtime.now(), None, patient)


def _is_called(runtime: Runtime, client: ClientId) -> bool:
    webhook = find(runtime, client)
    return webhook is not None and webhook.stopped_at is None and clients.find(runtime, client) is not None


def _clients(runtime: Runtime, notice: str, told: Told) -> Iterator[ClientId]:
    for account in told.accounts:
        for grant in grants_of(runtime, account.subject):
            if _reads(runtime, grant, notice, told.patient):
                yield grant.client_id


def _reads(runtime: Runtime, grant: Grant, notice: str, patient: PatientId) -> bool:
    """Tell whether an app of the patient's side may read a notice now with a grant that holds without the person."""
    is_standing = "offline_access" in grant.scopes.split() and grant.requester.kind in PATIENTS_SIDE
    if not is_standing or has_ended(runtime, grant):
        return False
    caller = Caller.of_token(grant, "", grant.scopes)
    with runtime.ports.store.snapshot() as snapshot:
        for type_ in NOTICE_TYPES:
            audited = AuditedInteraction(Interaction.READ, type_, target=f"{type_}/{notice}")
            opened = judge(Access(runtime, caller, audited, snapshot), patient, Action.READ_NOTICES)
            if isinstance(opened, Opened) and snapshot.read(type_, notice, opened.within(caller, "r")) is not None:
                return True
    return False


def call(runtime: Runtime, body: bytes) -> None:
    """Make the call that a message of the lane is about, unless the app may not know of the notice any more.

    An app that has failed rests: one call, and not each that waits, finds out whether it answers again. Else an app
    that hangs would hold up the calls of every other app.
    Raises: WebhookFailed: the message is to be handled again; Later while the app rests.
    """
    planned = _CALLS.decode(body)
    webhook = find(runtime, planned.client) if _is_called(runtime, planned.client) else None
    now = runtime.now()
    if webhook and webhook.rests_until and now < webhook.rests_until <= now + LONGEST_REST:  # later: a wrong clock
        raise Later(webhook.rests_until)
    told = told_of(runtime, planned.notice)
    if told is None or webhook is None or runtime.ports.webhooks is None:
        return
    if planned.client not in _clients(runtime, planned.notice, told):
        return
    content = content_of(planned.notice)
    headers = headers_of(webhook, planned.notice, content, runtime.now())
    try:
        status = runtime.ports.webhooks.post(webhook.url, headers, content)
    except WebhookUnreachable:
        status = 0
    _note(runtime, webhook, status)


def _note(runtime: Runtime, webhook: Webhook, status: int) -> None:
    """Count a failure or forget earlier ones; stop calling an address that fails for a day, or says that it is gone.

    status: of the answer, 0 for none. Raises: WebhookFailed.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if webhook.failures:
            _keep(runtime, replace(webhook, failures=0, failing_since=None, rests_until=None))
        return
    now = runtime.now()
    failed = replace(webhook, failures=webhook.failures + 1, failing_since=webhook.failing_since or now)
    is_over = failed.failures >= MOST_FAILURES and failed.failing_since and now - failed.failing_since >= PATIENCE
    if status == HTTPStatus.GONE or is_over:
        _keep(runtime, replace(failed, stopped_at=now))
        telemetry.warning("webhook_stopped", client_id=webhook.client)
        return
    _keep(runtime, replace(failed, rests_until=now + rest_after(failed.failures)))
    raise WebhookFailed


def rest_after(failures: int) -> timedelta:
    """Return how long an address is not called after so many failures in a row."""
    doubled: timedelta = FIRST_REST * 2 ** min(failures - 1, _LONGEST_DOUBLING)
    return min(doubled, LONGEST_REST)


def _keep(runtime: Runtime, webhook: Webhook) -> None:
    """Store the state of an address, unless the operator has registered another one meanwhile."""
    entry = runtime.ports.vault.get(_KIND, webhook.client, runtime.now())
    if entry and _DECODER.decode(entry.value).secret == webhook.secret:
        runtime.ports.vault.replace(replace(entry, key=webhook.client, value=orjson.dumps(webhook)))


def content_of(notice: str) -> bytes:
    """Return the body of a call."""
    [type_] = NOTICE_TYPES
    return orjson.dumps({"type": "notice.created", "data": {"reference": f"{type_}/{notice}"}})


def headers_of(webhook: Webhook, id_: str, content: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of a call: its id, the same at each repeat, the time of this attempt, and the signatures."""
    seconds = str(int(at.timestamp()))
    secrets = [webhook.secret]
    if webhook.before and webhook.before_until and at < webhook.before_until:
        secrets.append(webhook.before)
    signed = b".".join((id_.encode(), seconds.encode(), content))
    signatures = (b64encode(digest(b64decode(secret), signed, "sha256")).decode() for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
