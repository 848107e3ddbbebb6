"""JWK Sets fetched from a client's registered address, which cannot direct the server into its own network.

Sources: SMART App Launch 2.2 (JWKS URL, caching); RFC 9700 4.11; OWASP on server-side request forgery.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

import orjson
from authlib.oauth2.rfc6749 import InvalidClientError

from fhir_server import outbound
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Json
from fhir_server.oauth.base.bulkhead import CLIENT_KEYS, Bulkhead
from fhir_server.outbound import UnreachableError
from fhir_server.ports.vault import Secret

_KIND, _FAILED = "jwks-cache", "jwks-failed"
_PAUSE = timedelta(seconds=10)
_DEFAULT_AGE, _LONGEST_AGE = 300, 3600
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWK Set, and for how many seconds it may be kept."""

    keys: Json
    age: int


def fetch(runtime: Runtime, url: str, bulkhead: Bulkhead) -> Json:
    """Return the JWK Set at an address, from the cache while its Cache-Control allows.

    A failed address is not asked again for some seconds, because anybody can send an assertion that makes us ask.
    Raises: InvalidClientError when the set cannot be fetched; BusyError.
    """
    now = runtime.ports.clock.now()
    cached, failed = runtime.ports.vault.get_all([(_KIND, url), (_FAILED, url)], now)
    if cached:
        kept: Json = orjson.loads(cached.value)
        return kept
    if failed:
        raise _unreachable()
    try:
        with bulkhead.enter(CLIENT_KEYS):
            fetched = _get(url)
    except (UnreachableError, ValueError, TypeError):
        runtime.ports.vault.drop(_FAILED, url)
        runtime.ports.vault.add(Secret(_FAILED, url, b"", expires=now + _PAUSE))
        raise _unreachable() from None
    if fetched.age > 0:
        runtime.ports.vault.drop(_KIND, url)
        until = now + timedelta(seconds=min(fetched.age, _LONGEST_AGE))
        runtime.ports.vault.add(Secret(_KIND, url, orjson.dumps(fetched.keys), expires=until))
    return fetched.keys


def _unreachable() -> InvalidClientError:
    return InvalidClientError(description="the keys of the client cannot be fetched", status_code=401)


def _get(url: str) -> Fetched:
    reply = outbound.get(url, headers={"Accept": "application/json"})
    keys = reply.json()
    if reply.status_code != 200:  # noqa: PLR2004 - a status
        raise ValueError
    if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list):
        raise TypeError
    return Fetched(keys, age_of(reply.headers.get("Cache-Control", "")))


def age_of(cache_control: str) -> int:
    """Return for how many seconds an answer may be kept."""
    if "no-store" in cache_control or "no-cache" in cache_control:
        return 0
    found = _MAX_AGE.search(cache_control)
    return int(found.group(1)) if found else _DEFAULT_AGE
