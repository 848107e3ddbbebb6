"""Settings of the providers through which people may sign in: Pro Santé Connect and FranceConnect.

A provider is configured when its issuer is set. docs/configuration.md has a heading for each variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from fhir_server.settings.reading import LoginLevel, Reader, is_url

ProviderId = Literal["psc", "franceconnect"]
_LEAST: dict[ProviderId, LoginLevel] = {"psc": "eidas1", "franceconnect": "eidas2"}
_UNSET = dict.fromkeys(("issuer", "client_id", "client_secret"), "")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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
    level: LoginLevel = "eidas1"
    private_network: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the provider runs on this machine, for development; it may then use plain http, on this host."""
        return urlsplit(self.issuer).hostname in _LOOPBACK


READERS = {
    id_: Reader(Provider, f"{id_.upper()}_", id=None, private_network="UPSTREAM_PRIVATE_NETWORK") for id_ in _LEAST
}


def read_providers(environment: Mapping[str, str]) -> tuple[Provider, ...]:
    """Return the providers that are configured.

    Raises: ValueError naming the variable that is wrong.
    """
    found = [_read(environment, id_) for id_ in READERS]
    return tuple(provider for provider in found if provider)


def _read(environment: Mapping[str, str], id_: ProviderId) -> Provider | None:
    reader = READERS[id_]
    texts = reader.texts(environment)
    known = {"id": id_, "level": _LEAST[id_]} | texts
    if "issuer" not in texts:
        reader.read(_UNSET | known)  # a wrong value is refused all the same
        return None
    provider = reader.read(known)
    if not _is_address(provider):
        raise ValueError(f"{reader.variables['issuer']} must be an https address, without query and fragment")
    return provider


def _is_address(provider: Provider) -> bool:
    is_safe = is_url(provider.issuer, "https") or (is_url(provider.issuer, "http") and provider.is_local)
    return is_safe and not {"?", "#"} & set(provider.issuer)
