"""The authorization server's machine endpoints: plain routes, whose errors have the shape of RFC 6749.

Sources: RFC 6749, RFC 7009, RFC 7662, RFC 9126; SMART App Launch 2.2 (CORS).
"""

from http import HTTPStatus

import orjson
from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException

from fhir_server import telemetry
from fhir_server.application.identity.clients import works_from
from fhir_server.deadline import OutOfTime
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import ClientId
from fhir_server.http.cookies import cookie
from fhir_server.http.fhir import outcomes
from fhir_server.http.oauth import forms
from fhir_server.http.request_context import OPTIONS_EXTENSION, client_certificate, options, request_id, runtime
from fhir_server.oauth.base import issuer, keys
from fhir_server.oauth.base.options import Options
from fhir_server.oauth.base.wire import Answer, Context, Received
from fhir_server.oauth.token import client_endpoints, registration, token_endpoint
from fhir_server.ports.store import StoreUnavailable
from fhir_server.settings import limits

_oauth = Blueprint("oauth", __name__, url_prefix="/oauth")
_oauth.before_request(forms.bound_machine_request)
_TOO_MUCH = {
    400: "a request has 64 parameters at most",
    413: "the body is longer than {} bytes",
    414: "the query is longer than {} bytes",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP, If-Match, If-None-Match, If-None-Exist, Prefer",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "ETag, Location, Last-Modified, WWW-Authenticate, DPoP-Nonce"


def register(app: Flask) -> None:
    """Register the endpoints; `app.extensions["habilis.oauth.options"]` may hold other Options."""
    app.extensions.setdefault(OPTIONS_EXTENSION, Options())
    app.register_blueprint(_oauth)


def context() -> Context:
    """Return this request as the authorization server reads it; our own addresses come from configuration."""
    received = Received(
        method=request.method,
        url=f"{issuer.issuer_of(runtime())}{request.path}",
        query=tuple(request.args.items(multi=True)),
        form=tuple(request.form.items(multi=True)),
        headers=request.headers,
        is_form=request.mimetype == forms.FORM,
        address=request.remote_addr or "",
        request_id=request_id(),
        certificate=client_certificate(),
        browser=cookie("browser"),
    )
    return Context(runtime(), options(), received)


def respond(answer: Answer) -> Response:
    """Return an answer of the authorization server as a Flask response."""
    if isinstance(answer.body, dict):
        return Response(orjson.dumps(answer.body), answer.status, answer.headers, mimetype="application/json")
    return Response(answer.body, answer.status, answer.headers)


@_oauth.post("/token")
def token() -> Response:
    """Exchange a code, a refresh token, an assertion or another token for an access token."""
    return respond(token_endpoint.token(context()))


@_oauth.post("/par")
def push() -> Response:
    """Take a pushed authorization request, directly from the client (RFC 9126)."""
    return respond(client_endpoints.push(context()))


@_oauth.post("/introspect")
def introspect() -> Response:
    """Tell an allowed client about a token."""
    return respond(client_endpoints.introspect(context()))


@_oauth.post("/revoke")
def revoke() -> Response:
    """End a token or a grant."""
    return respond(client_endpoints.revoke(context()))


@_oauth.post("/launch")
def launch() -> Response:
    """Make an EHR launch handle."""
    return respond(client_endpoints.launch(context()))


@_oauth.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Tell who logged in."""
    return respond(client_endpoints.userinfo(context()))


@_oauth.get("/jwks")
def jwks() -> Response:
    """Publish the keys that sign id_tokens."""
    response = respond(Answer(200, keys.public_keys(runtime())))
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@_oauth.post("/register")
def register_client() -> Response:
    """Register a client, when the operator allows it."""
    return respond(registration.register(context(), request.get_data(cache=False)))


@_oauth.route("/register/<client_id>", methods=["GET", "PUT", "DELETE"])
def manage_client(client_id: ClientId) -> Response:
    """Read, replace or remove a registration with its own token."""
    return respond(registration.manage(context(), client_id, request.get_data(cache=False)))


@_oauth.after_request
def allow_origin(response: Response) -> Response:
    """Let browser apps at registered origins read the answer, without cookies; not at the authorization endpoint."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    origin = request.headers.get("Origin", "")
    if origin and "Access-Control-Allow-Origin" not in response.headers:
        response.headers.add("Vary", "Origin")
        if works_from(runtime(), origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                response.headers.update(_PREFLIGHT)
    return response


@_oauth.errorhandler(StoreUnavailable)
@_oauth.errorhandler(OutOfTime)
def unavailable(_error: Exception) -> Response:
    """Answer that nothing was issued, because it could not be stored or recorded in the audit log."""
    telemetry.alarm("store_unavailable")
    return respond(Answer(503, {"error": "temporarily_unavailable"}, {"Cache-Control": "no-store", "Retry-After": "1"}))


@_oauth.errorhandler(HTTPException)
def framework(error: HTTPException) -> Response:
    """Answer an error of the framework in JSON."""
    body = {"error": "temporarily_unavailable" if error.code == HTTPStatus.SERVICE_UNAVAILABLE else "invalid_request"}
    if error.code in _TOO_MUCH:
        body["error_description"] = _TOO_MUCH[error.code].format(limits.in_force().form_bytes)
    response = respond(Answer(error.code or 400, body, {"Cache-Control": "no-store"}))
    for name, value in error.get_headers():
        if name in ("Allow", "Accept-Encoding", "Retry-After"):
            response.headers[name] = value
    return response


@_oauth.errorhandler(Exception)
def defect(error: Exception) -> Response:
    """Answer a defect of the server as an OAuth error; the log gets the class of the error and the request id."""
    if isinstance(error, Problem):
        return outcomes.answer(error)
    telemetry.alarm("defect", error)
    return respond(Answer(500, {"error": "server_error"}, {"Cache-Control": "no-store"}))
