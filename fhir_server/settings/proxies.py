"""What an operator states about the reverse proxies in front of the server, and which statements are safe.

A WSGI server stores `Client_Cert` and `Client-Cert` under one key. So a client could send under the first name what a
proxy deletes and sets under the second. A name of letters and digits has no such second spelling.
Sources: RFC 7239 (Forwarded), RFC 9440 (Client-Cert), RFC 9700 4.13 (reverse proxies); PEP 3333 (names of headers).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from fhir_server.settings.reading import Reader, Texts

NONE = "none"
FORWARDED, X_FORWARDED_FOR = "Forwarded", "X-Forwarded-For"
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
_SAFE = "or set HABILIS_PROXIES_DROP_UNDERSCORES=yes when the proxies drop headers with an underscore in their name"


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


@dataclass(frozen=True, slots=True)
class _Stated:
    trusted_proxies: Texts = ()
    forwarded_header: str = ""
    mtls_header: str = ""
    proxies_drop_underscores: bool = False


READER = Reader(_Stated)


def read_proxies(environment: Mapping[str, str]) -> Proxies:
    """Return the settings about proxies.

    Raises: ValueError with a text that names the variable.
    """
    stated = READER.read(READER.texts(environment))
    networks = () if stated.trusted_proxies == (NONE,) else stated.trusted_proxies
    _check_networks(networks)
    found = Proxies(bool(stated.trusted_proxies), networks, stated.forwarded_header, stated.mtls_header)
    _check_headers(found)
    if networks and not stated.proxies_drop_underscores:
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
