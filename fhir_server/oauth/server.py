"""The token endpoint: Authlib's grants, held to SMART App Launch 2.2 and RFC 9700.

A server object belongs to one request; grants keep no state between requests.
Sources: RFC 6749, RFC 7636, RFC 9449, OpenID Connect Core 1.0, SMART App Launch 2.2.
"""

import logging
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, ClassVar

from authlib.common.encoding import urlsafe_b64encode
from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc6749 import grants as authlib_grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import RSAKey

from consent_rules.scopes import Scopes
from fhir_server.application.access_tokens import Holder
from fhir_server.application.app_authorization import Grant, find_grant, touch_grant
from fhir_server.application.clients import AuthMethod, find
from fhir_server.oauth import dpop, events, keys, regulation, sessions, throttle, tokens
from fhir_server.oauth.backend import BackendGrant, ExchangeGrant
from fhir_server.oauth.client_authentication import METHODS, Assertions, claimed, guard
from fhir_server.oauth.issuer import issuer_of
from fhir_server.oauth.possession import holder_of
from fhir_server.oauth.records import Code, Refresh, RegisteredClient, find_refresh, query_client
from fhir_server.oauth.wire import NO_STORE, Answer, Context, Request, parameters_of

Json = dict[str, Any]

logging.getLogger("authlib").setLevel(logging.WARNING)
"""Authlib writes every token that it issues into its log of level DEBUG."""


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's server for one request."""

    def __init__(self, context: Context) -> None:
        """Register the grants and the ways of authenticating a client."""
        super().__init__()
        self.context = context
        self.assertions = Assertions(context)
        self.register_client_auth_method("private_key_jwt", self.assertions)
        self.register_grant(CodeGrant, [Pkce(), IdToken(context)])
        self.register_grant(RefreshGrant)
        self.register_grant(BackendGrant)
        self.register_grant(ExchangeGrant)

    def query_client(self, client_id: object) -> RegisteredClient | None:
        """Return a client in use."""
        return query_client(self.context.runtime, client_id)

    def create_oauth2_request(self, request: Request) -> Request:
        """Take a request as it was checked."""
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens: the trail is written where things happen."""

    def handle_response(self, status: int, body: Json | str, headers: list[tuple[str, str]]) -> Answer:
        """Return the framework-free answer."""
        return Answer(status, body, dict(headers) | NO_STORE)

    def handle_error_response(self, request: Request, error: OAuth2Error) -> Answer:
        """Return an error as RFC 6749 5.2 wants it."""
        return error_answer(error, self.context)


def error_answer(error: OAuth2Error, context: Context) -> Answer:
    """Return the JSON answer of an error; a failed client authentication is traced and counted."""
    body = dict(error.get_body())
    headers = dict(NO_STORE)
    status = int(error.status_code or 400)
    if isinstance(error, throttle.TooManyFailuresError):
        headers["Retry-After"] = str(round(context.options.throttle.window.total_seconds()))
    if error.error == InvalidClientError.error:
        status = 401
        if context.received.headers.get("Authorization", "").lower().startswith("basic"):
            headers["WWW-Authenticate"] = 'Basic realm="habilis"'
        name = claimed_client(context)
        throttle.failed(context, "client", name)
        events.client_refused(context, name or "unknown", "invalid_client")
    return Answer(status, body, headers)


def claimed_client(context: Context) -> str:
    """Return the client id that a request claims, for the trail and the throttle; it proves nothing."""
    return claimed(dict(context.received.form), context.received.headers.get("Authorization", ""))


def authenticate(context: Context, params: Mapping[str, str], endpoint: str) -> tuple[Server, Request]:
    """Authenticate the client of an endpoint beside the token endpoint; context.client is set.

    Raises: OAuth2Error.
    """
    throttle.check(context, "client", claimed_client(context))
    guard(params, context.received.headers.get("Authorization", ""))
    server, request = Server(context), Request(context, params)
    request.client = server.authenticate_client(request, METHODS, endpoint)
    context.client = request.client.client
    return server, request


def token(context: Context) -> Answer:
    """Answer a request to the token endpoint."""
    try:
        throttle.check(context, "client", claimed_client(context))
        params = _with_client(context, parameters_of(context.received))
        guard(params, context.received.headers.get("Authorization", ""))
        if "grant_type" not in params:
            raise InvalidRequestError("grant_type is missing")
        request = Request(context, params)
        request.proof_jkt = dpop.thumbprint_of_request(context)
    except OAuth2Error as error:
        return error_answer(error, context)
    answer: Answer = Server(context).create_token_response(request)
    return answer


def _with_client(context: Context, params: dict[str, str]) -> dict[str, str]:
    """Name the client of a public client's refresh token: some real clients leave that to the token."""
    if params.get("grant_type") != "refresh_token" or {"client_id", "client_assertion"} & params.keys():
        return params
    runtime = context.runtime
    found = find_refresh(runtime, params.get("refresh_token", ""), runtime.ports.clock.now())
    client = find(runtime, found.client_id) if found else None
    if client is None or client.auth_method is not AuthMethod.NONE:
        return params
    return params | {"client_id": client.id}


