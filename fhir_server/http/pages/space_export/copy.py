"""Taking a copy of the whole space: what it holds, and the form that sends it.

The form asks for the same copy as an app (`Patient/[id]/$export-space`), with the same audit event and the same limits.
Source: docs/adr/0149-a-copy-of-the-whole-space.md; docs/portal.md.
"""

from flask import Response, make_response, render_template

from fhir_server.application.core import lockdown
from fhir_server.application.space_copies.copying import RECENT, Asked
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.fhir.exports import space_archive
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.oauth.login import sessions

_ASKS = interaction_of(EventKind.SPACE_COPIED)
_ALL = "patient/*.rs"
_FHIR_CALL = "GET /fhir/Patient/{}/$export-space?\nAccept: "


@page(Role.PATIENT, "/copy", "", _ASKS)
def space_export(visit: Visit) -> Response:
    """Say what a copy holds, and how to keep it; offer it to whoever signed in lately."""
    at = visit.session.proof.at
    is_recent = at is not None and (runtime().now() - at).total_seconds() <= (RECENT.max_age or 0)
    return make_response(render_template("portal/space_export.html", visit=visit, is_recent=is_recent))


@form(Role.PATIENT, "/copy/file", _ALL, _ASKS)
def take_copy(visit: Visit) -> Response:
    """Send the copy as a file."""
    served, proof = runtime(), visit.session.proof
    asked = Asked(visit.caller, visit.patient, proof.at, _FHIR_CALL.format(visit.patient))
    return space_archive.sent(served, asked, lambda: sessions.is_alive(served, proof) and lockdown.find(served) is None)
