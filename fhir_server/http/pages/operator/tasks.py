"""The outbox as a page: how much waits in each lane, and dead letters to try again or to drop.

A message is named by its lane and place: what it holds is never shown.
Source: docs/operations.md; docs/adr/0070-an-outbox-in-the-transaction.md.
"""

from flask import Response, make_response, render_template, request

from fhir_server.application.outbox import dead_letters
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.operator.state import NO_SCOPES
from fhir_server.http.request_context import runtime


@page(Role.OPERATOR, "/tasks", NO_SCOPES, interaction_of(EventKind.MESSAGE_RETRIED))
def tasks(visit: StaffVisit) -> Response:
    """Show the lanes and the dead letters."""
    shown = {"lanes": dead_letters.lanes(runtime()), "letters": dead_letters.find(runtime())}
    return make_response(render_template("portal/operator/tasks.html", visit=visit, done=request.args, **shown))


@form(Role.OPERATOR, "/tasks/retry", NO_SCOPES, interaction_of(EventKind.MESSAGE_RETRIED))
def retry_task(visit: StaffVisit) -> Response:
    """Have a dead letter tried again."""
    letter = dead_letters.named(runtime(), request.form.get("lane", ""), request.form.get("position", ""))
    dead_letters.retry(runtime(), visit.session.account.login, letter)
    return back_to(visit.address("tasks", done="retried"))


@form(Role.OPERATOR, "/tasks/drop", NO_SCOPES, interaction_of(EventKind.MESSAGE_DROPPED))
def drop_task(visit: StaffVisit) -> Response:
    """Drop a dead letter for ever."""
    letter = dead_letters.named(runtime(), request.form.get("lane", ""), request.form.get("position", ""))
    dead_letters.drop(runtime(), visit.session.account.login, letter)
    return back_to(visit.address("tasks", done="dropped"))
