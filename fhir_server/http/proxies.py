"""What a reverse proxy reports about a client (address, TLS certificate), believed only from configured proxies.

Sources: RFC 7239 (Forwarded), RFC 9440 (Client-Cert), RFC 8705 3.1 (thumbprint), RFC 9700 4.13 (reverse proxies).
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from fhir_server.settings.proxies import FORWARDED, Proxies

CERTIFICATE = "habilis.client_certificate"
_LIMIT = 16 * 1024
_PEM = "-----BEGIN CERTIFICATE-----"


class TrustedProxies:
    """An application behind proxies: REMOTE_ADDR becomes the client's address, CERTIFICATE its thumbprint."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], proxies: Proxies) -> None:
        """Wrap an application."""
        self._inner = inner
        self._networks = tuple(ip_network(text) for text in proxies.networks)
        self._certificate = _key(proxies.certificate_header)
        self._address = _key(proxies.address_header)
        self._hop = _forwarded_hop if proxies.address_header == FORWARDED else str.strip

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on as it was before it reached the proxies."""
        certificate = environ.pop(self._certificate, "") if self._certificate else ""
        if self._is_trusted(str(environ.get("REMOTE_ADDR", ""))):
            environ[CERTIFICATE] = thumbprint(str(certificate))
            environ["REMOTE_ADDR"] = self._client(environ)
        return self._inner(environ, start_response)

    def _client(self, environ: WSGIEnvironment) -> str:
        """Return the last address of the chain that is not a proxy's; a client can forge whatever stands before it."""
        chain = [self._hop(part) for part in str(environ.get(self._address, "")).split(",") if part.strip()]
        strangers = (address for address in reversed(chain) if not self._is_trusted(address))
        found = next(strangers, "")
        return found if _is_address(found) else str(environ["REMOTE_ADDR"])

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._networks)


def thumbprint(value: str) -> str:
    """Return `x5t#S256` of a certificate in one of the three notations of proxies, "" when it cannot be read."""
    try:
        found = _certificate(value.strip()) if 0 < len(value) <= _LIMIT else None
    except ValueError:
        found = None
    return urlsafe_b64encode(found.fingerprint(SHA256())).decode().rstrip("=") if found else ""


def _certificate(value: str) -> x509.Certificate:
    plain = unquote(value)
    if plain.startswith(_PEM):
        return x509.load_pem_x509_certificate(plain.encode())
    return x509.load_der_x509_certificate(b64decode(value.strip(":"), validate=True))


def _key(header: str) -> str:
    """Return the WSGI key of a header, "" when no header is given."""
    return f"HTTP_{header.upper().replace('-', '_')}" if header else ""


def _forwarded_hop(element: str) -> str:
    """Return the address in one element of a Forwarded header, "" when the element names none.

    Source: RFC 7239 4 and 6 (IPv6 in brackets and quotes, with or without a port).
    """
    pairs = (pair.strip().partition("=") for pair in element.split(";"))
    node = next((value.strip().strip('"') for name, _, value in pairs if name.strip().lower() == "for"), "")
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
