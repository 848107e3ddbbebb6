"""Failures are counted, and too many of them close a door for a while, but never to whoever proves a key.

Nobody asks these counts about a client that proves itself. A failed authentication is counted by the name that it
claims at one address and by that address, and further failures get 429. A secret of 256 bits needs no more.

A person's password can be guessed, so attempts are counted before they are tried. Somebody whose browser has signed in
as this person before has a budget of their own; so has the person at an address from which they signed in before.
Only a browser and an address that are both new share budgets with strangers: that of the name at all addresses
together, and that of the address. Emergencies have budgets of their own, and none by address alone.

Every failure fills one slot of the vault, of which there are as many as failures are borne: so the counts are exact
under concurrency, every process sees them, and one read tells whether the last slot is full.
Sources: OWASP ASVS 5.0, 6.3.1 (controls against guessing); OWASP, Slow Down Online Guessing Attacks with Device
Cookies.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from authlib.oauth2.rfc6749 import OAuth2Error

from fhir_server.application.names import account_name, client_name
from fhir_server.oauth.wire import Context
from fhir_server.ports import Secret

ACCOUNT, SECOND_FACTOR, PATIENT_SEARCH, LINK_CODE = "account", "second-factor", "patient-search", "link-code"
ENROLMENT_CODE = "enrolment-code"
PLACES_KEPT = timedelta(days=90)
"""For how long a browser or an address counts as one from which a person signs in."""
_KIND, _PLACE, _CLIENT = "failure", "known-place", "client"
_OF_STRANGERS = frozenset({ACCOUNT, SECOND_FACTOR})
"""What somebody may try who has not signed in; the rest is tried by people who have, and is theirs alone."""
_IPV6_PREFIX = 64


class TooManyFailuresError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Too many failures of late; come back later."""

    error = "temporarily_unavailable"

    def __init__(self) -> None:
        """Say no more than that."""
        super().__init__("too many failed attempts", status_code=429)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a person: at what, in whose name, and whether it is on the way to an emergency access."""

    what: str
    name: str
    emergency: bool = False


def check(context: Context, attempt: Attempt) -> None:
    """Refuse to work for a name that failed too often.

    Raises: TooManyFailuresError.
    """
    if any(_is_full(context, key, limit - 1) for key, limit in _counted(context, attempt)):
        raise TooManyFailuresError


def failed(context: Context, attempt: Attempt) -> None:
    """Count a failure in each budget that it belongs to."""
    for key, limit in _counted(context, attempt):
        _count(context, key, limit)


def succeeded(context: Context, attempt: Attempt) -> None:
    """Forget the failures that a person had from here; those from elsewhere were not their own."""
    for emergency in (False, True):
        key, limit = next(_counted(context, replace(attempt, emergency=emergency)))
        for slot in range(_first_free(context, key, limit)):
            context.runtime.ports.vault.drop(_KIND, _slot(key, slot))


def remember_place(context: Context, login: str) -> None:
    """Keep that a person has signed in with this browser and from this address, so that both have their own budget."""
    vault, now = context.runtime.ports.vault, context.runtime.ports.clock.now()
    keys = _places(context, account_name(login))
    kept = vault.get_all([(_PLACE, key) for key in keys], now)
    for key, entry in zip(keys, kept, strict=True):
        if entry is None or entry.expires is None or entry.expires - now < PLACES_KEPT / 2:
            vault.drop(_PLACE, key)
            vault.add(Secret(_PLACE, key, b"", expires=now + PLACES_KEPT))


def client_failed(context: Context, claimed: str) -> None:
    """Count a failed authentication of a client; whoever proves one is never asked for these counts.

    Raises: TooManyFailuresError when this name, or this address, failed too often; nothing is counted then.
    """
    limits, network = context.options.throttle, network_of(context.received.address)
    counted = (
        (_key(_CLIENT, f"{client_name(claimed)}\n{network}"), limits.failures),
        (_key(f"{_CLIENT}-address", network), limits.per_address),
    )
    if any(_is_full(context, key, limit - 1) for key, limit in counted):
        raise TooManyFailuresError
    for key, limit in counted:
        _count(context, key, limit)


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of 64 bits, which is what one subscriber gets at least."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), _IPV6_PREFIX), strict=False))


def _counted(context: Context, attempt: Attempt) -> Iterator[tuple[str, int]]:
    """Give the keys under which a failure counts, each with its limit; the first is the one that is nobody else's."""
    limits, name = context.options.throttle, account_name(attempt.name)
    what = f"emergency-{attempt.what}" if attempt.emergency else attempt.what
    places = _places(context, name)
    known = [key for key in places if _is_known(context, key)]
    yield _key(what, known[0] if known else places[-1]), limits.failures
    if known:
        return
    if name:
        yield _key(what, name), limits.everywhere
    if attempt.what in _OF_STRANGERS and not attempt.emergency:
        yield _key("address", network_of(context.received.address)), limits.per_address


def _places(context: Context, name: str) -> tuple[str, ...]:
    """Return a name at this browser, when it has a cookie, and at this address, which comes last."""
    browser, network = context.received.browser, network_of(context.received.address)
    at_address = _key(_PLACE, f"{name}\naddress {network}")
    return (_key(_PLACE, f"{name}\nbrowser {browser}"), at_address) if browser else (at_address,)


def _is_known(context: Context, place: str) -> bool:
    return context.runtime.ports.vault.get(_PLACE, place, context.runtime.ports.clock.now()) is not None


def _count(context: Context, key: str, limit: int) -> None:
    first = _first_free(context, key, limit)
    next((slot for slot in range(first, limit) if _fill(context, key, slot)), None)


def _key(what: str, name: str) -> str:
    return f"{what}|{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


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
