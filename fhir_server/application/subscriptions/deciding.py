"""Who learns of an event, decided when it is told: whoever would find the resource by a search at that very moment.

First the search is made without a trace; an event that it does not show is withheld, and leaves nothing behind: no
number, no trace, no call. An event that it shows is searched for as any caller searches, so that decision, ceilings,
notices and the durable audit event are those of a search.
Source: docs/adr/0123-a-notification-is-a-search.md.
"""

from dataclasses import replace

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Action, RequesterKind
from fhir_server.application.core.access import Access, Opened, action_of
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.enforcement_point import judge, judge_again
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import vouches
from fhir_server.application.exports import leaving
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import find_grant, has_ended
from fhir_server.application.reading import search
from fhir_server.application.reading.search import Wanted
from fhir_server.application.subscriptions.kept import Subscription, Waiting
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller, Granted
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Criterion, Search
from fhir_server.domain.search.values import criterion
from fhir_server.domain.values import Interaction
from fhir_server.registry import REGISTRY, AccessRule, ResourceType

_WITHHELD = frozenset(
    {Category.CONSENT_REQUIRED, Category.FORBIDDEN, Category.INSUFFICIENT_SCOPE, Category.NOT_FOUND}
    | {Category.TOO_MANY, Category.UNAUTHENTICATED}
)
DURABLE = "offline_access"
"""The scope of a grant that holds while the person is away."""


def caller_of(runtime: Runtime, one: Subscription) -> Caller | None:
    """Return the caller for whom a subscription is told; None when the basis of the subscription has ended.

    Software: it is still registered for all these scopes and for the same establishment. A person's app: the grant has
    not ended, holds without the person, and still has all these scopes; for a professional, the directory still says
    that the person practises there.
    """
    client = clients.find(runtime, one.granted.client_id)
    if client is None:
        return None
    is_software = one.granted.requester.kind is RequesterKind.SYSTEM
    granted = _as_registered(client, one) if is_software else _as_granted(runtime, one)
    if granted is None:
        return None
    return replace(Caller.of_token(granted, one.id, one.scopes), supervision=supervising.find(runtime))


def _as_registered(client: Client, one: Subscription) -> Granted | None:
    is_of_same = client.organization == one.granted.requester.organization
    return one.granted if is_of_same and _holds(client.scopes, one.scopes) else None


def _as_granted(runtime: Runtime, one: Subscription) -> Granted | None:
    grant = find_grant(runtime, one.granted.id)
    if grant is None or has_ended(runtime, grant) or grant.requester != one.granted.requester:
        return None
    is_professional = grant.requester.kind is RequesterKind.PROFESSIONAL
    if is_professional and not vouches(runtime, grant.requester):
        return None
    lasts = Scopes.parse(grant.scopes).has(DURABLE) and _holds(grant.scopes, one.scopes)
    return grant if lasts else None


def _holds(given: str, needed: str) -> bool:
    return Scopes.parse(given).contains(Scopes.parse(needed))


def is_told(runtime: Runtime, caller: Caller, one: Subscription, event: Waiting) -> bool:
    """Tell whether the subscriber learns of an event now; if so, the audit log has it when this returns.

    Raises: StoreUnavailable, Problem(UNAVAILABLE): nothing may be told then, and the event waits.
    """
    row, wanted = REGISTRY[event.type], _wanted(runtime, one, event)
    if not _would_show(runtime, caller, row, wanted):
        return False
    try:
        return bool(search.find(runtime, caller, row, wanted).shown)
    except Problem as problem:  # a ceiling, or a decision that changed meanwhile: the audit log has the refusal
        if problem.category in _WITHHELD:
            return False
        raise


def _would_show(runtime: Runtime, caller: Caller, row: ResourceType, wanted: Wanted) -> bool:
    if wanted.patient is None:
        return False
    audited = AuditedInteraction(Interaction.SEARCH, row.name)
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        opened = judge(access, wanted.patient, action_of(row))
        if not isinstance(opened, Opened) or not _may_leave(access, opened, row):
            return False
        return bool(snapshot.find(wanted.search, opened.within(caller, "s")).rows)


def _may_leave(access: Access, opened: Opened, row: ResourceType) -> bool:
    """Tell whether a notification may tell of this space: it is never a first access to a space."""
    if row.access is AccessRule.NOTICE:
        return True
    consulting = judge_again(access, opened, Action.CONSULT)
    return isinstance(consulting, Opened) and leaving.may_leave(access, consulting)


def _wanted(runtime: Runtime, one: Subscription, event: Waiting) -> Wanted:
    """Return the search that finds the resource of an event if the resource meets the filters."""
    criteria = criteria_of(one.topic.type, one.filters, runtime.fhir_base)
    search_ = Search(event.type, criteria, ids=frozenset({event.id}), limit=1)
    query = f"GET /fhir/{event.type}?_id={event.id}"
    return Wanted(search_, event.patient, total=False, query=query, kind=EventKind.EVENT_NOTIFIED)


def criteria_of(type_: str, filters: tuple[tuple[str, str], ...], fhir_base: str) -> tuple[Criterion, ...]:
    """Return the criteria of filters.

    Raises: Problem(MALFORMED, UNSUPPORTED) for a value or a modifier that a search of the type refuses.
    """
    params = {param.name: param for param in REGISTRY[type_].search}
    parts = [(*name.partition(":")[::2], value) for name, value in filters]
    return tuple(criterion(params[name], modifier, value, fhir_base) for name, modifier, value in parts)
