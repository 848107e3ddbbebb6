"""`/transparency`: the ceilings in force and the registered exceptions, a page for people and JSON for programs.

It names roles, numbers and dates, never a person, an establishment or a client.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V12).
"""

from dataclasses import asdict

from flask import Response, jsonify, make_response, render_template, request
from flask_babel import lazy_gettext

from fhir_server.application.core.ceilings import supervising
from fhir_server.domain.supervision import CEILINGS
from fhir_server.domain.values import Json
from fhir_server.http.pages.base import lock_down, site
from fhir_server.http.request_context import runtime

_KINDS = ("application/json", "text/html")
MEANINGS = {
    "spaces_an_hour": lazy_gettext("spaces that one professional newly opens in an hour on their own declaration"),
    "spaces_a_day": lazy_gettext("spaces that one professional newly opens in a day on their own declaration"),
    "spaces_a_day_each": lazy_gettext("the same in a day for an establishment, for each of its professionals"),
    "identities_an_hour": lazy_gettext("patients whom one professional looks up by their number in an hour"),
    "identities_an_hour_each": lazy_gettext("the same for an establishment, for each of its professionals"),
    "emergency_second_factor": lazy_gettext("from this emergency opening on, each one asks for a login of its own"),
    "emergency_officer": lazy_gettext("from this emergency opening on, the data-protection officer is called"),
    "emergency_usual_days": lazy_gettext("emergency openings of an establishment, as a multiple of its usual day"),
    "cards_a_day": lazy_gettext("cards of patients that one professional presents in a day"),
    "deposits_an_hour": lazy_gettext("documents that one professional files in an hour for patients of others"),
    "admissions_a_day_each": lazy_gettext("admissions of an establishment in a day, for each of its professionals"),
    "failed_codes_an_hour": lazy_gettext("wrong codes that one professional tries in an hour"),
    "failed_codes_an_hour_in_all": lazy_gettext("wrong codes that all professionals together try in an hour"),
    "requests_a_second": lazy_gettext("requests of one login in a second"),
    "requests_a_minute": lazy_gettext("requests of one login in a minute"),
    "client_requests_a_minute": lazy_gettext("requests of one app or software in a minute"),
    "doubled": lazy_gettext("factor by which a fresh login raises a professional’s own ceiling for a day"),
    "doublings_a_day": lazy_gettext("how often a professional may raise a ceiling in a day"),
    "breaker_days": lazy_gettext("days with a reached ceiling after which declarations open nothing more"),
    "breaker_contests": lazy_gettext("patients who contest, after whom declarations open nothing more"),
}
"""What each number bounds, in words for everybody."""


@site.get("/transparency")
def transparency() -> Response:
    """Show which ceilings hold for everybody, and for which roles others were registered."""
    usual = {name: most for name, most in asdict(runtime().profile.ceilings).items() if name in CEILINGS}
    listed = _listed()
    if request.accept_mimetypes.best_match(_KINDS) == "text/html":
        return lock_down(
            make_response(render_template("pages/transparency.html", usual=usual, exceptions=listed, meanings=MEANINGS))
        )
    return lock_down(jsonify({"ceilings": usual, "exceptions": listed}))


def _listed() -> list[Json]:
    held = supervising.find(runtime()).exceptions
    dated = [{"role": one.role, "ceilings": dict(one.numbers), "since": one.since.date().isoformat()} for one in held]
    return sorted(dated, key=lambda one: (str(one["since"]), str(one["role"])))
