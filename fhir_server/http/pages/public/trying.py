"""A page that sends one request to the FHIR endpoint of this server, with a token that somebody types in.

The request is answered in this process, at an address below /fhir and nowhere else, as if it had come alone from the
same computer: it is decided, counted and recorded in the audit log like any other. It has the token and no cookie.
The token stands in the body of the form only; no answer repeats it. Other sites cannot send the form. In the
demonstration the address may name one of its invented people (`as`), whose published token then stands in the form.
Source: docs/adr/0127-examples-name-who-asks.md; https://www.w3.org/TR/fetch-metadata/.
"""

from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import WSGIEnvironment

from flask import Response, abort, current_app, make_response, render_template, request

from fhir_server.http.pages.base import demonstration, site
from fhir_server.http.request_context import FHIR_PATH, TRY_PATH, own_of_request, runtime

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MEDIA_TYPES = (
    "application/fhir+json",
    "application/json-patch+json",
    "application/x-www-form-urlencoded",
    "application/fhir+xml",
)
MOST_SHOWN = 200_000
"""How much of a body is shown, in bytes."""
_TEXTS = ("json", "xml", "text/")
_HEADERS = ("Content-Type", "ETag", "Last-Modified", "Location", "Content-Location", "Retry-After", "WWW-Authenticate")


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as the page shows it. text: the body, None when it is no text. is_cut: whether more follows."""

    status: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    is_cut: bool


@site.get(TRY_PATH)
def try_form() -> Response:
    """Show the empty form."""
    return _page(None)


@site.post(TRY_PATH)
def try_send() -> Response:
    """Send the request of the form, and show its answer below the form."""
    if not is_ours():
        abort(403)
    if request.form.get("method", "") not in METHODS or request.form.get("type", "") not in MEDIA_TYPES:
        abort(400)
    environ = _environ()
    with current_app.app_context(), current_app.request_context(environ):
        answer = current_app.full_dispatch_request()
        shown = _shown(answer)
        answer.close()
    return _page(shown)


def _page(shown: Shown | None) -> Response:
    named = {"methods": METHODS, "types": MEDIA_TYPES, "base": runtime().fhir_base, "token": _token_of_cast()}
    page = make_response(render_template("pages/try.html", shown=shown, **named))
    page.headers["Referrer-Policy"] = "same-origin"  # else a browser would hide from us that the form is ours
    return page


def _token_of_cast() -> str:
    """Return the token of the invented person whom the address names, "" outside the demonstration."""
    demo = demonstration() or {"tokens": {}}
    return str(demo["tokens"].get(request.args.get("as", ""), ""))


def is_ours() -> bool:
    """Tell whether a page of this server sent the form; a program that is no browser sends no such header, and may."""
    told = request.headers.get("Sec-Fetch-Site")
    if told is not None:
        return told == "same-origin"
    where = urlsplit(runtime().fhir_base)
    return request.headers.get("Origin") in (None, f"{where.scheme}://{where.netloc}")


def _environ() -> WSGIEnvironment:
    """Return the environment of the request to send: of the browser's request it has the address alone."""
    path, _, query = request.form.get("path", "").strip().partition("?")
    method, token = request.form["method"], "".join(request.form.get("token", "").split())
    body = request.form.get("body", "").encode() if method in ("POST", "PUT", "PATCH") else b""
    environ = own_of_request()
    environ |= {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(f"{FHIR_PATH}/{path.lstrip('/')}".rstrip("/")).decode("latin-1"),
        "QUERY_STRING": query.encode().decode("latin-1"),
        "HTTP_ACCEPT": "application/fhir+json",
        "CONTENT_TYPE": request.form["type"] if body else "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
    }
    return environ | ({"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {})


def _shown(answer: Response) -> Shown:
    data = bytearray()
    for part in answer.iter_encoded():
        data += part
        if len(data) > MOST_SHOWN:
            break
    is_text = any(kind in answer.content_type for kind in _TEXTS) if answer.content_type else True
    text = bytes(data[:MOST_SHOWN]).decode("utf-8", "replace") if is_text else None
    headers = tuple((name, answer.headers[name]) for name in _HEADERS if name in answer.headers)
    return Shown(answer.status, headers, text, len(data) > MOST_SHOWN)
