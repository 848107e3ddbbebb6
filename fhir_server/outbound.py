"""Requests that this server sends to other servers; an address cannot direct them into a forbidden network.

Sources: OWASP on server-side request forgery; RFC 9700 4.11.
"""

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from threading import Timer
from urllib.parse import SplitResult, urlsplit

import orjson

SIZE_LIMIT = 64 * 1024
TIMEOUT_SECONDS = 3.0
WHOLE_SECONDS = 5.0
_CHUNK = 8192
_PORTS = {"https": 443, "http": 80}


class UnreachableError(Exception):
    """The address is not allowed, or its answer cannot be used; the text contains nothing from the request."""


class Reach(StrEnum):
    """Where a request may go.

    PUBLIC: the public internet. PRIVATE: also the operator's own network. LOOPBACK: only this machine, for development;
        plain http is then allowed.
    """

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read completely; redirects are never followed."""

    status_code: int
    body: bytes = field(repr=False)
    headers: HTTPMessage

    def json(self) -> object:
        """Return the body as JSON.

        Raises: ValueError.
        """
        return orjson.loads(self.body)

    def raise_for_status(self) -> None:
        """Raise UnreachableError when the answer is an error."""
        if self.status_code >= 400:  # noqa: PLR2004 - the first status that is an error
            raise UnreachableError(f"answered {self.status_code}")


def get(url: str, reach: Reach = Reach.PUBLIC, headers: Mapping[str, str] | None = None) -> Reply:
    """Fetch an address.

    Raises: UnreachableError.
    """
    return send("GET", url, reach, headers or {})


def send(method: str, url: str, reach: Reach, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
    """Send one request to exactly the address that was checked, and abort it after WHOLE_SECONDS.

    Raises: UnreachableError.
    """
    try:
        return _exchange(_connect(urlsplit(url), reach), method, urlsplit(url), headers, body)
    except (OSError, ValueError, TypeError, HTTPException) as error:
        raise UnreachableError(type(error).__name__) from None


def _exchange(
    connection: "_Pinned", method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes | None
) -> Reply:
    limit = Timer(WHOLE_SECONDS, connection.abort)
    limit.daemon = True
    limit.start()
    try:
        connection.request(method, _target(parts), body, dict(headers))
        reply = _read(connection.getresponse())
    finally:
        limit.cancel()
        connection.close()
    if connection.was_aborted:  # a truncated header looks like the last one
        raise ValueError
    return reply


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet."""
    found = _plain(address)
    return found.is_global and not found.is_multicast


def allows(reach: Reach, address: str) -> bool:
    """Tell whether a request may go to an IP address; never to a link-local one, where clouds offer keys."""
    found = _plain(address)
    if reach is Reach.LOOPBACK:
        return found.is_loopback
    if reach is Reach.PRIVATE and found.is_private:
        return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_reserved)
    return is_public(address)


def is_wellformed(url: str, reach: Reach) -> bool:
    """Tell whether an absolute URL has an allowed scheme, a host, and no user part."""
    try:
        parts = urlsplit(url)
        schemes = {"https", "http"} if reach is Reach.LOOPBACK else {"https"}
        return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _connect(parts: SplitResult, reach: Reach) -> "_Pinned":
    if not is_wellformed(parts.geturl(), reach):
        raise ValueError
    host = str(parts.hostname)
    port = parts.port or _PORTS[parts.scheme]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(item[4][0]) for item in found]
    if not addresses or not all(allows(reach, item) for item in addresses):
        raise ValueError
    return _Pinned(host, port, addresses[0], secure=parts.scheme == "https")


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(response: HTTPResponse) -> Reply:
    """Read an answer of limited size."""
    body = b""
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > SIZE_LIMIT:
            raise ValueError
    if response.length:
        raise ValueError
    return Reply(response.status, body, response.headers)


class _Pinned(HTTPConnection):
    """A connection to exactly the address that was checked, so that a second DNS look-up cannot change it."""

    def __init__(self, host: str, port: int, pinned: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self.default_port = _PORTS["https" if secure else "http"]  # the Host header leaves it out
        self._pinned, self.was_aborted = pinned, False
        self._tls = ssl.create_default_context() if secure else None

    def connect(self) -> None:
        self.sock = socket.create_connection((self._pinned, self.port), TIMEOUT_SECONDS)
        if self._tls:
            wrapped = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = wrapped
            wrapped.do_handshake()

    def abort(self) -> None:
        """Abort the connection: each read has its own time limit, and a server may send one byte for each read."""
        self.was_aborted = True
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
