"""The authorization request: checked completely before a person is asked, and kept out of the browser's reach.

Sources: RFC 6749 4.1.1, RFC 7636, RFC 8707, RFC 9126, RFC 9207, RFC 9700; SMART App Launch 2.2, launch and
authorization; OpenID Connect Core 3.1.2.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from authlib.oauth2.rfc6749 import OAuth2Error

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.application.identity.clients import AuthMethod, Client, find
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.base.issuer import is_strong_enough, issuer_of
from fhir_server.oauth.base.wire import Answer, Context, once
from fhir_server.oauth.granted import details, narrowing
from fhir_server.oauth.granted.launches import find_launch
from fhir_server.oauth.granted.redirects import matches, with_parameters
from fhir_server.oauth.login import regulation, throttle
from fhir_server.ports.vault import Secret
from fhir_server.settings import limits

PAR, PAR_PREFIX = "par", "urn:ietf:params:oauth:request_uri:"
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
_TEXT_LIMIT = 2048
_SCOPE_LIMIT = 16_384
_DESCRIPTION = 500


class BadRequestError(Exception):
    """The request cannot be answered by a redirect, because the client or its redirect URI is not known."""

    def __init__(self, text: str) -> None:
        """Keep the text for the page."""
        super().__init__(text)
        self.text = text


class Refusal(Exception):
    """An error that a redirect reports to the client."""

    def __init__(self, request: "AuthorizationRequest", error: str, description: str = "") -> None:
        """Keep the request and the error code of RFC 6749 4.1.2.1."""
        super().__init__(error)
        self.request, self.error, self.description = request, error, description


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One checked authorization request. details: `authorization_details`; launch, patient: from an EHR launch."""

    client_id: ClientId
    redirect_uri: str
    state: str
    scope: str = ""
    challenge: str = ""
    nonce: str = ""
    prompt: str = ""
    max_age: int | None = None
    acr_values: str = ""
    login_hint: str = ""
    jkt: str = ""
    patient: PatientId = NO_SPACE
    launch: str = ""
    launch_login: str = ""
    context: Json = field(default_factory=dict)
    details: tuple[Json, ...] = ()
    ui_locales: str = ""

    @property
    def is_emergency(self) -> bool:
        """Whether the app asks for an emergency access."""
        return narrowing.BREAK_GLASS in self.scope.split() or bool(details.emergency_of(self.details))


def read(context: Context) -> AuthorizationRequest:
    """Check a request to the authorization endpoint.

    Raises: BadRequestError, which a page shows; Refusal, which a redirect reports.
    """
    received = context.received
    if received.method == "POST" and (not received.is_form or received.query):
        raise BadRequestError("the request must be a form")
    params = _once(received.form if received.method == "POST" else received.query)
    client = _client(context, params)
    pushed = "request_uri" in params
    if pushed:
        params = _pushed(context, client, params["request_uri"])
    return check(context, client, params, pushed=pushed)


def check(context: Context, client: Client, params: Mapping[str, str], *, pushed: bool) -> AuthorizationRequest:
    """Check the parameters of a known client, pushed (RFC 9126) or not.

    Raises: BadRequestError, Refusal.
    """
    redirect_uri = params.get("redirect_uri", "")
    if not matches(client, redirect_uri):
        raise BadRequestError("the redirect URI is not registered for this app")
    bare = AuthorizationRequest(client.id, redirect_uri, params.get("state", ""))
    _check_shape(bare, client, params, pushed=pushed)
    asked = AuthorizationRequest(
        client.id, redirect_uri, params["state"], _scope(params, bare), params["code_challenge"],
        params.get("nonce", ""), params.get("prompt", ""), _max_age(bare, params), _levels(client, params),
        params.get("login_hint", ""), params.get("dpop_jkt", ""), details=_details(bare, params),
        ui_locales=params.get("ui_locales", ""),
    )  # fmt: skip
    _check_emergency(client, asked)
    return _launched(context, client, asked, params)


