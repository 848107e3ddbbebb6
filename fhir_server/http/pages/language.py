"""The language of a page, French or English.

`?lang=` wins and is remembered in a cookie that holds nothing else; next the browser's preference; next French.
"""

from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.support import NullTranslations
from flask import Flask, Response, current_app, g, request
from flask_babel import Babel, Domain, get_locale

from fhir_server.catalogues import texts
from fhir_server.http.request_context import after_page, argument

LANGUAGES = ("fr", "en")
COOKIE = "lang"
_YEAR = 365 * 24 * 3600
_KEPT_BYTES = 2000
TIME_ZONE = "TIME_ZONE"
"""Key of the application's configuration: the zoneinfo.ZoneInfo in which pages show times."""


class Catalogue(Domain):  # type: ignore[misc]  # flask-babel ships no types
    """The texts of one set of pages, such as "messages" or "oauth"."""

    def get_translations(self) -> NullTranslations:
        """Return the texts in the language of this request; English texts are their own keys."""
        return texts(str(get_locale()), self.domain[0])


def install(app: Flask) -> None:
    """Make pages bilingual; a second call changes nothing."""
    if "babel" in app.extensions:
        return
    babel = Babel(app, default_locale=LANGUAGES[0], locale_selector=_chosen)
    babel.domain_instance = Catalogue()
    app.jinja_env.globals.update(page_language=current_language, in_language=_address_in)
    app.jinja_env.filters.update(instant=told_instant, day=told_day)
    after_page(app, _remember)


def current_language() -> str:
    """Return the language of this page: "fr" or "en"."""
    locale = get_locale()
    return locale.language if locale and locale.language in LANGUAGES else LANGUAGES[0]


def zone() -> ZoneInfo:
    """Return the time zone in which pages show times."""
    found: ZoneInfo = current_app.config[TIME_ZONE]
    return found


def local(at: datetime) -> datetime:
    """Return an instant in the time zone of pages; an instant that would leave the calendar keeps its own zone."""
    try:
        return at.astimezone(zone())
    except OverflowError:
        return at


def told_instant(at: datetime) -> str:
    """Write an instant in the language and the time zone of the page, to the minute."""
    return str(format_datetime(local(at), "d MMMM y, HH:mm", locale=current_language()))


def told_day(at: datetime) -> str:
    """Write the day of an instant in the language and the time zone of the page."""
    return str(format_date(local(at), "d MMMM y", locale=current_language()))


def ask(locales: str) -> None:
    """Use the first of these languages that pages have, unless the person chose one. locales: BCP 47, by spaces."""
    spoken = (tag.partition("-")[0].lower() for tag in locales.split())
    g.asked_language = next((language for language in spoken if language in LANGUAGES), None)


def _address_in(language: str) -> str:
    """Return the address of this page in another language; other parameters are kept unless they are too long."""
    is_long = len(request.query_string) > _KEPT_BYTES
    kept = [] if is_long else [(n, v) for n, v in request.args.items(multi=True) if n != "lang"]
    return "?" + urlencode([*kept, ("lang", language)])


def _chosen() -> str:
    for wanted in (request.args.get("lang"), request.cookies.get(COOKIE), g.get("asked_language")):
        if wanted in LANGUAGES:
            return str(wanted)
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _remember(response: Response) -> None:
    wanted = argument("lang")
    if wanted in LANGUAGES and response.mimetype == "text/html":
        response.set_cookie(COOKIE, wanted, max_age=_YEAR, httponly=True, samesite="Lax", secure=request.is_secure)
