"""The only module that touches Flask's globals for the parts of a request that every view needs."""

import re
from uuid import uuid4

from flask import Flask, Response, current_app, g, request

from fhir_server.application.enforcement import demand_served
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.http import asked
from fhir_server.http.arguments import header
from fhir_server.http.proxies import client_certificate
from fhir_server.oauth.bearer import caller_of
from fhir_server.oauth.dpop import Proof

_EXTENSION = "habilis.runtime"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


def install(app: Flask, served: Runtime) -> None:
    """Give an application its runtime, and every request its id."""
    app.extensions[_EXTENSION] = served
    app.before_request(_name_request)
    app.after_request(_echo_request_id)


def runtime() -> Runtime:
    """Return what the running server is made of."""
    served: Runtime = current_app.extensions[_EXTENSION]
    return served


def request_id() -> str:
    """Return the id of this request: the client's X-Request-Id when it is well formed, else one of ours."""
    found: str = g.request_id
    return found


def current_caller() -> Caller:
    """Return the authenticated party of this request, looked up live.

    Raises: Problem(UNAUTHENTICATED) without a valid access token; MALFORMED for one that is sent in two ways;
    UNAVAILABLE while only emergencies are let through and this is none, whatever the request asks.
    """
    if "caller" not in g:
        authorization, proof = header("Authorization"), _proof()
        if authorization and ("access_token" in request.args or _posts_token()):
            text = "send the access token in the Authorization header only"
            raise Problem.of(Category.MALFORMED, text, code="invalid_request")
        address = request.remote_addr or ""
        found = caller_of(runtime(), authorization, address, request_id(), proof, client_certificate())
        demand_served(runtime(), found, asked.patient(found), asked.deed())
        g.caller = found
    caller: Caller = g.caller
    return caller


def _posts_token() -> bool:
    """Tell whether a token is sent in a form; without a media type a body is none."""
    return bool(request.environ.get("CONTENT_TYPE")) and "access_token" in request.form


def _proof() -> Proof | None:
    sent = header("DPoP")
    return Proof(sent, request.method, _public_url()) if sent else None


def _public_url() -> str:
    """Return the address that the client called, as it knows it: a proxy may stand in between."""
    return runtime().fhir_base.removesuffix("/fhir") + request.path


def _name_request() -> None:
    sent = header("X-Request-Id")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else str(uuid4())


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response
