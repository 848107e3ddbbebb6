"""The grant of a code, with PKCE.

Sources: RFC 6749 4.1, RFC 7636, RFC 9449 (a public client's key), SMART App Launch 2.2.
"""

from hashlib import sha256
from hmac import compare_digest
from typing import ClassVar

from authlib.common.encoding import urlsafe_b64encode
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from fhir_server.application.identity.access_tokens import Holder
from fhir_server.application.identity.clients import AuthMethod
from fhir_server.application.identity.grants import Grant
from fhir_server.domain.values import Json
from fhir_server.oauth.granted import tokens
from fhir_server.oauth.granted.records import AuthorizationCode, RegisteredClient
from fhir_server.oauth.resource.possession import holder_of
from fhir_server.oauth.token.client_authentication import METHODS


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib ships no types
    """authorization_code: used once, after client, redirect URI and verifier are proven."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_authorization_code(self, code: str, client: RegisteredClient) -> AuthorizationCode | None:
        """Return a code of this client."""
        found = tokens.find_code(self.request.context.runtime, code)
        return found if found and found.client_id == client.client_id else None

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Grant:
        """Use the code; a public client's refresh tokens are bound to the key that it proves now."""
        self.holder = holder_of(self.request, Holder(authorization_code.jkt))
        is_public = self.request.client.client.auth_method is AuthMethod.NONE
        return tokens.redeem(self.request.context, authorization_code, self.holder if is_public else Holder())

    def generate_token(self, user: Grant, scope: str = "", **_: object) -> Json:
        """Issue the tokens and the launch context."""
        return tokens.respond(self.request.context, user, scope, self.holder, renewable=True)

    def save_token(self, token: Json) -> None:
        """Do nothing: tokens are stored where they are made."""

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Do nothing: a used code stays until it expires, so that a replay is noticed."""


class Pkce(CodeChallenge):  # type: ignore[misc]  # Authlib ships no types
    """PKCE with S256 for every client; the challenge was checked at the authorization endpoint."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar[list[str]] = ["S256"]
    CODE_CHALLENGE_METHODS: ClassVar[Json] = {
        "S256": lambda verifier, challenge: compare_digest(challenge_of(verifier), challenge)
    }


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    return str(urlsafe_b64encode(sha256(verifier.encode()).digest()).decode())
