"""The carers of a patient: who helps, with which documents and until when; inviting one and ending it at once.

Source: rule B13; scenario P2.4 of the needs; docs/adr/0145-relatives-by-invitation.md.
"""

from datetime import date, datetime, time, timedelta

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.consents import relatives
from fhir_server.application.consents.relatives import LONGEST_NAME, Wish
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.documents.filters import classes
from fhir_server.http.pages.family.choices import READING, choices
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import zone
from fhir_server.http.request_context import runtime

_INVITING = f"{READING} patient/Consent.cru patient/RelatedPerson.c"
_INVITED = interaction_of(EventKind.RELATIVE_INVITED)
_LONGEST = timedelta(days=366)
"""The longest time that the page offers: a carer is renewed by an act of the patient."""


@page(Role.PATIENT, "/carers", READING, _INVITED)
def carers(visit: Visit) -> Response:
    """Show the carers and the invitations that wait, and offer to invite somebody."""
    return _shown(visit, {}, 200)


@form(Role.PATIENT, "/carers", _INVITING, _INVITED)
def invite_carer(visit: Visit) -> Response:
    """Name a carer and make the code by which they join; the page shows it until it is used."""
    until = _end_of(request.form.get("until", ""))
    problems = _problems(request.form.get("name", "").strip(), until)
    if problems or until is None:
        return _shown(visit, problems, 422)
    chosen = frozenset(request.form.getlist("class")) & {code for code, _ in classes()}
    wish = Wish(DirectiveKind.CARER, request.form["name"], until, chosen or None)
    relatives.invite(runtime(), visit.caller, visit.patient, wish)
    return back_to(visit.address("carers", _anchor="waiting"))


def _shown(visit: Visit, problems: dict[str, str], status: int) -> Response:
    told = [one for one in choices(visit)[0] if one.kind is DirectiveKind.CARER]
    codes = {one.consent: one for one in relatives.waiting(runtime(), visit.caller, visit.patient)}
    today = runtime().now().astimezone(zone()).date()
    shown = {"carers": told, "codes": codes, "classes": classes(), "problems": problems}
    bounds = {
        "first": today + timedelta(days=1),
        "last": today + _LONGEST,
        "most": runtime().profile.carers_per_patient,
    }
    text = render_template("portal/family/carers.html", visit=visit, **shown, **bounds)
    return make_response(text, status)


def _end_of(day: str) -> datetime | None:
    """Return when a day is over where the pages are read, None for what is no day."""
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
        return datetime.combine(after, time(), zone())
    except (ValueError, OverflowError):
        return None


def _problems(name: str, until: datetime | None) -> dict[str, str]:
    problems = {}
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        problems["name"] = gettext("Type the name of the person.")
    now = runtime().now()
    if until is None or not now < until <= now + _LONGEST + timedelta(days=1):
        problems["until"] = gettext("Choose a last day within the next year.")
    return problems
