"""A provider's own metadata (endpoints and keys), fetched with care and kept for a while.

Source: OpenID Connect Discovery 1.0, 4 (the issuer is compared to the letter); RFC 7517.
"""

from dataclasses import dataclass
from datetime import timedelta

import orjson

from fhir_server import outbound
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Json
from fhir_server.oauth.base.remote_keys import age_of
from fhir_server.outbound import Reach, UnreachableError
from fhir_server.ports.vault import Secret
from fhir_server.settings.upstream import Provider

_KIND, _RENEWED = "upstream-document", "upstream-renewed"
_LONGEST_AGE = 3600
_BETWEEN_RENEWALS = timedelta(minutes=1)
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")


class ProviderError(Exception):
    """The provider or its answer cannot be used; reason: a word for the audit log, never what the provider sent."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Metadata:
    """The used part of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    auth_method: str = "client_secret_basic"
    names_itself: bool = False


def reach_of(provider: Provider) -> Reach:
    """Return where requests to a provider may go."""
    if provider.is_local:
        return Reach.LOOPBACK
    return Reach.PRIVATE if provider.private_network else Reach.PUBLIC


def metadata_of(runtime: Runtime, provider: Provider) -> Metadata:
    """Return a provider's endpoints.

    Raises: ProviderError when the endpoints cannot be fetched or are not allowed.
    """
    url = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    found = _document(runtime, provider, url)
    if found.get("issuer") != provider.issuer:
        raise ProviderError("wrong-issuer")
    reach = reach_of(provider)
    if not all(isinstance(found.get(name), str) and outbound.is_wellformed(found[name], reach) for name in _NEEDED):
        raise ProviderError("unusable-endpoints")
    leaving = found.get("end_session_endpoint")
    has_exit = isinstance(leaving, str) and outbound.is_wellformed(leaving, reach)
    return Metadata(
        issuer=provider.issuer,
        end_session_endpoint=leaving if has_exit and isinstance(leaving, str) else "",
        auth_method=_auth_method(found.get("token_endpoint_auth_methods_supported")),
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        **{name: str(found[name]) for name in _NEEDED},
    )


def _auth_method(offered: object) -> str:
    """Return how the client authenticates; a provider that states nothing supports Basic."""
    is_post = isinstance(offered, list) and "client_secret_basic" not in offered and "client_secret_post" in offered
    return "client_secret_post" if is_post else "client_secret_basic"


def keys_of(runtime: Runtime, provider: Provider, url: str, kid: str) -> Json:
    """Return the provider's JWK Set; when it lacks a key it is fetched again, at most once a minute.

    Raises: ProviderError.
    """
    keys = _document(runtime, provider, url)
    if not _has(keys, kid) and _may_renew(runtime, provider):
        runtime.ports.vault.drop(_KIND, _name(provider, url))
        keys = _document(runtime, provider, url)
    return keys


def _has(keys: Json, kid: str) -> bool:
    listed = keys.get("keys")
    return isinstance(listed, list) and any(isinstance(key, dict) and key.get("kid") == kid for key in listed)


def _may_renew(runtime: Runtime, provider: Provider) -> bool:
    now = runtime.ports.clock.now()
    if runtime.ports.vault.get(_RENEWED, provider.id, now):
        return False
    runtime.ports.vault.drop(_RENEWED, provider.id)
    return runtime.ports.vault.add(Secret(_RENEWED, provider.id, b"", expires=now + _BETWEEN_RENEWALS))


def _name(provider: Provider, url: str) -> str:
    return f"{provider.id}|{url}"


def _document(runtime: Runtime, provider: Provider, url: str) -> Json:
    now = runtime.ports.clock.now()
    kept = runtime.ports.vault.get(_KIND, _name(provider, url), now)
    if kept:
        known: Json = orjson.loads(kept.value)
        return known
    try:
        reply = outbound.get(url, reach_of(provider), {"Accept": "application/json"})
        reply.raise_for_status()
        found = reply.json()
    except (UnreachableError, ValueError):
        raise ProviderError("unreachable") from None
    if not isinstance(found, dict):
        raise ProviderError("no-document")
    age = min(age_of(reply.headers.get("Cache-Control", "")), _LONGEST_AGE)
    if age > 0:
        until = now + timedelta(seconds=age)
        runtime.ports.vault.drop(_KIND, _name(provider, url))
        runtime.ports.vault.add(Secret(_KIND, _name(provider, url), orjson.dumps(found), expires=until))
    return found
