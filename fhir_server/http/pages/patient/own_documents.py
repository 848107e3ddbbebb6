"""Documents that patients file themselves: adding, replacing, withdrawing; the same commands as those of an app.

Source: rules J3 to J7; IHE MHD ITI-105; docs/portal.md.
"""

from dataclasses import replace
from uuid import UUID

from flask import Response, abort, make_response, render_template, request

from fhir_server.application.bundles import handlers
from fhir_server.application.documents.hiding_and_withdrawal import Withdraw, change_document
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import is_of_patient, tell
from fhir_server.http.pages.frame.asking import resource_of
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.patient.document_form import MINORS, DocumentForm, kinds, most_megabytes
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_DOCUMENT = REGISTRY["DocumentReference"]
_FILING = "patient/DocumentReference.cru"
_FILED = AuditedInteraction(Interaction.CREATE, _DOCUMENT.name, kind=EventKind.DOCUMENT_PUBLISHED)
_FOR_ADULTS = "advance-directives-of-a-minor"


@page(Role.PATIENT, "/own-documents", "patient/DocumentReference.c", _FILED)
def new_document(visit: Visit) -> Response:
    """Show the form for a document of the patient."""
    return _shown(visit, DocumentForm.empty(runtime().now()))


@form(Role.PATIENT, "/own-documents", _FILING, _FILED, uploads=True)
def add_document(visit: Visit) -> Response:
    """File a document; its page says so."""
    return _filed(visit)


@page(
    Role.PATIENT,
    "/own-documents/<uuid:id_>/replacement",
    "patient/DocumentReference.r",
    AuditedInteraction(Interaction.READ, _DOCUMENT.name),
)
def new_replacement(visit: Visit, id_: UUID) -> Response:
    """Show the form for a new version of a document of the patient."""
    before = _own(visit, str(id_))
    told = tell(before, {})
    kind = next((str(one.get("code", "")) for one in before.get("type", {}).get("coding", ())), "")
    return _shown(visit, DocumentForm.empty(runtime().now(), title=told.title, kind=kind), str(id_))


@form(Role.PATIENT, "/own-documents/<uuid:id_>/replacement", _FILING, _FILED, uploads=True)
def replace_document(visit: Visit, id_: UUID) -> Response:
    """File a new version of a document; the earlier one is superseded."""
    return _filed(visit, str(id_))


@form(
    Role.PATIENT,
    "/own-documents/<uuid:id_>/withdraw",
    "patient/DocumentReference.ru",
    AuditedInteraction(Interaction.DELETE, _DOCUMENT.name, kind=EventKind.DOCUMENT_WITHDRAWN),
)
def withdraw_document(visit: Visit, id_: UUID) -> Response:
    """Withdraw a document that the patient's side filed; nobody sees it any more."""
    change_document(runtime(), visit.caller, str(id_), Withdraw())
    return back_to(visit.address("documents", done="withdrawn"))


def _own(visit: Visit, id_: str) -> Json:
    """Return a document of the patient's side. Raises: HTTPException 404 for others; Problem, as a read."""
    found = resource_of(read.read(runtime(), visit.caller, _DOCUMENT, id_))
    if not is_of_patient(found, runtime().matrix):
        abort(404)
    return found


def _filed(visit: Visit, replaces: str = "") -> Response:
    served = runtime()
    sent = DocumentForm.read(request.form, request.files.get("file"), served.now(), served.profile, served.matrix)
    if sent.problems:
        return _shown(visit, sent, replaces)
    person = visit.caller.requester.person
    body = sent.publication(visit.patient, person, served.matrix.kinds[sent.kind], replaces)
    try:
        written = handlers.create(served, visit.caller, _DOCUMENT, body)
    except Problem as problem:
        if problem.category is Category.BUSINESS_RULE and problem.issues[0].code == _FOR_ADULTS:
            return _shown(visit, replace(sent, problems={"kind": MINORS}), replaces)
        raise
    return back_to(visit.address("document", id_=written.shown.stored.id, done="filed"))


def _shown(visit: Visit, shown: DocumentForm, replaces: str = "") -> Response:
    if replaces and shown.problems:
        _own(visit, replaces)  # the form for an unknown document is unknown, whatever was sent
    most = most_megabytes(runtime().profile)
    told = {"form": shown, "kinds": kinds(runtime().matrix), "replaces": replaces, "most": most}
    status = 422 if shown.problems else 200
    return make_response(render_template("portal/own_document.html", visit=visit, **told), status)
