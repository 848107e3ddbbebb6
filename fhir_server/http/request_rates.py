"""Requests of any kind: buckets for each access token and each client, in each process.

Each entry of a batch or transaction counts as a request. A token sends few requests in one second; the entries of a
Bundle and the searches of an export count by the minute alone, because they arrive together.
These buckets keep one caller from taking the time of all others; what must be exact is counted in the store.
Emergencies are never refused here. Health, sign-in and public pages are not counted here; a page of somebody who is
signed in counts for the session alone, because all people share the client of our pages. When there are too many
buckets, the one that has been unused for the longest time is dropped, so that memory is bounded.
Source: RFC 6585 4; docs/adr/0084-what-is-counted-and-what-follows.md (V10), docs/adr/0132-entries-count-as-requests.md.
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
    _demand(store, f"token {caller.token_id}", ceilings.requests_a_minute, ceilings.requests_a_second)
    _demand_in_a_minute(store, caller, ceilings, 1)


def demand_of_session(caller: Caller, usual: Ceilings) -> None:
    """Count a request of a person on our pages; the session counts as a token does.

    Raises: Problem(TOO_MANY) with the seconds until the next request is served, except in an emergency.
    """
    store = current_app.extensions.get(_EXTENSION)
    if store is not None and caller.purpose not in MODES:
        most = caller.supervision.ceilings_of(caller.requester, usual)
        _demand(store, f"token {caller.token_id}", most.requests_a_minute, most.requests_a_second)
        _demand(store, f"minute of token {caller.token_id}", most.requests_a_minute, most.requests_a_minute)


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts what a request asks for besides itself: entries of a Bundle, searches of a file. It needs no Flask."""

    store: BaseStore | None
    caller: Caller
    usual: Ceilings

    def take(self, requests: int) -> None:
        """Count requests besides the one that asks for them.

        A number above what a minute allows counts as one less than that, so that some wait is long enough for it.
        Raises: Problem(TOO_MANY), except in an emergency.
        """
        if self.store is not None and requests > 0 and self.caller.purpose not in MODES:
            ceilings = self.caller.supervision.ceilings_of(self.caller.requester, self.usual)
            _demand_in_a_minute(self.store, self.caller, ceilings, requests)

    def wait(self) -> None:
        """Wait until one more request may be done, and count it.

        Raises: Problem(TOO_MANY) when others have used the client's requests up for long.
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
    """Return what counts the further requests of a caller in this process."""
    return Meter(current_app.extensions.get(_EXTENSION), caller, usual)


def _demand_in_a_minute(store: BaseStore, caller: Caller, ceilings: Ceilings, cost: int) -> None:
    """Count requests by the minute; software counts as a client alone, as it gets as many tokens as it asks for."""
    if caller.requester.kind is not RequesterKind.SYSTEM:
        most = ceilings.requests_a_minute
        _demand(store, f"minute of token {caller.token_id}", most, most, min(cost, max(1, most - 1)))
    most = ceilings.client_requests_a_minute
    _demand(store, f"client {caller.granted.client_id}", most, most, min(cost, max(1, most - 1)))


def _demand(store: BaseStore, key: str, a_minute: int, burst: int, cost: int = 1) -> None:
    found = _bucket(store, a_minute, burst).limit(key, cost)
    if found.limited:
        issue = Issue("too many requests of one token or client", code="ceiling-requests")
        raise Problem(Category.TOO_MANY, issue, retry_after=max(1, ceil(found.state.retry_after)))


@lru_cache(maxsize=256)
def _bucket(store: BaseStore, a_minute: int, burst: int) -> BaseRateLimiter:
    quota = rate_limiter.per_min(a_minute, burst=burst)
    return Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store).limiter
