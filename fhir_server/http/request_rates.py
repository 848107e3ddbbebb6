"""Requests of any kind: a bucket for each access token and each client, in each process.

What must be exact is counted in the store. This keeps one caller from taking the time of all others. Emergencies are
never refused here; health, pages and sign-in do not come here. A bucket that was not used longest gives way to a new
one, so that memory is bounded.
Source: RFC 6585 4; docs/adr/0084-what-is-counted-and-what-follows.md (V10).
"""

from functools import lru_cache
from math import ceil

from flask import Flask, current_app
from throttled import BaseRateLimiter, BaseStore, MemoryStore, RateLimiterType, Throttled, rate_limiter

from consent_rules.decision.emergency import MODES
from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem

_EXTENSION = "habilis.request-rates"
_MOST_BUCKETS = 20_000


def install(app: Flask) -> None:
    """Limit the requests of an application's callers."""
    app.extensions[_EXTENSION] = MemoryStore(options={"MAX_SIZE": _MOST_BUCKETS})


def demand(caller: Caller, usual: Ceilings) -> None:
    """Count a request of a caller.

    Raises: Problem(TOO_MANY) with the seconds until the next request is served.
    """
    store = current_app.extensions.get(_EXTENSION)
    if store is None or caller.purpose in MODES:
        return
    ceilings = caller.supervision.ceilings_of(caller.requester, usual)
    client = caller.granted.client_id
    _demand(store, f"token {caller.token_id}", ceilings.requests_a_minute, ceilings.requests_a_second)
    _demand(store, f"client {client}", ceilings.client_requests_a_minute, ceilings.client_requests_a_minute)


def demand_for_export(caller: Caller, usual: Ceilings, searches: int) -> None:
    """Count the searches of a file of an export, besides the request itself; none of them is done when one is too many.

    Software counts as a client alone, because it gets as many tokens as it asks for.
    Raises: Problem(TOO_MANY).
    """
    store, more = current_app.extensions.get(_EXTENSION), searches - 1
    if store is None or more <= 0:
        return
    ceilings, client = caller.supervision.ceilings_of(caller.requester, usual), caller.granted.client_id
    if caller.requester.kind is not RequesterKind.SYSTEM:
        _demand(store, f"token {caller.token_id}", ceilings.requests_a_minute, ceilings.requests_a_second, more)
    _demand(store, f"client {client}", ceilings.client_requests_a_minute, ceilings.client_requests_a_minute, more)


def _demand(store: BaseStore, key: str, a_minute: int, burst: int, cost: int = 1) -> None:
    found = _bucket(store, a_minute, burst).limit(key, min(cost, burst))
    if found.limited:
        issue = Issue("too many requests of one token or client", code="ceiling-requests")
        raise Problem(Category.TOO_MANY, issue, retry_after=max(1, ceil(found.state.retry_after)))


@lru_cache(maxsize=256)
def _bucket(store: BaseStore, a_minute: int, burst: int) -> BaseRateLimiter:
    quota = rate_limiter.per_min(a_minute, burst=burst)
    return Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store).limiter
