"""The token endpoint, and how other endpoints authenticate a client: Authlib's server, one object per request.

The grants are in grant_code.py, grant_refresh.py and grant_backend.py.
Sources: RFC 6749, RFC 9449, SMART App Launch 2.2.
"""

import logging
from collections.abc import Mapping

from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidRequestError,
    OAuth2Error,
)

from fhir_server import telemetry
from fhir_server.application.identity.clients import AuthMethod, find
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.base import events
from fhir_server.oauth.base.bulkhead import RETRY_SECONDS, BusyError
from fhir_server.oauth.base.wire import NO_STORE, Answer, Context, Request, parameters_of
from fhir_server.oauth.granted.records import RegisteredClient, find_refresh, query_client
from fhir_server.oauth.login import throttle
from fhir_server.oauth.resource import dpop
from fhir_server.oauth.token.client_authentication import (
    BAD_ASSERTION,
    METHODS,
    Assertions,
    by_basic,
    claimed,
    guard,
    way_of,
)
from fhir_server.oauth.token.grant_backend import BackendGrant, ExchangeGrant
from fhir_server.oauth.token.grant_code import CodeGrant, Pkce
from fhir_server.oauth.token.grant_refresh import RefreshGrant
from fhir_server.oauth.token.id_token import IdToken

logging.getLogger("authlib").setLevel(logging.WARNING)
"""Authlib logs every token that it issues at level DEBUG."""


class OAuthServer(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's server for one request."""

    def __init__(self, context: Context) -> None:
        """Register the grants and the ways of authenticating a client."""
        super().__init__()
        self.context = context
        self.assertions = Assertions(context)
        self.register_client_auth_method("private_key_jwt", self.assertions)
        self.register_client_auth_method("client_secret_basic", by_basic)
        self.register_grant(CodeGrant, [Pkce(), IdToken(context)])
        self.register_grant(RefreshGrant)
        self.register_grant(BackendGrant)
        self.register_grant(ExchangeGrant)

    def query_client(self, client_id: object) -> RegisteredClient | None:
        """Return a client in use, and note its id for the log; an id that is not registered is never logged."""
        found = query_client(self.context.runtime, client_id)
        if found:
            telemetry.note(client_id=found.client.id)
        return found

    def create_oauth2_request(self, request: Request) -> Request:
        """Return a request that was already checked."""
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing: audit events are recorded where things happen."""

    def handle_response(self, status: int, body: Json | str, headers: list[tuple[str, str]]) -> Answer:
        """Return an answer that is independent of the web framework."""
        return Answer(status, body, dict(headers) | NO_STORE)

    def handle_error_response(self, request: Request, error: OAuth2Error) -> Answer:
        """Return an error in the shape of RFC 6749 5.2."""
        return error_answer(error, self.context)


def error_answer(error: OAuth2Error, context: Context) -> Answer:
    """Return the JSON answer of an error; count a failed client authentication; record the first ones only."""
    headers = dict(NO_STORE)
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if error.error != InvalidClientError.error:
        return Answer(int(error.status_code or 400), dict(error.get_body()), headers)
    name = claimed_client(context)
    try:
        throttle.client_failed(context, name)
    except throttle.TooManyFailuresError as many:
        headers["Retry-After"] = str(round(context.options.throttle.window.total_seconds()))
        return Answer(many.status_code, dict(many.get_body()), headers)
    events.client_refused(context, ClientId(ClientId(ClientId(name or "unknown"))), "invalid_client")
    if context.received.headers.get("Authorization", "").lower().startswith("basic"):
        headers["WWW-Authenticate"] = 'Basic realm="habilis"'
    return Answer(401, dict(error.get_body()) | _registered_way(context, name, error), headers)


def _registered_way(context: Context, name: str, error: OAuth2Error) -> Json:
    """Tell a client that authenticates in a wrong way which way it is registered for."""
    client = find(context.runtime, ClientId(name))
    form, authorization = dict(context.received.form), context.received.headers.get("Authorization", "")
    is_told = str(error.description).startswith(BAD_ASSERTION)
    if client is None or is_told or way_of(form, authorization) is client.auth_method:
        return {}
    return {"error_description": f"this client is registered with the authentication method {client.auth_method}"}


def claimed_client(context: Context) -> str:
    """Return the client id that a request claims, for the audit log and the throttle; the claim proves nothing."""
    return claimed(dict(context.received.form), context.received.headers.get("Authorization", ""))


def authenticate(context: Context, params: Mapping[str, str], endpoint: str) -> tuple[OAuthServer, Request]:
    """Authenticate the client of another endpoint than the token endpoint; sets context.client.

    Raises: OAuth2Error.
    """
    guard(params, context.received.headers.get("Authorization", ""))
    server, request = OAuthServer(context), Request(context, params)
    request.client = server.authenticate_client(request, METHODS, endpoint)
    context.client = request.client.client
    return server, request


def token(context: Context) -> Answer:
    """Answer a request to the token endpoint."""
    try:
        params = _with_client(context, parameters_of(context.received))
        guard(params, context.received.headers.get("Authorization", ""))
        if "grant_type" not in params:
            raise InvalidRequestError("grant_type is missing")
        request = Request(context, params)
        request.proof_jkt = dpop.thumbprint_of_request(context)
    except OAuth2Error as error:
        return error_answer(error, context)
    answer: Answer = OAuthServer(context).create_token_response(request)
    return answer


def _with_client(context: Context, params: dict[str, str]) -> dict[str, str]:
    """Add the client id to a public client's refresh request: some real clients omit it."""
    if params.get("grant_type") != "refresh_token" or {"client_id", "client_assertion"} & params.keys():
        return params
    runtime = context.runtime
    found = find_refresh(runtime, params.get("refresh_token", ""), runtime.ports.clock.now())
    client = find(runtime, found.client_id) if found else None
    if client is None or client.auth_method is not AuthMethod.NONE:
        return params
    return params | {"client_id": client.id}
