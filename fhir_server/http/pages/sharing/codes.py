"""A code for one consultation: the patient makes it, shows or prints it, cancels it, and reads what was opened with it.

The code stands in the answer to the form and nowhere else: no address, no later page and no line of the log has it.
Source: rules C1 and C4; statement V1 of docs/rules.md; docs/adr/0091-invitations.md.
"""

from datetime import timedelta
from typing import Any

import segno
from flask import Response, make_response, render_template, request
from markupsafe import Markup

from fhir_server.application.consents import invitations
from fhir_server.application.consents.invitations import Standing
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of, tell
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.sharing import code_use
from fhir_server.http.pages.sharing.code_form import MINUTES, CodeForm, told_minutes
from fhir_server.http.pages.sharing.code_use import used_codes
from fhir_server.http.request_context import runtime

_DIRECTORY = "patient/Practitioner.rs patient/PractitionerRole.rs patient/Organization.rs"
_READING = f"{code_use.READING} {_DIRECTORY}"
_MAKING = _READING.replace("patient/Consent.rs", "patient/Consent.crs")
_OFFERED = 50
"""How many documents the form offers, the newest first."""


@page(Role.PATIENT, "/sharing", _READING, interaction_of(EventKind.INVITATIONS_LOOKED_AT))
def sharing(visit: Visit) -> Response:
    """Show the form for a code, the codes in force, and those that were used with what was opened."""
    return _shown(visit, CodeForm.empty(request.args.get("document", "")))


@form(Role.PATIENT, "/sharing", _MAKING, interaction_of(EventKind.INVITATION_MADE))
def make_code(visit: Visit) -> Response:
    """Make a code and show it once; the page is not stored, and its address is that of the form."""
    sent = CodeForm.read(visit.caller, request.form, _minutes())
    if sent.problems:
        return _shown(visit, sent)
    made = invitations.invite(runtime(), visit.caller, visit.patient, sent.wish)
    shown = {"code": made.code, "picture": _picture(made.code), "until": made.until, "form": sent}
    return make_response(render_template("portal/sharing/code.html", visit=visit, **shown))


@form(Role.PATIENT, "/sharing/cancel", "patient/Consent.c", interaction_of(EventKind.INVITATION_CANCELLED))
def cancel_codes(visit: Visit) -> Response:
    """Make the codes invalid: all codes of the space for the patient, only the own one for a representative."""
    invitations.cancel(runtime(), visit.caller, visit.patient)
    return back_to(visit.address("sharing", done="cancelled"))


def _shown(visit: Visit, shown: CodeForm) -> Response:
    standing = invitations.in_force(runtime(), visit.caller, visit.patient)
    asked = [("patient", visit.patient), ("status", "current"), ("_sort", "-date"), ("_count", str(_OFFERED))]
    documents = [tell(one, {}) for one in find(visit.caller, "DocumentReference", asked).resources]
    told: dict[str, Any] = {"form": shown, "documents": documents, "names": _names(visit, standing)}
    told |= {
        "standing": standing,
        "used": used_codes(visit),
        "minutes": [(one, told_minutes(one)) for one in _minutes()],
    }
    status = 422 if shown.problems else 200
    return make_response(render_template("portal/sharing/sharing.html", visit=visit, **told), status)


def _minutes() -> list[int]:
    """Return the times that the form offers: no longer than the rule profile allows."""
    now = runtime().now()
    longest = runtime().profile.longest_invitation.after(now) - now
    return [one for one in MINUTES if timedelta(minutes=one) <= longest]


def _names(visit: Visit, standing: tuple[Standing, ...]) -> dict[str, str]:
    """Return the names of those for whom the codes in force are, by reference."""
    known: dict[str, Json] = {}
    for wanted in sorted({one.audience for one in standing if one.audience}):
        type_, _, id_ = wanted.partition("/")
        known |= {f"{type_}/{one['id']}": one for one in find(visit.caller, type_, [("_id", id_)]).resources}
    return {reference: name_of({"reference": reference}, known) for reference in known}


def _picture(code: str) -> Markup:
    """Draw the code alone inside the page, so that a reader that opens addresses opens nothing."""
    drawn = segno.make(code, micro=False, error="m")
    return Markup(drawn.svg_inline(scale=6, light="#fff", svgclass=None, lineclass=None))  # noqa: S704 - drawn here
