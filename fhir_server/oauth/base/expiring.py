"""Entries of the vault that expire: counts that every process shares.

A count is exact under concurrency: it can have as many entries in the vault as its limit, and each expires after the
    window of the throttle; one read tells whether the last one is taken. The worker removes what has
    expired (fhir_server/worker.py); nothing depends on that: every read compares the time.
"""

from hashlib import sha256

from fhir_server.oauth.base.wire import Context
from fhir_server.ports.vault import Secret

_FAILURE = "failure"


def key_of(what: str, name: str) -> str:
    """Return the key of a count; it contains only a hash of the name."""
    return f"{what}|{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def is_full(context: Context, key: str, limit: int) -> bool:
    """Tell whether a count has reached its limit."""
    return _is_taken(context, key, limit - 1)


def count(context: Context, key: str, limit: int) -> bool:
    """Take one slot; return False when none is free."""
    return any(_fill(context, key, slot) for slot in range(_first_free(context, key, limit), limit))


def clear(context: Context, key: str, limit: int) -> None:
    """Free all slots."""
    for slot in range(_first_free(context, key, limit)):
        context.runtime.ports.vault.drop(_FAILURE, _slot(key, slot))


def _slot(key: str, number: int) -> str:
    return f"{key}|{number}"


def _is_taken(context: Context, key: str, slot: int) -> bool:
    return context.runtime.ports.vault.get(_FAILURE, _slot(key, slot), context.runtime.ports.clock.now()) is not None


def _first_free(context: Context, key: str, limit: int) -> int:
    """Return the first slot that may be free: slots fill in order, so a few reads find it."""
    low, high = 0, 1
    while high <= limit and _is_taken(context, key, high - 1):
        low, high = high, 2 * high
    high = min(high - 1, limit)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _is_taken(context, key, middle) else (low, middle)
    return low


def _fill(context: Context, key: str, slot: int) -> bool:
    """Take a slot; return False when another caller has it. An expired entry is invisible but must first be removed."""
    vault = context.runtime.ports.vault
    expires = context.runtime.ports.clock.now() + context.options.throttle.window
    taken = Secret(_FAILURE, _slot(key, slot), b"", expires=expires)
    if vault.add(taken):
        return True
    if _is_taken(context, key, slot):
        return False
    vault.drop(_FAILURE, taken.key)
    return vault.add(taken)