class CodeGrant(authlib_grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib ships no types
    """authorization_code: claimed once, after client, redirect URI and verifier are proven."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_authorization_code(self, code: str, client: RegisteredClient) -> Code | None:
        """Return a code of this client."""
        found = tokens.find_code(self.request.context.runtime, code)
        return found if found and found.client_id == client.client_id else None

    def authenticate_user(self, authorization_code: Code) -> Grant:
        """Claim the code; a public client's refresh tokens are bound to the key that it proves now."""
        self.holder = holder_of(self.request, Holder(authorization_code.jkt))
        is_public = self.request.client.client.auth_method is AuthMethod.NONE
        return tokens.redeem(self.request.context, authorization_code, self.holder if is_public else Holder())

    def generate_token(self, user: Grant, scope: str = "", **_: object) -> Json:
        """Issue the tokens and the launch context."""
        return tokens.respond(self.request.context, user, scope, self.holder, renewable=True)

    def save_token(self, token: Json) -> None:
        """They are stored where they are made."""

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """A used code stays until it expires, so that its replay is seen."""


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


class IdToken(OpenIDCode):  # type: ignore[misc]  # Authlib ships no types
    """id_token: RS256 with the server's key whatever the client says, times from the server's clock."""

    def __init__(self, context: Context) -> None:
        """Bind to one request."""
        super().__init__()
        self.context = context

    def exists_nonce(self, _nonce: str, _request: Request) -> bool:
        """A nonce is the client's affair: it is given back, once per code."""
        return False

    def get_client_algorithm(self, _client: RegisteredClient) -> str:
        """RS256, never what a client asks."""
        return "RS256"

    def get_encode_header(self, _client: RegisteredClient) -> Json:
        """Name the key."""
        return {"alg": "RS256", "kid": self._key.kid, "typ": "JWT"}

    def resolve_client_private_key(self, _client: RegisteredClient) -> RSAKey:
        """Return the key that signs now."""
        return self._key

    def encode_id_token(self, token: Json, request: Request) -> str:
        """Encode with one key from header to signature, whatever a concurrent rotation does."""
        self._key = keys.signing_key(self.context.runtime)
        encoded: str = super().encode_id_token(token, request)
        return encoded

    def get_client_claims(self, client: RegisteredClient) -> Json:
        """Return issuer, audience and times."""
        now = int(self.context.runtime.ports.clock.now().timestamp())
        return {"iss": issuer_of(self.context.runtime), "aud": client.client_id, "iat": now, "exp": now + 3600}

    def generate_user_info(self, user: Grant, scope: str) -> Json:
        """Return who the person is, as far as the scopes tell."""
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


class RefreshGrant(authlib_grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib ships no types
    """refresh_token: rotated at every use, judged again, narrowed but never widened."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
        """Return the token, spent or not."""
        runtime = self.request.context.runtime
        return find_refresh(runtime, refresh_token, runtime.ports.clock.now())

    def _validate_token_scope(self, token: Refresh) -> None:
        """Let the meaning of scopes decide, not their spelling."""
        grant = find_grant(self.request.context.runtime, token.grant_id)
        if grant is None:
            raise InvalidGrantError("the grant has ended")
        asked = self.request.payload.scope
        if asked and not is_within(asked, grant.scopes):
            raise InvalidScopeError("beyond what was granted")

    def authenticate_user(self, refresh_token: Refresh) -> Grant:
        """Spend the token and judge the grant again."""
        context = self.request.context
        known = find_grant(context.runtime, refresh_token.grant_id)
        self.holder = holder_of(self.request, Holder(known.jkt, known.x5t) if known else Holder())
        grant = tokens.spend(context, refresh_token)
        if not sessions.may_continue(context.runtime, grant) or not regulation.still_holds(context.runtime, grant):
            raise InvalidGrantError("the person must log in again")
        return grant

    def issue_token(self, user: Grant, refresh_token: Refresh) -> Json:
        """Issue the next pair; the new refresh token keeps what was granted."""
        asked = self.request.payload.scope
        scopes = str(Scopes.parse(asked)) if asked else ""
        touch_grant(self.request.context.runtime, user)
        return tokens.respond(self.request.context, user, scopes, self.holder, renewable=True)

    def save_token(self, token: Json) -> None:
        """They are stored where they are made."""

    def revoke_old_credential(self, refresh_token: Refresh) -> None:
        """A spent token stays until it expires, so that its reuse is seen."""


def is_within(asked: str, granted: str) -> bool:
    """Tell whether scopes ask for nothing that was not granted; an empty or senseless request is not."""
    wanted = Scopes.parse(asked)
    return bool(str(wanted)) and Scopes.parse(granted).contains(wanted)
