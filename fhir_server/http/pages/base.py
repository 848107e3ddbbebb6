"""What all pages but those of the sign-in share: blueprint, headers, filters, and the page for an unknown address.

Pages are rendered on the server, work without scripts, and load nothing from other sites; the headers forbid the rest.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import orjson
from flask import Blueprint, Response, current_app, make_response, redirect, url_for
from flask_babel import format_date

from fhir_server.domain.values import Json
from fhir_server.http.pages import language

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
"""The last part says where forms may be sent; some pages add one more address there."""
site = Blueprint(
    "pages", "fhir_server.http", template_folder="templates", static_folder="static", static_url_path="/assets"
)


def lock_down(response: Response) -> Response:
    """Forbid everything that no page uses, and forbid browsers to store a page."""
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Frame-Options"] = "DENY"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


@site.app_template_filter("said")
def _said(text: Mapping[str, str]) -> str:
    """Return a text of the demonstration in the language of the page."""
    return text.get(language.current_language()) or next(iter(text.values()), "")


@site.app_template_filter("long_date")
def _long_date(at: datetime) -> str:
    """Write a day in full, in the language of the page."""
    return str(format_date(at.date(), "full"))


@site.get("/favicon.ico")
def _icon() -> Response:
    return make_response(redirect(url_for("pages.static", filename="habilis.svg")))


def demonstration() -> Json | None:
    """Return the file that the seed wrote, None outside the demonstration."""
    path = Path(current_app.config["DATA_DIR"]) / "demo.json"
    if not current_app.config["DEMO"] or not path.exists():
        return None
    book: Json = orjson.loads(path.read_bytes())
    return book


site.after_request(lock_down)
