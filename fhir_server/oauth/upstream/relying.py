"""The two steps of a sign-in at a provider: sending the browser there, and receiving it back with a code.

The vault keeps the request under its state, bound to the browser and valid once. Authlib's client makes the requests,
and sends them through outbound.py.
Sources: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207; RFC 9700 2.1.1, 4.4 (mix-up) and 4.7 (state).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import quote_plus, urlencode

import msgspec
import orjson
from authlib.oauth2 import ClientAuth, OAuth2Client
from authlib.oauth2.base import OAuth2Error

from fhir_server import outbound
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Json
from fhir_server.oauth.base.issuer import address
from fhir_server.oauth.upstream.metadata import Metadata, ProviderError, keys_of, metadata_of, reach_of
from fhir_server.oauth.upstream.verification import Expected, Keys, ProvenIdentity, prove, read_userinfo
from fhir_server.outbound import Reply, UnreachableError
from fhir_server.ports.vault import Secret
from fhir_server.settings.upstream import Provider

_KIND = "upstream-state"
_LIFETIME = timedelta(minutes=10)
_SCOPES = {
    "psc": "openid scope_all",
    "franceconnect": "openid given_name family_name birthdate gender",
}


@dataclass(frozen=True, slots=True)
class Errand:
    """Why the browser goes to a provider.

    interaction: the conversation that waits, "" for signing in to one's own pages. level: the weakest acceptable login;
        max_age: the oldest, in seconds, None for any; fresh: the person must log in now.
    """

    interaction: str = ""
    level: str = "eidas1"
    max_age: int | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request to a provider, kept in the vault until its answer. browser: SHA-256 of the cookie that binds it."""

    provider: str
    browser: str
    verifier: str
    nonce: str
    errand: Errand
    departed: datetime

    def not_before(self, now: datetime) -> datetime | None:
        """Return the earliest login that this request accepts, None when it accepts any."""
        earliest = [self.departed] if self.errand.fresh else []
        if self.errand.max_age is not None:
            earliest.append(now - timedelta(seconds=self.errand.max_age))
        return max(earliest, default=None)


_DECODER = msgspec.json.Decoder(Ticket)


@dataclass(frozen=True, slots=True)
class VouchedPerson:
    """A person whom a provider vouches for."""

    proof: ProvenIdentity
    person: Json
    id_token: str


def callback(runtime: Runtime, provider: Provider) -> str:
    """Return the redirect URI for one provider: each has its own, so that answers cannot be mixed up."""
    return address(runtime, f"/login/with/{provider.id}/callback")


def depart(runtime: Runtime, provider: Provider, browser: str, errand: Errand) -> str:
    """Return the provider's address at which the person signs in.

    Raises: ProviderError when the provider cannot be used now.
    """
    metadata = metadata_of(runtime, provider)
    ids, now = runtime.ports.ids, runtime.ports.clock.now()
    state, verifier, nonce = ids.secret(), ids.secret(), ids.secret()
    kept = Ticket(provider.id, _hash(browser), verifier, nonce, errand, now)
    runtime.ports.vault.add(Secret(_KIND, state, orjson.dumps(kept), expires=now + _LIFETIME))
    extra: Json = {"nonce": nonce, "acr_values": errand.level}
    if errand.fresh or errand.max_age is not None:
        extra["max_age"] = 0 if errand.fresh else errand.max_age
    if errand.fresh:
        extra["prompt"] = "login"
    client = _client(runtime, provider, metadata)
    url, _ = client.create_authorization_url(metadata.authorization_endpoint, state, verifier, **extra)
    return str(url)


def claim(runtime: Runtime, provider: Provider, browser: str, state: str) -> Ticket:
    """Take the kept request of a state from the vault, once; it must be of this browser and this provider.

    Raises: ProviderError("unknown-state").
    """
    now = runtime.ports.clock.now()
    entry = runtime.ports.vault.get(_KIND, state, now) if 0 < len(state) <= 128 and state.isascii() else None  # noqa: PLR2004
    kept = _DECODER.decode(entry.value) if entry else None
    is_ours = kept and compare_digest(kept.browser, _hash(browser)) and kept.provider == provider.id
    if kept is None or not is_ours or runtime.ports.vault.take(_KIND, state, now) is None:
        raise ProviderError("unknown-state")
    return kept


