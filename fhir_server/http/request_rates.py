"""Requests of any kind: a bucket for each access token and each client, in each process.

These buckets keep one caller from taking the time of all others; what must be exact is counted in the store.
Emergencies are never refused here; health, pages and sign-in are not counted here. When there are too many buckets, the
one that has been unused for the longest time is dropped, so that memory is bounded.
Source: RFC 6585 4; docs/adr/0084-what-is-counted-and-what-follows.md (V10).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from time import sleep

from flask import Flask, current_app
from throttled import BaseRateLimiter, BaseStore, MemoryStore, RateLimiterType, Throttled, rate_limiter

from consent_rules.decision.emergency import MODES
from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem

_EXTENSION = "habilis.request-rates"
_MOST_BUCKETS = 20_000
_WAITS, _WAIT_SECONDS = 100, 0.1


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


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts the searches of a file that is being sent, besides the request itself; it needs no request of Flask.

    Software counts as a client alone, because it gets as many tokens as it asks for.
    """

    store: BaseStore | None
    caller: Caller
    usual: Ceilings

    def take(self, searches: int) -> None:
        """Count searches; none of them is counted when one is too many.

        Raises: Problem(TOO_MANY).
        """
        caller, store = self.caller, self.store
        if store is None or searches <= 0:
            return
        ceilings, a_client = caller.supervision.ceilings_of(caller.requester, self.usual), caller.granted.client_id
        if caller.requester.kind is not RequesterKind.SYSTEM:
            name = f"token {caller.token_id}"
            _demand(store, name, ceilings.requests_a_minute, ceilings.requests_a_second, searches)
        most = ceilings.client_requests_a_minute
        _demand(store, f"client {a_client}", most, most, searches)

    def wait(self) -> None:
        """Wait until one more search may be done, and count it.

        Raises: Problem(TOO_MANY) when others have used the client's searches up for long.
        """
        for _ in range(_WAITS):
            try:
                self.take(1)
            except Problem:
                sleep(_WAIT_SECONDS)
            else:
                return
        self.take(1)


def meter_of(caller: Caller, usual: Ceilings) -> Meter:
    """Return what counts the searches of an export's file for a caller."""
    return Meter(current_app.extensions.get(_EXTENSION), caller, usual)


def _demand(store: BaseStore, key: str, a_minute: int, burst: int, cost: int = 1) -> None:
    found = _bucket(store, a_minute, burst).limit(key, min(cost, burst))
    if found.limited:
        issue = Issue("too many requests of one token or client", code="ceiling-requests")
        raise Problem(Category.TOO_MANY, issue, retry_after=max(1, ceil(found.state.retry_after)))


@lru_cache(maxsize=256)
def _bucket(store: BaseStore, a_minute: int, burst: int) -> BaseRateLimiter:
    quota = rate_limiter.per_min(a_minute, burst=burst)
    return Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store).limiter
