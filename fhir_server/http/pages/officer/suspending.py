"""Whose declarations are suspended, as a page; an officer begins and ends suspensions, each with a reason.

Source: statement V13 of docs/rules.md; docs/adr/0105-suspensions-by-the-officer.md.
"""

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from fhir_server.application.cases import suspensions as listing
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.officer.queue import REVIEWING
from fhir_server.http.request_context import runtime

_FAULTS = frozenset({Category.INVALID, Category.BUSINESS_RULE})
"""What the page tells beside the field; any other refusal is a page of its own."""


@page(Role.OFFICER, "/suspensions", REVIEWING, interaction_of(EventKind.SUSPENSIONS_READ))
def suspensions(visit: StaffVisit) -> Response:
    """Show all suspensions, each with how to end it, and how to begin one."""
    return _shown(visit, {})


@form(Role.OFFICER, "/suspensions/begin", REVIEWING, interaction_of(EventKind.WORD_SUSPENDED))
def suspend(visit: StaffVisit) -> Response:
    """Suspend the declarations of a person, an establishment or an app."""
    subject = request.form.get("subject", "").strip()
    try:
        listing.suspend(runtime(), visit.caller, subject, request.form.get("reason", ""))
    except Problem as problem:
        return _shown(visit, _problems(problem, subject))
    return back_to(visit.address("suspensions", begun=subject))


@form(Role.OFFICER, "/suspensions/end", REVIEWING, interaction_of(EventKind.WORD_RESUMED))
def resume(visit: StaffVisit) -> Response:
    """End a suspension."""
    subject = request.form.get("subject", "")
    try:
        listing.resume(runtime(), visit.caller, subject, request.form.get("reason", ""))
    except Problem as problem:
        return _shown(visit, _problems(problem, subject))
    return back_to(visit.address("suspensions", ended="1"))


def _problems(problem: Problem, subject: str) -> dict[str, str]:
    """Return what the form lacks, by its field; raise the problem again when it is none of the form."""
    if problem.category not in _FAULTS:
        raise problem
    if not request.form.get("reason", "").strip():
        return {"reason": gettext("Say why")}
    text = gettext("There is nobody of this reference here whose declarations this would change: %(who)s", who=subject)
    return {"subject": text}


def _shown(visit: StaffVisit, problems: dict[str, str]) -> Response:
    held = listing.suspensions(runtime(), visit.caller)
    begun = next((one.subject for one in held if one.subject == request.args.get("begun")), "")
    done = {"begun": begun, "is_ended": "ended" in request.args}
    shown = {"held": held, "problems": problems, "sent": request.form, **done}
    text = render_template("portal/officer/suspensions.html", visit=visit, **shown)
    return make_response(text, 422 if problems else 200)
