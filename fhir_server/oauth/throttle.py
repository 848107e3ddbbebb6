"""Failures are counted by account, client and address; too many of them close the door for a while.

Every failure fills one slot of the vault, of which there are as many as failures are borne: so the counts are exact
under concurrency, every process sees them, and one read tells whether the last slot is full.
Whoever fails for somebody else's name closes it for their own address first; the name is closed to everybody only when
many addresses fail for it.
Source: OWASP ASVS 5.0, 6.3.1 (controls against guessing).
"""

from collections.abc import Iterator
from hashlib import sha256

from authlib.oauth2.rfc6749 import OAuth2Error

from fhir_server.oauth.wire import Context
from fhir_server.ports import Secret

INTROSPECTION = "introspection"
_KIND, _ADDRESS = "failure", "address"


class TooManyFailuresError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Too many failures of late; come back later."""

    error = "temporarily_unavailable"

    def __init__(self) -> None:
        """Say no more than that."""
        super().__init__("too many failed attempts", status_code=429)


def check(context: Context, what: str, name: str) -> None:
    """Refuse to work for a name that failed too often from this address, or from all, and for such an address.

    Raises: TooManyFailuresError.
    """
    if any(_is_full(context, key, limit - 1) for key, limit in _counted(context, what, name)):
        raise TooManyFailuresError


def failed(context: Context, what: str, name: str) -> None:
    """Count a failure of a name, of the address that it came from, and of both together."""
    for key, limit in _counted(context, what, name):
        first = _first_free(context, key, limit)
        next((slot for slot in range(first, limit) if _fill(context, key, slot)), None)


def succeeded(context: Context, what: str, name: str) -> None:
    """Forget the failures that a name had from this address; those from elsewhere were not its own."""
    key, limit = next(_counted(context, what, name))
    for slot in range(_first_free(context, key, limit)):
        context.runtime.ports.vault.drop(_KIND, _slot(key, slot))


def _counted(context: Context, what: str, name: str) -> Iterator[tuple[str, int]]:
    """Give the keys under which a failure counts, each with its limit; nobody's name is not closed to everybody."""
    limits, address = context.options.throttle, context.received.address or "unknown"
    if what == INTROSPECTION:
        yield _key(what, f"{name}\n{address}"), limits.introspections
        return
    yield _key(what, f"{name}\n{address}"), limits.failures
    yield _key(_ADDRESS, address), limits.per_address
    if name:
        yield _key(what, name), limits.everywhere


def _key(what: str, name: str) -> str:
    return f"{what}|{sha256(name.casefold().encode('utf-8', 'surrogatepass')).hexdigest()}"


def _slot(key: str, number: int) -> str:
    return f"{key}|{number}"


def _is_full(context: Context, key: str, slot: int) -> bool:
    return context.runtime.ports.vault.get(_KIND, _slot(key, slot), context.runtime.ports.clock.now()) is not None


def _first_free(context: Context, key: str, limit: int) -> int:
    """Return a slot after which to look for a free one: slots fill in order, so that few reads find it."""
    low, high = 0, 1
    while high <= limit and _is_full(context, key, high - 1):
        low, high = high, 2 * high
    high = min(high - 1, limit)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _is_full(context, key, middle) else (low, middle)
    return low


def _fill(context: Context, key: str, slot: int) -> bool:
    """Take a slot; False when somebody else has it. An expired one is absent to readers but must be removed first."""
    vault = context.runtime.ports.vault
    expires = context.runtime.ports.clock.now() + context.options.throttle.window
    taken = Secret(_KIND, _slot(key, slot), b"", expires=expires)
    if vault.add(taken):
        return True
    if _is_full(context, key, slot):
        return False
    vault.drop(_KIND, taken.key)
    return vault.add(taken)
