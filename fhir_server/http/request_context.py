"""What every view needs of its request; the line in the log and the headers that every answer has.

Only this module uses Flask's globals for it. The headers are added below Flask, where adding them costs least.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from time import perf_counter
from types import TracebackType
from typing import Any
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Request, Response, current_app, request

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Origin
from fhir_server.domain.directory.patient_numbers import names_patient
from fhir_server.http.arrivals import REFUSED
from fhir_server.http.proxies import CERTIFICATE
from fhir_server.oauth.base.options import Options

_Failure = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

FHIR_PATH = "/fhir"
TRY_PATH = "/api/try"
"""The page that sends one request to the FHIR endpoint."""
OPTIONS_EXTENSION = "habilis.oauth.options"
_EXTENSION, _OF_PAGES, _OBSERVERS = "habilis.runtime", "habilis.pages", "habilis.observers"
_NAMED, _BEGAN = "habilis.request_id", "habilis.began"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_REPEATABLE = re.compile(r"[\x21-\x7e]{1,200}")
_BETWEEN = re.compile(r"[._\-]")
_OF_SERVER = ("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "REMOTE_ADDR", "HTTP_HOST", _NAMED, _BEGAN)
_PROBES = frozenset({"/status", "/health/live", "/health/ready"})
_LEAST_FAILURE = 400
_SAFE = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        (
            "Authorization, Content-Type, Accept, DPoP, If-Match, If-None-Match, "
            "If-None-Exist, If-Modified-Since, Prefer, X-Request-Id, X-Correlation-Id"
        ),
    ),
    (
        "Access-Control-Expose-Headers",
        (
            "ETag, Location, Content-Location, Last-Modified, X-Request-Id, X-Correlation-Id, "
            "WWW-Authenticate, DPoP-Nonce"
        ),
    ),
    ("Access-Control-Max-Age", "600"),
)
_CORS_NAMES = frozenset(name.lower() for name, _ in _CORS)


Observer = Callable[[str | None, int, float], None]
"""Takes the endpoint of an answered request (None for none), its status, and how many seconds it took."""


class InMemory(Request):
    """A request whose files stay in memory: a patient's document must not lie unsealed in a temporary file."""

    def _get_file_stream(self, *_sizes: object, **_names: object) -> BytesIO:
        """Return where a file of a form is kept; Werkzeug asks for it, and the limits of a request bound it."""
        return BytesIO()


class Server(Flask):
    """A Flask whose views are all plain functions, so that it need not inspect the view at each request."""

    request_class = InMemory

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view unchanged, because no view is a coroutine function."""
        return func


def is_of_fhir(path: str) -> bool:
    """Tell whether the FHIR endpoint answers a path; slashes at its beginning count as one."""
    return f"/{path.lstrip('/')}/".startswith(f"{FHIR_PATH}/")


def argument(name: str) -> str:
    """Return the first value of a parameter of the URL, "" when there is none."""
    sent = request.args
    return sent[name] if name in sent else ""  # noqa: SIM401 - `get` raises inside


def header(name: str) -> str:
    """Return a header, "" when there is none; not for Content-Type and Content-Length, which WSGI keeps elsewhere."""
    value: str = request.environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")
    return value


def client_certificate() -> str:
    """Return the thumbprint of this request's client certificate, "" when no trusted proxy sent one."""
    return str(request.environ.get(CERTIFICATE, ""))


def install(app: Flask, served: Runtime) -> None:
    """Give an application its runtime, and each request its id and its line in the log."""
    app.extensions[_EXTENSION] = served
    app.extensions[_OF_PAGES] = []
    observers: list[Observer] = []
    app.extensions[_OBSERVERS] = observers
    app.before_request(_begin)
    app.after_request(partial(_finish, observers))
    app.wsgi_app = _Completed(app.wsgi_app)  # type: ignore[method-assign]  # how Flask wants middleware to be installed


def after_page(app: Flask, finish: Callable[[Response], None]) -> None:
    """Call a function with each answer that does not come from the FHIR endpoint."""
    app.extensions[_OF_PAGES].append(finish)


