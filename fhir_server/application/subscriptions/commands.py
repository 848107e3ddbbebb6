"""What a client does with its subscriptions: ask for one, look at it, end it, begin it anew, ask for what was told.

Every call is in the audit log before it is answered; a subscription that is not the caller's is answered as an unknown
one. Only `$events` depends on a patient's data: the server decides about each event anew.
Source: IHE DSUBm ITI-110 and ITI-113; docs/adr/0123-a-notification-is-a-search.md.
"""

from dataclasses import replace
from datetime import timedelta

from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import identify
from fhir_server.application.exports import leaving
from fhir_server.application.exports.jobs import owner_of
from fhir_server.application.notices import webhooks
from fhir_server.application.reading.read import NOBODY, not_found
from fhir_server.application.subscriptions import deciding, delivery, kept
from fhir_server.application.subscriptions.kept import ERROR, OFF, REQUESTED, Subscription
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.subscriptions import asked
from fhir_server.domain.subscriptions.asked import Asked
from fhir_server.domain.subscriptions.notifications import Told
from fhir_server.domain.values import Json
from fhir_server.ports.store import Change
from fhir_server.settings import limits

_TYPE = "Subscription"
_SET_BY_SERVER = ("id", "meta", "status", "error")
_ADDRESS = (
    "is not on the host that the operator registered for this app (`habilis clients webhook`), "
    "or this server calls no apps (`HABILIS_WEBHOOKS`)"
)


@command(EventKind.SUBSCRIPTION_MADE)
def subscribe(runtime: Runtime, caller: Caller, resource: Json) -> Subscription:
    """Store a subscription, and put the message by which the worker tries its endpoint.

    Whether the patient exists, and whether the space is open to the caller, makes no difference here.
    Raises: Problem(INSUFFICIENT_SCOPE), FORBIDDEN for a caller who is never notified, BUSINESS_RULE naming each wrong
    element, TOO_MANY.
    """
    audited = interaction_of(EventKind.SUBSCRIPTION_MADE)
    try:
        _demand_scope(caller, "c")
        leaving.demand(caller)
        wanted = asked.read(resource, runtime.now())
        _demand_scope(caller, "s", wanted.topic.type)
        deciding.criteria_of(wanted.topic.type, wanted.filters, runtime.fhir_base)
        made = _made(runtime, caller, resource, wanted)
        _demand_lasting(runtime, made)
        _demand_few(runtime, caller)
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    audit_log.record(runtime, caller, replace(audited, target=f"{_TYPE}/{made.id}"), Outcome(), None)
    kept.store(runtime, made)
    _wake(runtime, made)
    return made


def _made(runtime: Runtime, caller: Caller, resource: Json, wanted: Asked) -> Subscription:
    now = runtime.now()
    sent = {name: value for name, value in resource.items() if name not in _SET_BY_SERVER}
    return Subscription(
        id=runtime.ports.ids.new(),
        owner=owner_of(caller),
        resource=sent,
        granted=caller.granted,
        scopes=str(caller.scopes),
        topic_url=wanted.topic.url,
        patient=_patient(runtime, wanted),
        filters=wanted.filters,
        endpoint=wanted.endpoint,
        content=wanted.content,
        media=wanted.media,
        heartbeat=wanted.heartbeat,
        end=wanted.end,
        made_at=now,
        changed_at=now,
    )


def _patient(runtime: Runtime, wanted: Asked) -> PatientId:
    """Return whose events are wanted; this counts as no look-up, because the answer does not depend on it."""
    if not wanted.identifier:
        return PatientId(wanted.patient)
    system, _, value = wanted.identifier.partition("|")
    with runtime.ports.store.snapshot() as snapshot:
        return identify(snapshot, system, value) or NOBODY


def _demand_scope(caller: Caller, letter: str, type_: str = _TYPE) -> None:
    smart_scopes.demand(caller, (type_,), letter, caller.launch_patient)


def _demand_lasting(runtime: Runtime, made: Subscription) -> None:
    """Demand an endpoint that the operator registered, and a basis that lasts while the person is away.

    Raises: Problem(BUSINESS_RULE), FORBIDDEN.
    """
    webhook = webhooks.find(runtime, made.granted.client_id) if runtime.ports.webhooks else None
    if webhook is None or not webhooks.is_at(webhook, made.endpoint):
        raise Problem.of(Category.BUSINESS_RULE, _ADDRESS, "Subscription.channel.endpoint", "value")
    if deciding.caller_of(runtime, made) is None:
        text = "a subscription needs registered software, or a person's grant with `offline_access`"
        raise Problem.of(Category.FORBIDDEN, text, code="forbidden")
    if made.topic.many and made.granted.requester.kind is not RequesterKind.SYSTEM:
        text = "only software of an establishment may subscribe to a topic of many patients"
        raise Problem.of(Category.BUSINESS_RULE, text, "Subscription.criteria", "value")


def _demand_few(runtime: Runtime, caller: Caller) -> None:
    most = limits.in_force().subscriptions
    if len(kept.of_caller(runtime, caller)) >= most:
        issue = Issue(f"you have {most} subscriptions already; delete one of them", code="too-many-subscriptions")
        raise Problem(Category.TOO_MANY, issue, retry_after=int(timedelta(hours=1).total_seconds()))


