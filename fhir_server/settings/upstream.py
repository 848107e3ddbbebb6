"""Settings of the providers through which people may sign in: Pro Santé Connect and FranceConnect.

A provider is configured when its issuer is set. docs/configuration.md has a heading for each variable.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlsplit

ProviderId = Literal["psc", "franceconnect"]
_PREFIXES: dict[ProviderId, str] = {"psc": "PSC", "franceconnect": "FRANCECONNECT"}
_LEVELS = ("eidas1", "eidas2", "eidas3")
_LEAST: dict[ProviderId, str] = {"psc": "eidas1", "franceconnect": "eidas2"}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Reader(Protocol):
    """How settings read one variable; names are without the prefix."""

    def text(self, name: str, default: str, /) -> str:
        """Return a text."""

    def flag(self, name: str, /) -> bool:
        """Return yes or no."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One external provider, to which this server is a relying party.

    id: also the name in addresses. level: the weakest login that the server accepts from it. private_network: whether
        its addresses may be in the operator's own network.
    """

    id: ProviderId
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    level: str = "eidas1"
    private_network: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the provider runs on this machine, for development; it may then use plain http, on this host."""
        return urlsplit(self.issuer).hostname in _LOOPBACK


def read_providers(read: Reader) -> tuple[Provider, ...]:
    """Return the providers that are configured.

    Raises: ValueError naming the variable that is wrong.
    """
    private = read.flag("UPSTREAM_PRIVATE_NETWORK")
    found = [_read(read, id_, private_network=private) for id_ in _PREFIXES]
    return tuple(provider for provider in found if provider)


def _read(read: Reader, id_: ProviderId, *, private_network: bool) -> Provider | None:
    prefix = _PREFIXES[id_]
    names = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    issuer, client_id, secret = (read.text(f"{prefix}_{name}", "") for name in names)
    level = read.text(f"{prefix}_LEVEL", _LEAST[id_]).lower()
    if level not in _LEVELS:
        raise ValueError(f"HABILIS_{prefix}_LEVEL must be one of: {', '.join(_LEVELS)}")
    if not issuer:
        return None
    if not client_id or not secret:
        raise ValueError(f"HABILIS_{prefix}_ISSUER needs HABILIS_{prefix}_CLIENT_ID and HABILIS_{prefix}_CLIENT_SECRET")
    provider = Provider(id_, issuer, client_id, secret, level, private_network)
    if not _is_address(provider):
        raise ValueError(f"HABILIS_{prefix}_ISSUER must be an https address, without query and fragment")
    return provider


def _is_address(provider: Provider) -> bool:
    parts = urlsplit(provider.issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and provider.is_local)
    return is_safe and bool(parts.hostname) and not (parts.query or parts.fragment or "@" in parts.netloc)
