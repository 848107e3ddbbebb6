"""The page that a person sees in a browser when a request fails: one table of texts, one template.

The status selects the text, or else the code of the problem: a page reveals no more than the API does.
Source: RFC 9110 15.5 and 15.6; RFC 6585 4 and 5 (429, 431).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template
from flask_babel import lazy_gettext

from fhir_server.http.pages.base import lock_down
from fhir_server.http.request_context import request_id

_FALLBACK, _DEFECT = 400, 500
_KEPT = frozenset({"Accept-Encoding", "Allow", "Retry-After", "WWW-Authenticate"})
"""Headers of a failure that the page sends as well."""


@dataclass(frozen=True, slots=True)
class Text:
    """A title, a sentence about what happened, and what the reader can do; each in the language of the page."""

    title: Any
    happened: Any
    advice: Any


TEXTS: Mapping[int, Text] = {
    400: Text(
        lazy_gettext("This request is not understood"),
        lazy_gettext("Something in the address or in the form is not as it should be."),
        lazy_gettext("Go back, reload the page and try again."),
    ),
    401: Text(
        lazy_gettext("You are not signed in"),
        lazy_gettext("This page is for people who are signed in, or your session has ended."),
        lazy_gettext("Sign in, then open the page again."),
    ),
    403: Text(
        lazy_gettext("This page is not open to you"),
        lazy_gettext("You may not see it, or you may not do what you wanted to do."),
        lazy_gettext("If you think that you should be allowed to, ask whoever runs this server."),
    ),
    404: Text(
        lazy_gettext("There is no such page"),
        lazy_gettext("The address may be wrong, or what was there is not there any more."),
        lazy_gettext("Check the address, or start from the home page."),
    ),
    405: Text(
        lazy_gettext("This page cannot be used in this way"),
        lazy_gettext("The address exists, but it does not take what was sent to it."),
        lazy_gettext("Start from the home page."),
    ),
    408: Text(
        lazy_gettext("Your request did not arrive in time"),
        lazy_gettext("The connection is slow or was interrupted, and the server has stopped waiting."),
        lazy_gettext("Check your connection, then try again."),
    ),
    413: Text(
        lazy_gettext("What you sent is too large"),
        lazy_gettext("The server does not take so much at once. Nothing of it was kept."),
        lazy_gettext("Go back and send less."),
    ),
    414: Text(
        lazy_gettext("This address is too long"),
        lazy_gettext("The server does not read addresses of this length."),
        lazy_gettext("Start from the home page."),
    ),
    415: Text(
        lazy_gettext("This format is not accepted"),
        lazy_gettext("What was sent is in a format that this page does not read. Nothing of it was kept."),
        lazy_gettext("Open the page again and use the form that it shows."),
    ),
    429: Text(
        lazy_gettext("Too many attempts"),
        lazy_gettext("There were too many attempts in a short time, perhaps not all of them yours."),
        lazy_gettext("Wait a quarter of an hour, then try again."),
    ),
    431: Text(
        lazy_gettext("Your browser sends too much along"),
        lazy_gettext(
            "A browser sends cookies and other data with each request. The server does not read as much as this."
        ),
        lazy_gettext("Delete the cookies of this site in your browser, then open the page again."),
    ),
    500: Text(
        lazy_gettext("Something went wrong"),
        lazy_gettext("The server has failed. You did nothing wrong."),
        lazy_gettext("Try again. If it fails again, tell whoever runs this server, and name the number below."),
    ),
    503: Text(
        lazy_gettext("The service cannot answer now"),
        lazy_gettext("It has too much to do, or a part of it does not answer."),
        lazy_gettext("Try again in a moment. If you have sent a form, look first whether it was taken."),
    ),
}
EMERGENCIES_ONLY = Text(
    lazy_gettext("Only emergencies are served now"),
    lazy_gettext(
        "Whoever runs this server has stopped everything but emergency accesses by professionals. Nothing of yours is "
        "lost: what you decided and what you hid stays as it is."
    ),
    lazy_gettext("Come back later."),
)
"""Replaces the text of a 503 during a lockdown to emergencies."""


def page(
    status: int, headers: Iterable[tuple[str, str]] = (), text: Text | None = None, at: datetime | None = None
) -> Response:
    """Render the page of a status. headers: of the failure; those that matter to browsers or proxies are kept.

    text: in place of that of the status. at: when the same request will pass, None when that is not known.
    """
    told = text or TEXTS.get(status) or TEXTS[_FALLBACK if status < _DEFECT else _DEFECT]
    number = request_id() if status == _DEFECT else ""
    response = make_response(
        render_template("pages/error.html", status=status, text=told, number=number, at=at), status
    )
    for name, value in headers:
        if name in _KEPT:
            response.headers[name] = value
    return lock_down(response)
