"""What an operator states about the reverse proxies in front of the server, and which statements are safe.

A WSGI server stores `Client_Cert` and `Client-Cert` under one key. So a client could send under the first name what a
proxy deletes and sets under the second. A name of letters and digits has no such second spelling.
Sources: RFC 7239 (Forwarded), RFC 9440 (Client-Cert), RFC 9700 4.13 (reverse proxies); PEP 3333 (names of headers).
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Protocol

NONE = "none"
FORWARDED, X_FORWARDED_FOR = "Forwarded", "X-Forwarded-For"
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
_SAFE = "or set HABILIS_PROXIES_DROP_UNDERSCORES=yes when the proxies drop headers with an underscore in their name"


class Reader(Protocol):
    """How settings read one variable; names are without the prefix."""

    def text(self, name: str, default: str, /) -> str:
        """Return a text."""

    def texts(self, name: str, /) -> tuple[str, ...]:
        """Return texts separated by commas."""

    def flag(self, name: str, /) -> bool:
        """Return yes or no."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies in front of the server.

    stated: whether the operator said which proxies there are; with empty networks, there are none. networks: the
        addresses whose headers are believed. address_header: the header with the client's address. certificate_header:
        the header with its TLS certificate, "" when the proxies send none.
    """

    stated: bool = False
    networks: tuple[str, ...] = ()
    address_header: str = ""
    certificate_header: str = ""


def read_proxies(read: Reader) -> Proxies:
    """Return the settings about proxies.

    Raises: ValueError with a text that names the variable.
    """
    named = read.texts("TRUSTED_PROXIES")
    networks = () if named == (NONE,) else named
    _check_networks(networks)
    found = Proxies(bool(named), networks, read.text("FORWARDED_HEADER", ""), read.text("MTLS_HEADER", ""))
    _check_headers(found)
    if not read.flag("PROXIES_DROP_UNDERSCORES") and networks:
        _check_twins(found)
    return found


def _check_networks(networks: tuple[str, ...]) -> None:
    try:
        found = [ip_network(text) for text in networks]
    except ValueError:
        raise ValueError("HABILIS_TRUSTED_PROXIES holds IP addresses or networks, or none") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("HABILIS_TRUSTED_PROXIES cannot be the whole internet")


def _check_headers(found: Proxies) -> None:
    if found.certificate_header and not _HEADER.fullmatch(found.certificate_header):
        raise ValueError("HABILIS_MTLS_HEADER must be the name of a header")
    if found.certificate_header and not found.networks:
        raise ValueError("HABILIS_TRUSTED_PROXIES is required with HABILIS_MTLS_HEADER: anybody could send it")
    if found.networks and found.address_header not in {FORWARDED, X_FORWARDED_FOR}:
        text = "HABILIS_FORWARDED_HEADER must say where HABILIS_TRUSTED_PROXIES write the client's address"
        raise ValueError(f"{text}: {FORWARDED} or {X_FORWARDED_FOR}")


def _check_twins(found: Proxies) -> None:
    if "-" in found.address_header:
        text = f"HABILIS_FORWARDED_HEADER={X_FORWARDED_FOR} could be sent by clients as X_Forwarded_For"
        raise ValueError(f"{text}: let the proxies write {FORWARDED}, {_SAFE}")
    if "-" in found.certificate_header:
        text = "HABILIS_MTLS_HEADER could be sent by clients with _ in place of -"
        raise ValueError(f"{text}: choose a name of letters and digits, {_SAFE}")
