"""The only module that uses Flask's globals for the parts of a request that every view needs."""

import re
from uuid import uuid4

from flask import Flask, Response, current_app, g, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Origin

_EXTENSION = "habilis.runtime"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


def argument(name: str) -> str:
    """Return the first value of a parameter of the URL, "" when there is none."""
    sent = request.args
    return sent[name] if name in sent else ""  # noqa: SIM401 - `get` raises inside


def header(name: str) -> str:
    """Return a header, "" when there is none; not for Content-Type and Content-Length, which WSGI keeps elsewhere."""
    value: str = request.environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")
    return value


def install(app: Flask, served: Runtime) -> None:
    """Give an application its runtime, and each request its id."""
    app.extensions[_EXTENSION] = served
    app.before_request(_name_request)
    app.after_request(_echo_request_id)


def runtime() -> Runtime:
    """Return what the running server is made of."""
    served: Runtime = current_app.extensions[_EXTENSION]
    return served


def request_id() -> str:
    """Return the id of this request: the client's X-Request-Id when it is well formed, else a new one."""
    found: str = g.request_id
    return found


def origin() -> Origin:
    """Return where this request came from."""
    return Origin(request.remote_addr or "", request_id())


def _name_request() -> None:
    sent = header("X-Request-Id")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else str(uuid4())


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response
