"""Failures are counted by account, client and address; too many of them close the door for a while.

The counts lie in the vault, so that every process sees them. Whoever fails for somebody else's name closes it for
their own address first; the name is closed to everybody only when many addresses fail for it.
Source: OWASP ASVS 5.0, 6.3.1 (controls against guessing).
"""

from dataclasses import replace
from hashlib import sha256

from authlib.oauth2.rfc6749 import OAuth2Error

from fhir_server.oauth.wire import Context
from fhir_server.ports import Secret

_KIND, _ADDRESS = "failures", "address"
_TRIES = 8


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
    limits, address = context.options.throttle, _address(context)
    counted = (
        (what, _from(name, address), limits.failures),
        (what, name, limits.everywhere),
        (_ADDRESS, address, limits.per_address),
    )
    if any(_count(context, kind, key) >= limit for kind, key, limit in counted):
        raise TooManyFailuresError


def failed(context: Context, what: str, name: str) -> None:
    """Count a failure of a name, of the address that it came from, and of both together."""
    address = _address(context)
    _add(context, what, _from(name, address))
    if name:
        _add(context, what, name)
    _add(context, _ADDRESS, address)


def succeeded(context: Context, what: str, name: str) -> None:
    """Forget the failures that a name had from this address; those from elsewhere were not its own."""
    context.runtime.ports.vault.drop(_KIND, _key(what, _from(name, _address(context))))


def _from(name: str, address: str) -> str:
    """Return the key of a name at an address; no name and no address holds a line break."""
    return f"{name}\n{address}"


def _address(context: Context) -> str:
    return context.received.address or "unknown"


def _key(what: str, name: str) -> str:
    return f"{what}|{sha256(name.casefold().encode('utf-8', 'surrogatepass')).hexdigest()}"


def _count(context: Context, what: str, name: str) -> int:
    entry = context.runtime.ports.vault.get(_KIND, _key(what, name), context.runtime.ports.clock.now())
    return int(entry.value) if entry else 0


def _add(context: Context, what: str, name: str) -> None:
    """Count with compare and swap; after losing many times, others have counted enough."""
    vault, now = context.runtime.ports.vault, context.runtime.ports.clock.now()
    key = _key(what, name)
    for _ in range(_TRIES):
        entry = vault.get(_KIND, key, now)
        if entry is None:
            if vault.add(Secret(_KIND, key, b"1", expires=now + context.options.throttle.window)):
                return
        elif vault.replace(replace(entry, key=key, value=str(int(entry.value) + 1).encode())):
            return
