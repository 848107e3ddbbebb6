"""The state of the server, the lockdown, and whose declarations are suspended; the commands are those of `habilis`.

Names and reasons of suspensions stay on the officer's pages: a reason may name a patient.
Source: scenario P10.5; docs/operations.md; docs/adr/0148-operators-in-the-browser.md.
"""

from flask import Response, current_app, make_response, render_template, request
from flask_babel import gettext

from fhir_server.application.core import lockdown
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.readiness import EXTENSION, Look
from fhir_server.application.outbox import progress
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.request_context import runtime

NO_SCOPES = ""
"""An operator reads no resource."""
_LOCKDOWN = interaction_of(EventKind.LOCKDOWN_BEGUN)


@page(Role.OPERATOR, "/state", NO_SCOPES, _LOCKDOWN)
def state(visit: StaffVisit) -> Response:
    """Show whether the server serves everybody, how far its worker is, and who is suspended."""
    return _shown(visit, {})


@form(Role.OPERATOR, "/lockdown/begin", NO_SCOPES, _LOCKDOWN)
def begin_lockdown(visit: StaffVisit) -> Response:
    """Let only emergencies through, from the next request on."""
    reason = request.form.get("reason", "")
    if not reason.strip():
        return _shown(visit, {"reason": gettext("Say why everything else stops")})
    lockdown.switch_on(runtime(), visit.session.account.login, reason)
    return back_to(visit.address("state"))


@form(Role.OPERATOR, "/lockdown/end", NO_SCOPES, interaction_of(EventKind.LOCKDOWN_ENDED))
def end_lockdown(visit: StaffVisit) -> Response:
    """Serve everybody again."""
    lockdown.switch_off(runtime(), visit.session.account.login)
    return back_to(visit.address("state"))


def _shown(visit: StaffVisit, problems: dict[str, str]) -> Response:
    look: Look = current_app.extensions[EXTENSION]
    measure: progress.Measure = current_app.extensions[progress.EXTENSION]
    shown = {
        "is_able": look.is_able(runtime()),
        "stop": lockdown.find(runtime()),
        "worker": measure.last(runtime()),
        "suspended": supervising.find(runtime()).suspensions,
        "exceptions": supervising.find(runtime()).exceptions,
        "problems": problems,
    }
    text = render_template("portal/operator/state.html", visit=visit, **shown)
    return make_response(text, 422 if problems else 200)
