"""Headers that every page bears, and the page for an address where there is none.

Server-rendered, readable without scripts, nothing from elsewhere; each answer forbids all that the page does not use.
"""

from flask import Response, make_response, render_template
from werkzeug.exceptions import HTTPException

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MISSING = frozenset({404, 405})
"""Statuses of an address that has no page, and of a page that does not take what is sent."""


def lock_down(response: Response) -> Response:
    """Forbid what no page uses, and that one is kept."""
    response.headers["Content-Security-Policy"] = CSP
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


def missing(error: HTTPException) -> Response:
    """Say in the language of the browser that there is no such page, with a link home; `Allow` is kept of a 405."""
    response = make_response(render_template("pages/missing.html", status=error.code), error.code or 404)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return lock_down(response)