def after_each(app: Flask, observer: Observer) -> None:
    """Tell a function of each answer."""
    app.extensions[_OBSERVERS].append(observer)


def runtime() -> Runtime:
    """Return what the running server is made of."""
    served: Runtime = current_app.extensions[_EXTENSION]
    return served


def options() -> Options:
    """Return the settings of the authorization server."""
    found: Options = current_app.extensions[OPTIONS_EXTENSION]
    return found


def request_id() -> str:
    """Return the id of this request: the client's X-Request-Id when it is well formed, else a new one."""
    found: str = request.environ[_NAMED]
    return found


def own_of_request() -> WSGIEnvironment:
    """Return what a further request of the same client has in common with this one: no header but the host's name."""
    return {name: v for name, v in request.environ.items() if name in _OF_SERVER or name.startswith("wsgi.")}


def origin() -> Origin:
    """Return where this request came from."""
    return Origin(request.remote_addr or "", request_id())


def _begin() -> Response | None:
    """Answer a preflight, and refuse what the front of the application did not let in."""
    environ = request.environ
    if environ["REQUEST_METHOD"].upper() == "OPTIONS" and is_of_fhir(request.path):
        response = Response(status=204)
        del response.headers["Content-Type"]
        if request.url_rule is not None:
            response.headers["Allow"] = ", ".join(sorted(_allowed()))
        return response
    if REFUSED in environ:
        raise environ[REFUSED]
    return None


def _allowed() -> set[str]:
    """Return the methods of the routes of this path."""
    adapter = current_app.create_url_adapter(request)
    return set(adapter.allowed_methods() if adapter else ()) | {"OPTIONS"}


def _finish(observers: list[Observer], response: Response) -> Response:
    environ, path, rule, status = request.environ, request.path, request.url_rule, response.status_code
    seconds = perf_counter() - environ[_BEGAN]
    if not is_of_fhir(path):
        for finish in current_app.extensions[_OF_PAGES]:
            finish(response)
    for observe in observers:
        observe(rule.endpoint if rule else None, status, seconds)
    if not path.startswith("/static/") and (path not in _PROBES or status >= _LEAST_FAILURE):
        telemetry.request_line(
            request_id=environ[_NAMED],
            method=environ["REQUEST_METHOD"].upper(),
            route=rule.rule if rule else "",
            status=status,
            duration_ms=round(seconds * 1000, 1),
        )
    return response


class _Completed:
    """An application of which each request gets an id, and each answer the headers that every answer has."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on; the id is the client's X-Request-Id when it may stand in a log."""
        telemetry.begin()
        environ[_BEGAN] = perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        named = environ[_NAMED] = sent if sent and _may_be_logged(sent) else str(uuid4())
        is_fhir = is_of_fhir(environ["PATH_INFO"])
        correlated = _correlated(sent if sent not in ("", named) else environ.get("HTTP_X_CORRELATION_ID", ""))

        def start(status: str, headers: list[tuple[str, str]], exc_info: _Failure = None) -> Callable[[bytes], object]:
            names = {name.lower() for name, _ in headers}
            added = [("X-Request-Id", named), *correlated, *(pair for pair in _SAFE if pair[0].lower() not in names)]
            if is_fhir:
                headers = headers if names.isdisjoint(_CORS_NAMES) else _without_cors(headers)
                added += _CORS
            return start_response(status, headers + added, exc_info)

        return self._inner(environ, start)


def _correlated(sent: str) -> list[tuple[str, str]]:
    """Return `X-Correlation-Id` with the id that the client sent; none if it names a patient or breaks a header.

    Source: https://hl7.org/fhir/R4/http.html#custom. The id is not logged.
    """
    return [("X-Correlation-Id", sent)] if _REPEATABLE.fullmatch(sent) and not names_patient(sent) else []


def _may_be_logged(sent: str) -> bool:
    """Tell whether a request id is well formed and holds no national patient number."""
    parts = (sent, *_BETWEEN.split(sent))
    return bool(_REQUEST_ID.fullmatch(sent)) and not any(names_patient(part) for part in parts)


def _without_cors(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0].lower() not in _CORS_NAMES]