def arrive(runtime: Runtime, provider: Provider, ticket: Ticket, params: Mapping[str, str]) -> VouchedPerson:
    """Check the answer that a browser brings, and ask the provider who the person is.

    Raises: ProviderError; nobody is signed in then.
    """
    metadata = metadata_of(runtime, provider)
    _demand_issuer(metadata, params)
    if "error" in params or not params.get("code"):
        raise ProviderError("refused-upstream")
    tokens = _redeem(runtime, provider, metadata, params["code"], ticket.verifier)
    keys: Keys = partial(keys_of, runtime, provider, metadata.jwks_uri)
    now = runtime.ports.clock.now()
    not_before = ticket.not_before(now)
    expected = Expected(metadata.issuer, provider.client_id, ticket.nonce, ticket.errand.level, not_before)
    proof = prove(tokens, keys, expected, now)
    person = _userinfo(provider, metadata, tokens["access_token"], keys)
    if person.get("sub") != proof.subject:
        raise ProviderError("bad-userinfo")
    return VouchedPerson(proof, person, str(tokens["id_token"]))


def _demand_issuer(metadata: Metadata, params: Mapping[str, str]) -> None:
    """Refuse an answer without its required issuer, or with another provider's issuer (RFC 9207)."""
    if params.get("iss", "" if metadata.names_itself else metadata.issuer) != metadata.issuer:
        raise ProviderError("wrong-issuer")


def _redeem(runtime: Runtime, provider: Provider, metadata: Metadata, code: str, verifier: str) -> Json:
    client = _client(runtime, provider, metadata)
    try:
        found = client.fetch_token(
            metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier,
            redirect_uri=callback(runtime, provider),
        )  # fmt: skip
    except UnreachableError:
        raise ProviderError("unreachable") from None
    except (OAuth2Error, ValueError, TypeError):
        raise ProviderError("no-token") from None
    access_token, kind = found.get("access_token"), found.get("token_type")
    if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
        raise ProviderError("no-token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderError("no-token")
    return dict(found)


def _userinfo(provider: Provider, metadata: Metadata, access_token: str, keys: Keys) -> Json:
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json, application/jwt"}
    try:
        reply = outbound.get(metadata.userinfo_endpoint, reach_of(provider), headers)
        reply.raise_for_status()
    except UnreachableError:
        raise ProviderError("no-userinfo") from None
    return read_userinfo(reply.headers.get("Content-Type", ""), reply.body, metadata, provider, keys)


def _client(runtime: Runtime, provider: Provider, metadata: Metadata) -> OAuth2Client:
    is_basic = metadata.auth_method == "client_secret_basic"
    return OAuth2Client(
        _Session(provider),
        client_id=provider.client_id,
        client_secret=quote_plus(provider.client_secret) if is_basic else provider.client_secret,
        token_endpoint_auth_method=metadata.auth_method,
        scope=_SCOPES[provider.id],
        redirect_uri=callback(runtime, provider),
        code_challenge_method="S256",
    )


class _Session:
    """The part of an HTTP session that Authlib's client needs, with guarded requests."""

    def __init__(self, provider: Provider) -> None:
        self._reach = reach_of(provider)

    def post(self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth) -> Reply:
        """Post a form, with the client's authentication."""
        known = {"Accept": "application/json", "Content-Type": headers["Content-Type"]}
        url, sent, body = auth.prepare("POST", url, known, urlencode(data))
        return outbound.send("POST", url, self._reach, sent, str(body).encode())


def _hash(browser: str) -> str:
    return sha256(f"upstream|{browser}".encode("utf-8", "surrogatepass")).hexdigest()
