"""What all pages outside the sign-in share: their blueprint, headers, filters, and the page for what is not there.

Server-rendered, readable without scripts, nothing from elsewhere; each answer forbids all that the page does not use.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, make_response, redirect, url_for
from flask_babel import format_date

from fhir_server.http.pages import language

Json = dict[str, Any]


CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
"""The last part is where forms may lead; some pages name one more place there."""
site = Blueprint(
    "pages", "fhir_server.http", template_folder="templates", static_folder="static", static_url_path="/assets"
)


def lock_down(response: Response) -> Response:
    """Forbid what no page uses, and that one is kept."""
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Frame-Options"] = "DENY"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


@site.app_template_filter("said")
def _said(text: Mapping[str, str]) -> str:
    """Choose the language of a text of the demonstration."""
    return text.get(language.current_language()) or next(iter(text.values()), "")


@site.app_template_filter("long_date")
def _long_date(at: datetime) -> str:
    """Write a day in full, in the language of the page."""
    return str(format_date(at.date(), "full"))


@site.get("/favicon.ico")
def _icon() -> Response:
    return make_response(redirect(url_for("pages.static", filename="habilis.svg")))


def demonstration() -> Json | None:
    """Return what the seed wrote down, None outside the demonstration."""
    path = Path(current_app.config["DATA_DIR"]) / "demo.json"
    if not current_app.config["DEMO"] or not path.exists():
        return None
    book: Json = orjson.loads(path.read_bytes())
    return book


site.after_request(lock_down)
