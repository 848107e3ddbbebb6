"""Clients, codes and refresh tokens in the shape that Authlib's grants expect."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oidc.core import AuthorizationCodeMixin

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.access_tokens import TOKEN_LIMIT
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind, find
from fhir_server.application.identity.grants import Grant, load_granted
from fhir_server.domain.values import ClientId, GrantId
from fhir_server.oauth.base.issuer import TOKEN_EXCHANGE
from fhir_server.oauth.granted.redirects import matches
from fhir_server.ports.vault import Secret

CODE, REFRESH = "code", "refresh-token"


class RegisteredClient(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """A registered client."""

    def __init__(self, client: Client) -> None:
        """Wrap what the vault holds."""
        self.client = client
        self.client_id = client.id

    def get_client_id(self) -> str:
        """Return the id."""
        return self.client.id

    def get_default_redirect_uri(self) -> None:
        """Return None: SMART clients always state their redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Accept every scope, because it was limited when it was granted."""
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether exactly this redirect URI is registered."""
        return matches(self.client, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Tell whether this is the secret, in constant time."""
        return self.client.has_secret(client_secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Allow the registered method and no other."""
        return self.client.auth_method == method

    def check_response_type(self, response_type: str) -> bool:
        """Allow `code` to clients with a redirect URI."""
        return response_type == "code" and bool(self.client.redirect_uris)

    def check_grant_type(self, grant_type: str) -> bool:
        """Allow the grant types of this kind of client."""
        return grant_type in grant_types_of(self.client)


def grant_types_of(client: Client) -> tuple[str, ...]:
    """Return the grant types that a client may use; clients with a secret never act without a person."""
    if client.kind in {ClientKind.BACKEND, ClientKind.RESOURCE_SERVER}:
        with_key = client.auth_method is AuthMethod.PRIVATE_KEY_JWT
        return ("client_credentials", TOKEN_EXCHANGE) if with_key else ()
    return ("authorization_code", "refresh_token") if client.redirect_uris else ()


def query_client(runtime: Runtime, client_id: object) -> RegisteredClient | None:
    """Return a client in use by its id."""
    client = find(runtime, ClientId(client_id)) if isinstance(client_id, str) else None
    return RegisteredClient(client) if client else None


@dataclass(frozen=True, slots=True)
class AuthorizationCode(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib ships no types
    """One authorization code. grant: as this authorization sees it. entry: as the vault stores it."""

    code: str
    client_id: ClientId
    redirect_uri: str
    code_challenge: str
    grant: Grant
    nonce: str = ""
    jkt: str = ""
    used: bool = False
    entry: Secret | None = None
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        """Return the redirect URI to which the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scopes."""
        return self.grant.scopes

    def get_nonce(self) -> str:
        """Return the nonce that goes into the id_token."""
        return self.nonce

    def get_auth_time(self) -> int | None:
        """Return when the person logged in."""
        at = self.grant.proof.at
        return int(at.timestamp()) if at else None

    def get_acr(self) -> str:
        """Return the level of the login."""
        return self.grant.proof.acr

    def get_amr(self) -> list[str]:
        """Return the means of the login."""
        return list(self.grant.proof.amr)


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh token of a rotating family.

    view: the grant as this authorization sees it, None for data of an earlier version.
    """

    token: str
    grant_id: GrantId
    client_id: ClientId
    spent: bool
    entry: Secret
    view: Grant | None = None

    def check_client(self, client: RegisteredClient) -> bool:
        """Tell whether the token was given to this client."""
        return self.client_id == client.client_id


class _StoredRefresh(msgspec.Struct):
    grant_id: GrantId
    client_id: ClientId
    spent: bool
    grant: Grant | None = None


_REFRESHES = msgspec.json.Decoder(_StoredRefresh)


def find_refresh(runtime: Runtime, token: str, now: datetime) -> Refresh | None:
    """Return a refresh token, also a spent one."""
    is_possible = 0 < len(token) <= TOKEN_LIMIT and token.isascii()
    entry = runtime.ports.vault.get(REFRESH, token, now) if is_possible else None
    if entry is None:
        return None
    kept = load_granted(entry.value, _REFRESHES)
    return Refresh(token, kept.grant_id, kept.client_id, kept.spent, entry, kept.grant)