def _check_emergency(client: Client, asked: AuthorizationRequest) -> None:
    """Refuse an emergency that the app may not ask for, before a person signs in and writes a reason in vain."""
    if not asked.is_emergency:
        return
    levels = {scope.level for scope in narrowing.meet(asked.scope, client.scopes).resources}
    if not Scopes.parse(client.scopes).has(narrowing.BREAK_GLASS) or "patient" not in levels:
        text = f"an emergency needs {narrowing.BREAK_GLASS} in the registration of the app, and patient/ scopes"
        raise Refusal(asked, "invalid_scope", text)


def _once(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    try:
        return once(pairs)
    except OAuth2Error as error:
        raise BadRequestError(str(error.description)) from None


def _client(context: Context, params: Mapping[str, str]) -> Client:
    client = find(context.runtime, ClientId(params.get("client_id", "")))
    if client is None:
        raise BadRequestError("this app is not known here")
    return client


def _pushed(context: Context, client: Client, request_uri: str) -> dict[str, str]:
    if not request_uri.startswith(PAR_PREFIX):
        raise BadRequestError("request_uri is not one of ours")
    now = context.runtime.ports.clock.now()
    entry = context.runtime.ports.vault.take(PAR, request_uri.removeprefix(PAR_PREFIX), now)
    kept: Json = orjson.loads(entry.value) if entry else {}
    if kept.get("client_id") != client.id:
        raise BadRequestError("the pushed request is unknown, used or expired")
    params: dict[str, str] = kept["params"]
    return params


def _check_shape(bare: AuthorizationRequest, client: Client, params: Mapping[str, str], *, pushed: bool) -> None:
    if params.get("response_type") != "code":
        raise Refusal(bare, "unsupported_response_type" if "response_type" in params else "invalid_request")
    if "request" in params:
        raise Refusal(bare, "request_not_supported")
    if client.par_required and not pushed:
        raise Refusal(bare, "invalid_request", "this client must push its requests")
    most = limits.in_force().sign_in_bytes
    if sum(len(name.encode()) + len(value.encode()) for name, value in params.items()) > most:
        raise Refusal(
            replace(bare, state=bare.state[:_TEXT_LIMIT]), "invalid_request", f"the request is longer than {most} bytes"
        )
    texts = (value for name, value in params.items() if name not in {"scope", "authorization_details"})
    if not params.get("state") or any(len(text) > _TEXT_LIMIT for text in texts):
        raise Refusal(bare, "invalid_request", "state is missing or a parameter is too long")
    if params.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(params.get("code_challenge", "")):
        raise Refusal(bare, "invalid_request", "a code_challenge with method S256 is needed")
    if params.get("response_mode", "query") != "query":
        raise Refusal(bare, "invalid_request", "response_mode must be query")
    _check_prompt(bare, params.get("prompt", ""))


def _check_prompt(bare: AuthorizationRequest, prompt: str) -> None:
    wanted = set(prompt.split())
    if wanted - {"none", "login", "consent", "select_account"} or ("none" in wanted and len(wanted) > 1):
        raise Refusal(bare, "invalid_request", "unknown prompt")


def _scope(params: Mapping[str, str], bare: AuthorizationRequest) -> str:
    scope = params.get("scope", "")
    if not scope or len(scope) > _SCOPE_LIMIT or not scope.isascii() or not scope.isprintable():
        raise Refusal(bare, "invalid_scope")
    unread = narrowing.unreadable(scope)
    if unread and not Scopes.parse(scope):
        raise Refusal(bare, "invalid_scope", f"scopes not understood: {' '.join(unread)}"[:_DESCRIPTION])
    return scope


def _max_age(bare: AuthorizationRequest, params: Mapping[str, str]) -> int | None:
    text = params.get("max_age", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
        raise Refusal(bare, "invalid_request", "max_age is a number of seconds")
    return int(text) if text else None


def _levels(client: Client, params: Mapping[str, str]) -> str:
    """Return the acceptable levels of login: the requested ones, if not weaker than the kind of software requires."""
    least = regulation.level_of(client)
    enough = [level for level in params.get("acr_values", "").split() if is_strong_enough(level, least)]
    return " ".join(enough) or least or ""


def _details(bare: AuthorizationRequest, params: Mapping[str, str]) -> tuple[Json, ...]:
    try:
        return details.parse(params.get("authorization_details", ""))
    except ValueError:
        raise Refusal(bare, "invalid_authorization_details") from None


def _launched(
    context: Context, client: Client, asked: AuthorizationRequest, params: Mapping[str, str]
) -> AuthorizationRequest:
    """Check the audience and the launch; an EHR launch determines the patient and the person."""
    audience = params.get("aud") or params.get("resource", "")
    if audience.rstrip("/") != context.runtime.fhir_base:
        error = "invalid_target" if audience and "aud" not in params else "invalid_request"
        raise Refusal(asked, error, f"aud must be {context.runtime.fhir_base}")
    wanted = asked.scope.split()
    if "launch" not in wanted and "launch" not in params:
        return asked
    launch = find_launch(context.runtime, params.get("launch", ""), client)
    if "launch" not in wanted or launch is None:
        raise Refusal(asked, "invalid_request", "the launch is unknown or has expired")
    handle = params["launch"]
    return replace(asked, launch=handle, patient=launch.patient, launch_login=launch.login, context=launch.context)


def refused(context: Context, refusal: Refusal) -> Answer:
    """Redirect the browser to the client with an error, the client's state and our issuer."""
    parameters = {"error": refusal.error}
    if refusal.description:
        parameters["error_description"] = refusal.description
    return send_back(context, refusal.request, parameters)


def send_back(context: Context, asked: AuthorizationRequest, parameters: dict[str, str]) -> Answer:
    """Answer an authorization request by a redirect: 303, unchanged state, always with `iss` (RFC 9207)."""
    if asked.state:
        parameters["state"] = asked.state
    parameters["iss"] = issuer_of(context.runtime)
    where = with_parameters(asked.redirect_uri, parameters)
    return Answer(303, "", {"Location": where, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def push(context: Context, client: Client, params: Mapping[str, str], jkt: str) -> Answer:
    """Keep a pushed authorization request for a minute.

    Raises: OAuth2Error, because there is no browser to redirect.
    """
    kept = {name: value for name, value in params.items() if not name.startswith("client_")} | {"client_id": client.id}
    if "request_uri" in kept or (jkt and kept.get("dpop_jkt", jkt) != jkt):
        raise OAuth2Error(
            "the request must not hold request_uri, and its dpop_jkt must match the DPoP proof", error="invalid_request"
        )
    if jkt:
        kept["dpop_jkt"] = jkt
    try:
        asked = check(context, client, kept, pushed=True)
    except BadRequestError as bad:
        raise OAuth2Error(bad.text, error="invalid_request") from None
    except Refusal as refusal:
        raise OAuth2Error(refusal.description or None, error=refusal.error) from None
    is_public = client.auth_method is AuthMethod.NONE
    if is_public and not throttle.begin(context, emergency=asked.is_emergency) and not asked.is_emergency:
        raise throttle.TooManyFailuresError
    return _keep(context, client, kept)


def _keep(context: Context, client: Client, params: dict[str, str]) -> Answer:
    name = context.runtime.ports.ids.secret()
    lifetime = context.options.code_lifetime
    expires = context.runtime.ports.clock.now() + lifetime
    value = orjson.dumps({"client_id": client.id, "params": params})
    context.runtime.ports.vault.add(Secret(PAR, name, value, expires=expires))
    body = {"request_uri": PAR_PREFIX + name, "expires_in": int(lifetime.total_seconds())}
    return Answer(201, body, {"Cache-Control": "no-store"})
