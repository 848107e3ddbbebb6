"""What a minor with an account keeps from the legal representatives, one document at a time, from their own sign-in.

The mark holds for the document and all that replaces it. Nobody lifts it here, so that a representative who looks over
a shoulder cannot have it lifted: the page says so before. Representatives find no trace of the document.
Source: rules B6 and B10; docs/labels.md; scenario P3.1 of the needs.
"""

from uuid import UUID

from flask import Response, abort, make_response, render_template

from consent_rules.vocabulary import Mark
from fhir_server.application.consents.standing import is_minor_with_account
from fhir_server.application.documents.hiding_and_withdrawal import Hide, change_document
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.documents.words import DocumentInWords, tell
from fhir_server.http.pages.frame.asking import resource_of
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page, portal
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_DOCUMENT = REGISTRY["DocumentReference"]
_KEPT = Mark.INVISIBLE_REPRESENTANTS_LEGAUX


@page(
    Role.PATIENT,
    "/documents/<uuid:id_>/for-me",
    "patient/DocumentReference.rs",
    AuditedInteraction(Interaction.READ, _DOCUMENT.name),
)
def keeping(visit: Visit, id_: UUID) -> Response:
    """Say what keeping a document from the representatives means, before it is done."""
    if not may_keep(visit):
        abort(404)
    document = tell(resource_of(read.read(runtime(), visit.caller, _DOCUMENT, str(id_))), {})
    return make_response(render_template("portal/family/keeping.html", visit=visit, document=document))


@form(
    Role.PATIENT,
    "/documents/<uuid:id_>/for-me",
    "patient/DocumentReference.ru",
    AuditedInteraction(Interaction.PATCH, _DOCUMENT.name, kind=EventKind.DOCUMENT_HIDDEN),
)
def keep(visit: Visit, id_: UUID) -> Response:
    """Keep a document from the legal representatives; the rules refuse it to anybody but the minor."""
    change_document(runtime(), visit.caller, str(id_), Hide(_KEPT))
    return back_to(visit.address("document", id_=id_))


def may_keep(visit: Visit) -> bool:
    """Tell whether the person is a minor in their own space who may keep documents from representatives."""
    return visit.is_for_oneself and is_minor_with_account(runtime(), visit.patient)


def is_kept(document: DocumentInWords) -> bool:
    """Tell whether a document is kept from the legal representatives."""
    return bool(document.marks & _KEPT)


@portal.app_context_processor
def _keeping() -> dict[str, object]:
    """Give the page of a document what it asks."""
    return {"may_keep": may_keep, "is_kept": is_kept}
