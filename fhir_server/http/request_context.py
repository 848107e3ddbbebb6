"""What every view needs of its request, and the headers that every answer has.

Only this module uses Flask's globals for it. The headers are added below Flask, where adding them costs least.
"""

import re
from collections.abc import Callable, Iterable
from types import TracebackType
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, current_app, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Origin

_Failure = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

_EXTENSION, _NAMED = "habilis.runtime", "habilis.request_id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_FHIR = "fhir"
_SAFE = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        (
            "Authorization, Content-Type, Accept, DPoP, If-Match, If-None-Match, "
            "If-None-Exist, If-Modified-Since, Prefer, X-Request-Id"
        ),
    ),
    (
        "Access-Control-Expose-Headers",
        "ETag, Location, Content-Location, Last-Modified, X-Request-Id, WWW-Authenticate, DPoP-Nonce",
    ),
    ("Access-Control-Max-Age", "600"),
)
_CORS_NAMES = frozenset(name.lower() for name, _ in _CORS)


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
    app.wsgi_app = _Completed(app.wsgi_app)  # type: ignore[method-assign]  # how Flask wants middleware to be installed


def runtime() -> Runtime:
    """Return what the running server is made of."""
    served: Runtime = current_app.extensions[_EXTENSION]
    return served


def request_id() -> str:
    """Return the id of this request: the client's X-Request-Id when it is well formed, else a new one."""
    found: str = request.environ[_NAMED]
    return found


def origin() -> Origin:
    """Return where this request came from."""
    return Origin(request.remote_addr or "", request_id())


class _Completed:
    """An application of which each request gets an id, and each answer the headers that every answer has."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on; the id is the client's X-Request-Id when it is well formed."""
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        named = environ[_NAMED] = sent if _REQUEST_ID.fullmatch(sent) else str(uuid4())
        is_fhir = environ["PATH_INFO"].lstrip("/").startswith(_FHIR)

        def start(status: str, headers: list[tuple[str, str]], exc_info: _Failure = None) -> Callable[[bytes], object]:
            names = {name.lower() for name, _ in headers}
            added = [("X-Request-Id", named), *(pair for pair in _SAFE if pair[0].lower() not in names)]
            if is_fhir:
                headers = headers if names.isdisjoint(_CORS_NAMES) else _without_cors(headers)
                added += _CORS
            return start_response(status, headers + added, exc_info)

        return self._inner(environ, start)


def _without_cors(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0].lower() not in _CORS_NAMES]
