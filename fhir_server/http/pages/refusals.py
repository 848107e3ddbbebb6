"""Refusals that a person can do something about, in words: a ceiling, a sign-in that is too old, a missing ground.

The code of a problem selects the text. The API gives the same code, so a page tells no more than the API.
Source: docs/evidence.md; RFC 9470 (step-up), RFC 6585 4 (429).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from flask_babel import lazy_gettext

from fhir_server.domain.problem import Category, Problem
from fhir_server.http.pages.error_pages import Text

_CEILING = "ceiling-"
_LATER = lazy_gettext("You can do this again at the time below. Emergencies are never stopped by a limit.")
_OF_CEILINGS: Mapping[str, Text] = {
    "spaces": Text(
        lazy_gettext("You have opened many new spaces on your own word"),
        lazy_gettext("Nobody but you has said that these patients agreed. There is a limit to how many you may open."),
        _LATER,
    ),
    "identities": Text(
        lazy_gettext("You have looked many people up"),
        lazy_gettext("There is a limit to how many people somebody may look up in an hour."),
        _LATER,
    ),
    "deposits": Text(
        lazy_gettext("You have filed many documents outside your own care"),
        lazy_gettext("There is a limit to how many documents somebody may file in an hour for patients of others."),
        _LATER,
    ),
    "failed": Text(
        lazy_gettext("Too many codes were wrong"),
        lazy_gettext("Every code of yours is refused for a while, the right ones too."),
        _LATER,
    ),
}
"""By the first word of the ceiling."""
_OF_CODES: Mapping[str, Text] = {
    "insufficient_user_authentication": Text(
        lazy_gettext("Please sign in once more"),
        lazy_gettext("For this you need a new sign-in with a second factor. Nothing has been done so far."),
        lazy_gettext("Sign in now: you come back to this page. Then do again what you wanted to do."),
    ),
    "declared-word-suspended": Text(
        lazy_gettext("Your word opens no new space at present"),
        lazy_gettext(
            "What you declare does not open another space until the data-protection officer has decided. The "
            "agreement of the patient, a code, an admission and an emergency still do."
        ),
        lazy_gettext("Ask the data-protection officer, or ask the patient for a code."),
    ),
    "emergency-ended": Text(
        lazy_gettext("No emergency access is open here"),
        lazy_gettext("It has ended, or you have ended it. Nothing of this space is shown on this page any more."),
        lazy_gettext("If the emergency goes on, declare it again from the page of your patients."),
    ),
}


def text_of(problem: Problem) -> Text | None:
    """Return the text for a problem that has one of its own, None for all others."""
    code = next((issue.code for issue in problem.issues if issue.code), "")
    if problem.category is Category.TOO_MANY:
        return _OF_CEILINGS.get(code.removeprefix(_CEILING).partition("-")[0])
    return _OF_CODES.get(code)


def passes_at(problem: Problem, now: datetime) -> datetime | None:
    """Return when the same request will pass, None when nobody knows or it passes already."""
    return now + timedelta(seconds=problem.retry_after) if problem.retry_after else None
