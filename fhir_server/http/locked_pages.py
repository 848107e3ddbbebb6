"""Headers that every page bears.

Server-rendered, readable without scripts, nothing from elsewhere; each answer forbids all that the page does not use.
"""

from flask import Response

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
"""The last part is where forms may lead; some pages name one more place there."""


def lock_down(response: Response) -> Response:
    """Forbid what no page uses, and that one is kept."""
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Frame-Options"] = "DENY"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response
