"""JWK Sets fetched from a client's registered address, without letting the address lead us into our own network.

Sources: SMART App Launch 2.2 (JWKS URL, caching); RFC 9700 4.11; OWASP on server-side request forgery.
"""

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import orjson
from authlib.oauth2.rfc6749 import InvalidClientError

from fhir_server.application.runtime import Runtime
from fhir_server.ports import Secret

Json = dict[str, Any]

_KIND = "jwks-cache"
SIZE_LIMIT = 64 * 1024
TIMEOUT_SECONDS = 3.0
_DEFAULT_AGE, _LONGEST_AGE = 300, 3600
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWK Set and for how many seconds it may be kept."""

    keys: Json
    age: int


def fetch(runtime: Runtime, url: str) -> Json:
    """Return the JWK Set at an address, from the cache while its Cache-Control allows.

    Raises: InvalidClientError when it cannot be had.
    """
    now = runtime.ports.clock.now()
    cached = runtime.ports.vault.get(_KIND, url, now)
    if cached:
        kept: Json = orjson.loads(cached.value)
        return kept
    try:
        fetched = _get(url)
    except (OSError, ValueError, TypeError, HTTPException):
        raise InvalidClientError(description="the keys of the client cannot be fetched", status_code=401) from None
    if fetched.age > 0:
        until = now + timedelta(seconds=min(fetched.age, _LONGEST_AGE))
        runtime.ports.vault.add(Secret(_KIND, url, orjson.dumps(fetched.keys), expires=until))
    return fetched.keys


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet."""
    return ipaddress.ip_address(address).is_global and not ipaddress.ip_address(address).is_multicast


def _get(url: str) -> Fetched:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    port = parts.port or 443
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(item[4][0]) for item in found]
    if not addresses or not all(is_public(item) for item in addresses):
        raise ValueError
    connection = _Pinned(parts.hostname, port, addresses[0])
    try:
        connection.request("GET", parts.path or "/", headers={"Accept": "application/json"})
        return _read(connection.getresponse())
    finally:
        connection.close()


def _read(response: HTTPResponse) -> Fetched:
    """Read a bounded answer; a redirect is not followed."""
    body = response.read(SIZE_LIMIT + 1)
    if response.status != 200 or len(body) > SIZE_LIMIT:  # noqa: PLR2004 - a status
        raise ValueError
    keys = orjson.loads(body)
    if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list):
        raise TypeError
    return Fetched(keys, age_of(response.headers.get("Cache-Control", "")))


def age_of(cache_control: str) -> int:
    """Return for how many seconds an answer may be kept."""
    if "no-store" in cache_control or "no-cache" in cache_control:
        return 0
    found = _MAX_AGE.search(cache_control)
    return int(found.group(1)) if found else _DEFAULT_AGE


class _Pinned(HTTPSConnection):
    """A TLS connection to the very address that was checked, so that a second look-up cannot lead elsewhere."""

    def __init__(self, host: str, port: int, pinned: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
        self._pinned = pinned
        self._tls = ssl.create_default_context()

    def connect(self) -> None:
        plain = socket.create_connection((self._pinned, self.port), TIMEOUT_SECONDS)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
