"""Redirect URIs: which ones may be registered, and which requests match a registration.

Sources: RFC 9700 2.1 and 4.1.3 (exact match), RFC 8252 7.1 and 7.3 (native apps).
"""

import re
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from fhir_server.application.identity.clients import AuthMethod, Client

_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
"""A host and port without characters that could end a source in a Content-Security-Policy."""
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
URI_LIMIT = 2000


def is_registrable(uri: str) -> bool:
    """Tell whether a redirect URI may be registered: https, http on loopback, or a private-use scheme with a dot."""
    parts = _parts(uri)
    if parts is None or "@" in parts.netloc:
        return False
    if parts.scheme == "https":
        return bool(_HOST.fullmatch(parts.netloc))
    if parts.scheme == "http":
        return _host(parts.netloc) in _LOOPBACK
    return "." in parts.scheme and bool(parts.path)


def _parts(uri: str) -> SplitResult | None:
    """Return the parts of an address without unusual characters, None for any other."""
    if not uri.isascii() or not uri.isprintable() or len(uri) > URI_LIMIT or any(c in uri for c in ' "\\<>*#'):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts


def matches(client: Client, uri: str) -> bool:
    """Tell whether a redirect URI is registered: the same string, except for the port of a loopback IP address."""
    if uri in client.redirect_uris:
        return True
    if not is_registrable(uri):
        return False
    bare = _without_loopback_port(uri)
    return bare is not None and bare in {_without_loopback_port(known) for known in client.redirect_uris}


def is_assured(client: Client, uri: str) -> bool:
    """Tell whether only the app can be at an address; without https, another app on the device may listen there.

    The address of a client that authenticates at the token endpoint does not matter: nobody else can use the code.
    Source: RFC 8252 8.6.
    """
    return client.auth_method is not AuthMethod.NONE or urlsplit(uri).scheme == "https"


def shown(uri: str) -> str:
    """Return the part of a redirect URI that a person sees: its host, or the scheme of an app on the device."""
    parts = urlsplit(uri)
    return parts.netloc or f"{parts.scheme}:"


def with_parameters(uri: str, parameters: dict[str, str]) -> str:
    """Return a redirect URI with parameters added to its query."""
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def _host(netloc: str) -> str:
    return netloc.rpartition(":")[0] if netloc.rpartition(":")[2].isdigit() else netloc


def _without_loopback_port(uri: str) -> str | None:
    parts = urlsplit(uri)
    host = _host(parts.netloc)
    if parts.scheme != "http" or host not in {"127.0.0.1", "[::1]"}:
        return None
    return urlunsplit(parts._replace(netloc=host))
