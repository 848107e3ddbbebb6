"""Too many failed attempts block further attempts for a while, but never those that prove possession of a key.

A client that proves its key or secret is never blocked. A failed authentication of a client is counted by the claimed
name at one address, and by that address; further failures get 429. A secret of 256 bits needs no more protection.

A person's password can be guessed, so attempts are counted before they are checked. A browser in which the person
signed in before has a limit of its own for this person, and so has an address from which they signed in before. Only a
new browser at a new address shares limits with strangers: one limit for the name at all addresses together, and one for
the address. Emergencies have limits of their own, and none for an address alone.

Sources: OWASP ASVS 5.0, 6.3.1 (controls against guessing); OWASP, Slow Down Online Guessing Attacks with Device
Cookies.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from authlib.oauth2.rfc6749 import OAuth2Error

from fhir_server.application.identity.accounts import account_name
from fhir_server.application.identity.clients import client_name
from fhir_server.oauth.base import expiring
from fhir_server.oauth.base.wire import Context
from fhir_server.ports.vault import Secret

ACCOUNT, SECOND_FACTOR, PATIENT_SEARCH, LINK_CODE = "account", "second-factor", "patient-search", "link-code"
ENROLMENT_CODE = "enrolment-code"
PLACES_KEPT = timedelta(days=90)
"""How long a browser or an address counts as one from which a person signs in."""
UPSTREAM = "upstream"
_PLACE, _CLIENT = "known-place", "client"
_OF_STRANGERS = frozenset({ACCOUNT, SECOND_FACTOR})
"""Attempts of people who have not signed in; other attempts come from signed-in people and count for them only."""
_IPV6_PREFIX = 64


class TooManyFailuresError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Too many recent failures; the client may try again later."""

    error = "temporarily_unavailable"

    def __init__(self) -> None:
        """Build the error without further details."""
        super().__init__("too many failed attempts", status_code=429)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a person: what they try, in whose name, and whether it leads to an emergency access."""

    what: str
    name: str
    emergency: bool = False


def check(context: Context, attempt: Attempt) -> None:
    """Refuse an attempt in a name with too many failures.

    Raises: TooManyFailuresError.
    """
    if any(expiring.is_full(context, key, limit) for key, limit in _counted(context, attempt)):
        raise TooManyFailuresError


def failed(context: Context, attempt: Attempt) -> None:
    """Count a failure under each key that it concerns."""
    for key, limit in _counted(context, attempt):
        expiring.count(context, key, limit)


def succeeded(context: Context, attempt: Attempt) -> None:
    """Forget the failures of this person from this place; failures from elsewhere were not theirs."""
    for emergency in (False, True):
        key, limit = next(_counted(context, replace(attempt, emergency=emergency)))
        expiring.clear(context, key, limit)


def remember_place(context: Context, login: str) -> None:
    """Remember that a person signed in with this browser and from this address, so that both get their own limits."""
    vault, now = context.runtime.ports.vault, context.runtime.ports.clock.now()
    keys = _places(context, account_name(login))
    keys += (_of_browser(context),) if context.received.browser else ()
    kept = vault.get_all([(_PLACE, key) for key in keys], now)
    for key, entry in zip(keys, kept, strict=True):
        if entry is None or entry.expires is None or entry.expires - now < PLACES_KEPT / 2:
            vault.drop(_PLACE, key)
            vault.add(Secret(_PLACE, key, b"", expires=now + PLACES_KEPT))


def client_failed(context: Context, claimed: str) -> None:
    """Count a failed authentication of a client, under its name at this address, and under this address.

    An authentication that succeeds never checks these counts, so that nobody uses them up for the client elsewhere.
    Raises: TooManyFailuresError when either count is full; nothing is counted then.
    """
    limits, network = context.options.throttle, network_of(context.received.address)
    at_address = expiring.key_of(_CLIENT, f"{client_name(claimed)}\n{network}")
    _count_stranger(context, (at_address, limits.failures), (_of_address(context, _CLIENT), limits.per_address))


def upstream_failed(context: Context) -> None:
    """Count a failed sign-in through a provider; a successful one never checks these counts.

    Raises: TooManyFailuresError when too many failed at this address; nothing is counted then.
    """
    _count_stranger(context, (_of_address(context, UPSTREAM), context.options.throttle.per_address))


def begin(context: Context, *, emergency: bool = False) -> bool:
    """Count a sign-in that begins, because it is kept until it ends; return False when too many began here.

    "Here" is the browser if somebody signed in with it before, otherwise the address. Emergencies count separately.
    """
    what = "emergency-begun" if emergency else "begun"
    place, limit = _of_browser(context), context.options.throttle.begun
    is_known = bool(context.received.browser) and _is_known(context, place)
    return expiring.count(context, f"{what}|{place}" if is_known else _of_address(context, what), limit)


def _count_stranger(context: Context, *counted: tuple[str, int]) -> None:
    if any(expiring.is_full(context, key, limit) for key, limit in counted):
        raise TooManyFailuresError
    for key, limit in counted:
        expiring.count(context, key, limit)


def _of_address(context: Context, what: str) -> str:
    return expiring.key_of(f"{what}-address", network_of(context.received.address))


def _of_browser(context: Context) -> str:
    return expiring.key_of(_PLACE, f"browser {context.received.browser}")


def network_of(address: str) -> str:
    """Return what counts as one address: for IPv6 the network of 64 bits, because one subscriber has at least that."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), _IPV6_PREFIX), strict=False))


def _counted(context: Context, attempt: Attempt) -> Iterator[tuple[str, int]]:
    """Yield the keys under which a failure counts, each with its limit; the first belongs to this person alone."""
    limits, name = context.options.throttle, account_name(attempt.name)
    what = f"emergency-{attempt.what}" if attempt.emergency else attempt.what
    places = _places(context, name)
    known = [key for key in places if _is_known(context, key)]
    yield expiring.key_of(what, known[0] if known else places[-1]), limits.failures
    if known:
        return
    if name:
        yield expiring.key_of(what, name), limits.everywhere
    if attempt.what in _OF_STRANGERS and not attempt.emergency:
        yield _of_address(context, "person"), limits.per_address


def _places(context: Context, name: str) -> tuple[str, ...]:
    """Return the keys of a name at this browser, if it has a cookie, and at this address, which comes last."""
    browser, network = context.received.browser, network_of(context.received.address)
    at_address = expiring.key_of(_PLACE, f"{name}\naddress {network}")
    return (expiring.key_of(_PLACE, f"{name}\nbrowser {browser}"), at_address) if browser else (at_address,)


def _is_known(context: Context, place: str) -> bool:
    return context.runtime.ports.vault.get(_PLACE, place, context.runtime.ports.clock.now()) is not None
