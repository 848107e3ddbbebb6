"""Breaking the glass and regulation at the desk: declared with a reason, short, and ended early by a button.

The command is that of an app. Reading then needs no consent, only what the emergency permits (rules G1 to G9).
Source: L.1111-17 I and R.1111-48 of the French public health code; docs/adr/0140-emergencies-on-pages.md.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.vocabulary import PatientId, Purpose
from fhir_server.application.identity.access_tokens import EMERGENCY_LIFETIME
from fhir_server.application.reading.read import NOBODY
from fhir_server.application.spaces import break_glass
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.directory.patient_numbers import names_patient
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.frame import desks
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.professional.finding import BETWEEN_GROUPS
from fhir_server.http.request_context import runtime
from fhir_server.oauth.authorize.conversation import REASONS, patient_of_number
from fhir_server.oauth.resource import bearer

_OPENING = AuditedInteraction(Interaction.OPERATION, "Patient", operation="break-glass")
_NO_PERSON = lazy_gettext("“Number”: give the 13 or 15 characters of the national health number.")
_NO_REASON = lazy_gettext("“Reason”: choose one.")
_NO_WORDS = lazy_gettext("“In a few words”: say why, in at most 500 characters.")
_UNCONFIRMED = lazy_gettext("“I declare”: confirm it, or do not open the space.")
_NOT_OPEN = lazy_gettext("This space does not open in an emergency, or there is none. Nothing of it is shown.")
_LONGEST = 500


@page(Role.OPENING, "", "", _OPENING)
def declare_emergency(visit: DeskVisit) -> Response:
    """Show the declaration of an emergency; a sign-in that is too old or too weak is asked for first."""
    bearer.demand_in_emergency(visit.caller, visit.caller.purpose, runtime().now())
    return _shown(visit, {})


@form(Role.OPENING, "", "user/DocumentReference.rs", _OPENING)
def open_emergency(visit: DeskVisit) -> Response:
    """Open a space, and lead to its documents; whoever is not open to emergencies is answered as nobody is."""
    bearer.demand_in_emergency(visit.caller, visit.caller.purpose, runtime().now())
    problems = _problems(request.form, regulates=visit.caller.purpose is Purpose.EMERGENCY)
    if problems:
        return _shown(visit, problems)
    patient = _patient(visit) or NOBODY
    try:
        opening = break_glass.open_in_emergency(runtime(), visit.caller, patient, visit.caller.purpose, _reason())
    except Problem as problem:
        if problem.category not in {Category.CONSENT_REQUIRED, Category.NOT_FOUND}:
            raise
        return _shown(visit, {"number": _NOT_OPEN})
    is_short = visit.caller.purpose is Purpose.BREAK_GLASS
    until = min(opening.until, runtime().now() + EMERGENCY_LIFETIME) if is_short else opening.until
    desks.note_emergency(visit, patient, str((request.view_args or {})["mode"]), until)
    return back_to(visit.desk("emergency_documents", patient=patient))


@form(Role.EMERGENCY, "/end", "", _OPENING)
def end_emergency(visit: DeskVisit) -> Response:
    """End the access before its time."""
    desks.end_emergency(visit)
    return back_to(visit.desk("find_patient", done="ended"))


def _patient(visit: DeskVisit) -> PatientId | None:
    chosen = request.form.get("patient", "")
    if chosen:
        return PatientId(chosen)
    number = request.form.get("number", "").upper().translate(BETWEEN_GROUPS)
    return patient_of_number(context(), visit.session.account.login, number, emergency=True)


def _problems(sent: Mapping[str, str], *, regulates: bool) -> dict[str, Any]:
    has_person = bool(sent.get("patient")) or names_patient(sent.get("number", ""))
    checks = {
        "number": (has_person, _NO_PERSON),
        "reason": (sent.get("reason", REASONS[0] if regulates else "") in REASONS, _NO_REASON),
        "words": (0 < len(sent.get("words", "").strip()) <= _LONGEST, _NO_WORDS),
        "confirmed": (sent.get("confirmed") == "yes", _UNCONFIRMED),
    }
    return {name: text for name, (is_right, text) in checks.items() if not is_right}


def _reason() -> str:
    chosen, words = request.form.get("reason", ""), request.form["words"].strip()
    return f"{chosen}: {words}" if chosen else words


def _shown(visit: DeskVisit, problems: Mapping[str, Any]) -> Response:
    mode = str((request.view_args or {})["mode"])
    patient = request.form.get("patient", "") or request.args.get("patient", "")
    told = {"visit": visit, "problems_found": problems, "mode": mode, "patient": patient, "reasons": REASONS}
    minutes = int(EMERGENCY_LIFETIME.total_seconds()) // 60
    page_ = render_template("portal/professional/emergency.html", minutes=minutes, **told)
    return make_response(page_, 422 if problems else 200)
