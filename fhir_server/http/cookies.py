"""Cookies of the authorization server's pages: how they are named, read and set."""

from datetime import timedelta

from flask import Response, request

from fhir_server.http.request_context import runtime
from fhir_server.oauth.base.issuer import issuer_of

BROWSER_KEPT = timedelta(days=90)
"""How long a browser keeps the cookie that recognises it; this cookie signs nobody in."""
_LIMIT = 128


def is_secure() -> bool:
    """Tell whether the server is reached by https."""
    return issuer_of(runtime()).startswith("https://")


def cookie_name(what: str) -> str:
    """Return a cookie's name: the prefix `__Host-` binds it to this host, and needs https."""
    return f"__Host-{what}" if is_secure() else f"habilis-{what}"


def cookie(what: str) -> str:
    """Return the value of one of our cookies, "" when the value cannot be ours."""
    value = request.cookies.get(cookie_name(what), "")
    return value if value.isascii() and len(value) <= _LIMIT else ""


def set_cookie(response: Response, what: str, value: str) -> None:
    """Set a cookie that scripts cannot read and that other sites cannot send."""
    kept = BROWSER_KEPT if what == "browser" else None
    response.set_cookie(
        cookie_name(what), value, max_age=kept, secure=is_secure(), httponly=True, samesite="Lax", path="/"
    )
