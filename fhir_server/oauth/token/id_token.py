"""The id_token, and the claims about a person that it shares with userinfo.

Sources: OpenID Connect Core 1.0 (2 and 5.3), SMART App Launch 2.2 (fhirUser).
"""

from authlib.oidc.core import OpenIDCode
from joserfc.jwk import RSAKey

from fhir_server.application.identity.grants import Grant
from fhir_server.domain.values import Json
from fhir_server.oauth.base import keys
from fhir_server.oauth.base.issuer import issuer_of
from fhir_server.oauth.base.wire import Context, Request
from fhir_server.oauth.granted.records import RegisteredClient


class IdToken(OpenIDCode):  # type: ignore[misc]  # Authlib ships no types
    """id_token: always RS256 with the server's key, and times from the server's clock."""

    def __init__(self, context: Context) -> None:
        """Keep the context of one request."""
        super().__init__()
        self.context = context

    def exists_nonce(self, _nonce: str, _request: Request) -> bool:
        """Return False: the client checks its nonce, which each code returns once."""
        return False

    def get_client_algorithm(self, _client: RegisteredClient) -> str:
        """Return RS256, whatever the client asks for."""
        return "RS256"

    def get_encode_header(self, _client: RegisteredClient) -> Json:
        """Return the header with the key's id."""
        return {"alg": "RS256", "kid": self._key.kid, "typ": "JWT"}

    def resolve_client_private_key(self, _client: RegisteredClient) -> RSAKey:
        """Return the key that signs now."""
        return self._key

    def encode_id_token(self, token: Json, request: Request) -> str:
        """Sign with one key from header to signature, even during a concurrent rotation."""
        self._key = keys.signing_key(self.context.runtime)
        encoded: str = super().encode_id_token(token, request)
        return encoded

    def get_client_claims(self, client: RegisteredClient) -> Json:
        """Return issuer, audience and times."""
        now = int(self.context.runtime.ports.clock.now().timestamp())
        return {"iss": issuer_of(self.context.runtime), "aud": client.client_id, "iat": now, "exp": now + 3600}

    def generate_user_info(self, user: Grant, scope: str) -> Json:
        """Return who the person is, as far as the scopes allow."""
        return user_claims(self.context, user, scope)


def user_claims(context: Context, grant: Grant, scope: str) -> Json:
    """Return the claims about a person that id_token and userinfo share."""
    wanted = scope.split()
    claims: Json = {"sub": grant.subject}
    if "fhirUser" in wanted and grant.requester.person:
        claims["fhirUser"] = f"{context.runtime.fhir_base}/{grant.requester.person}"
    if "profile" in wanted:
        claims["name"] = grant.display
    return claims