def _wake(runtime: Runtime, one: Subscription) -> None:
    audit_log.commit(runtime, Change((), outbox=(delivery.wake(runtime, one.id),)))


@query
def look_at(runtime: Runtime, caller: Caller, id_: str) -> Subscription:
    """Return a subscription of the caller.

    Raises: Problem(INSUFFICIENT_SCOPE), NOT_FOUND.
    """
    audited = interaction_of(EventKind.SUBSCRIPTION_LOOKED_AT, target=f"{_TYPE}/{id_}")
    found = _own(runtime, caller, audited, id_, "r")
    audit_log.record(runtime, caller, audited, Outcome(), None)
    return found


@query
def look_for(runtime: Runtime, caller: Caller) -> tuple[Subscription, ...]:
    """Return the subscriptions of the caller, the oldest first. Raises: Problem(INSUFFICIENT_SCOPE)."""
    audited = interaction_of(EventKind.SUBSCRIPTION_LOOKED_AT)
    try:
        _demand_scope(caller, "s")
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    audit_log.record(runtime, caller, audited, Outcome(), None)
    return kept.of_caller(runtime, caller)


@command(EventKind.SUBSCRIPTION_ENDED)
def end(runtime: Runtime, caller: Caller, id_: str) -> None:
    """Delete a subscription with what waits for it; one that is unknown needs no deleting."""
    audited = interaction_of(EventKind.SUBSCRIPTION_ENDED, target=f"{_TYPE}/{id_}")
    try:
        found = _own(runtime, caller, audited, id_, "d")
    except Problem as problem:
        if problem.category is Category.NOT_FOUND:
            return
        raise
    audit_log.record(runtime, caller, audited, Outcome(), None)
    kept.drop(runtime, found)


@command(EventKind.SUBSCRIPTION_CHANGED)
def switch(runtime: Runtime, caller: Caller, id_: str, resource: Json) -> Subscription:
    """Switch a subscription off (`off`), or begin it anew after that or after an error (`requested`).

    Raises: Problem(INSUFFICIENT_SCOPE), NOT_FOUND, BUSINESS_RULE for any other change.
    """
    audited = interaction_of(EventKind.SUBSCRIPTION_CHANGED, target=f"{_TYPE}/{id_}")
    found = _own(runtime, caller, audited, id_, "u")
    try:
        status = _wanted_status(runtime, found, resource)
        if status == REQUESTED:
            _demand_lasting(runtime, replace(found, granted=caller.granted, scopes=str(caller.scopes)))
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    audit_log.record(runtime, caller, audited, Outcome(), None)
    now, anew = runtime.now(), status == REQUESTED

    def after(held: Subscription) -> Subscription:
        rested = replace(held, failures=0, failing_since=None, rests_until=None, error="")
        rested = replace(rested, status=status, changed_at=now)
        return replace(rested, granted=caller.granted, scopes=str(caller.scopes)) if anew else rested

    changed = kept.change(runtime, id_, after) or found
    if anew:
        kept.listen(runtime, changed)
    else:
        kept.silence(runtime, changed)
    _wake(runtime, changed)
    return changed


def _wanted_status(runtime: Runtime, found: Subscription, resource: Json) -> str:
    """Return the status that an update asks for. Raises: Problem(BUSINESS_RULE)."""
    sent = {name: value for name, value in resource.items() if name not in _SET_BY_SERVER}
    status = str(resource.get("status"))
    if sent != found.resource:
        text = "only `status` changes; for anything else, delete the subscription and create another"
        raise Problem.of(Category.BUSINESS_RULE, text, "Subscription", "value")
    is_anew = status == REQUESTED and found.status_at(runtime.now()) in (ERROR, OFF)
    if status != OFF and not is_anew:
        text = "takes `off`, or `requested` for a subscription that is off or in error"
        raise Problem.of(Category.BUSINESS_RULE, text, "Subscription.status", "value")
    if is_anew and found.has_ended(runtime.now()):
        text = "the end of the subscription has passed: create another one"
        raise Problem.of(Category.BUSINESS_RULE, text, "Subscription.end", "value")
    return status


def _own(runtime: Runtime, caller: Caller, audited: AuditedInteraction, id_: str, letter: str) -> Subscription:
    """Return a subscription of the caller. Raises: Problem(INSUFFICIENT_SCOPE), NOT_FOUND; the audit log has it."""
    try:
        _demand_scope(caller, letter)
        found = kept.find(runtime, id_)
        if found is None or found.owner != owner_of(caller):
            raise not_found()
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    return found


@query
def events_of(
    runtime: Runtime, caller: Caller, id_: str, span: tuple[int, int]
) -> tuple[Subscription, tuple[Told, ...]]:
    """Return a subscription and the events that it was told, without those that a search would not show now.

    span: the first and the last number of the events. Each event that is returned has an audit event of its own.
    Raises: Problem(INSUFFICIENT_SCOPE), NOT_FOUND.
    """
    audited = interaction_of(EventKind.SUBSCRIPTION_EVENTS_READ, target=f"{_TYPE}/{id_}")
    found = _own(runtime, caller, audited, id_, "r")
    audit_log.record(runtime, caller, audited, Outcome(), None)
    first, last = span
    asked_for = [one for one in found.recent if first <= one.number <= last]
    return found, tuple(one.told for one in asked_for if deciding.is_told(runtime, caller, found, one.event))
