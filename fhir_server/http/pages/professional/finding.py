"""Finding a patient by the national health number, and entering by a code that the patient shows.

Number and code are sent in the body of a form alone: addresses are logged and kept.
Source: rules C1, C4 and I8; docs/evidence.md; docs/adr/0139-the-professionals-desk.md.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, make_response, render_template, request
from flask_babel import lazy_gettext

from fhir_server.application.consents import invitations
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS, names_patient
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.request_context import runtime

_LOOKING = AuditedInteraction(Interaction.SEARCH, "Patient")
_REDEEMING = interaction_of(EventKind.INVITATION_REDEEMED)
BETWEEN_GROUPS = {ord(mark): None for mark in " .-\t\u00a0\u202f"}
"""What people write between the groups of a number, for `str.translate`."""
_NO_NUMBER = lazy_gettext("“Number”: give the 13 or 15 characters of the national health number.")
_NOBODY = lazy_gettext("“Number”: no open space has this number. Check it with the patient.")
_NO_USE = lazy_gettext("“Code”: it cannot be used. It is wrong, was used, has expired, or is for somebody else.")


@page(Role.PROFESSIONAL, "/patients", "", _LOOKING)
def find_patient(visit: DeskVisit) -> Response:
    """Show how a patient is found: by number, or by a code."""
    return _shown(visit, {})


@form(Role.PROFESSIONAL, "/patients", "user/Patient.rs", _LOOKING)
def look_up(visit: DeskVisit) -> Response:
    """Look a patient up by their number; who is not found, and whose space is not open, get one answer."""
    number = request.form.get("number", "").upper().translate(BETWEEN_GROUPS)
    if not names_patient(number):
        return _shown(visit, {"number": _NO_NUMBER})
    id_ = patient_of(visit.caller, number)
    if id_ is None:
        return _shown(visit, {"number": _NOBODY})
    return back_to(visit.desk("care_overview", patient=id_))


@form(Role.PROFESSIONAL, "/code", "user/Consent.c", _REDEEMING)
def redeem_code(visit: DeskVisit) -> Response:
    """Enter the space of a patient by the code that they show."""
    try:
        entrance = invitations.redeem(runtime(), visit.caller, request.form.get("code", ""))
    except Problem as problem:
        if problem.category is not Category.BUSINESS_RULE:
            raise
        return _shown(visit, {"code": _NO_USE})
    return back_to(visit.desk("care_overview", patient=entrance.patient, done="entered"))


@page(Role.PROFESSIONAL, "/code", "", _REDEEMING)
def code_form(visit: DeskVisit) -> Response:
    """Show the form for a code, as the page of patients does."""
    return _shown(visit, {})


def patient_of(caller: Caller, number: str) -> str | None:
    """Return the id of the patient whom a national number names, None for nobody; each search is counted."""
    for system in _systems():
        found = find(caller, "Patient", [("identifier", f"{system}|{number}")], by_form=True).resources
        if found:
            return str(found[0]["id"])
    return None


def _systems() -> tuple[str, ...]:
    """Return the code systems of national numbers in the order in which they are tried: here, test numbers first."""
    return tuple(reversed(INS_SYSTEMS)) if current_app.config["DEMO"] else INS_SYSTEMS


def _shown(visit: DeskVisit, problems: Mapping[str, Any]) -> Response:
    told = {"visit": visit, "problems_found": problems, "regulates": visit.session.account.regulator}
    return make_response(render_template("portal/professional/find.html", **told), 422 if problems else 200)
