"""The documents of a space as pages: the list, and one document.

Source: docs/portal.md; IHE MHD ITI-67.
"""

from urllib.parse import urlencode
from uuid import UUID

from flask import Response, make_response, render_template, request

from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.documents.contents import opens
from fhir_server.http.pages.documents.filters import DocumentFilters, classes
from fhir_server.http.pages.documents.words import is_of_patient, tell
from fhir_server.http.pages.frame import last_visit
from fhir_server.http.pages.frame.asking import Page, find, resource_of
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_DOCUMENT = REGISTRY["DocumentReference"]
_NAMES = ("Organization", "Practitioner", "PractitionerRole", "RelatedPerson", "Device", "Patient")
READING = " ".join(f"patient/{name}.rs" for name in ("DocumentReference", *_NAMES))
"""Scopes for documents and the names of who wrote and keeps them."""
A_PAGE = 20
_BESIDE = (("_include", "DocumentReference:author"), ("_include", "DocumentReference:custodian"))


@page(Role.PATIENT, "/documents", READING, AuditedInteraction(Interaction.SEARCH, _DOCUMENT.name))
def documents(visit: Visit) -> Response:
    """List the current documents that the filters let through, the newest first, and say which are new."""
    filters = DocumentFilters.read(request.args)
    asked = [("patient", visit.patient), ("status", "current"), *filters.pairs, ("_sort", "-date")]
    asked += [("_count", str(A_PAGE)), *_BESIDE]
    found = find(visit.caller, _DOCUMENT.name, asked, request.args.get("page", ""))
    before = last_visit.before_this(visit)
    told = [
        (tell(document, found.beside), before is not None and since > before)
        for document, since in zip(found.resources, found.since, strict=True)
    ]
    shown = {"documents": told, "filters": filters, "classes": classes(), "links": _links(filters, found)}
    status = 422 if filters.problems else 200
    return make_response(render_template("portal/documents.html", visit=visit, **shown), status)


def _links(filters: DocumentFilters, found: Page) -> dict[str, str]:
    """Return the addresses of the neighbouring pages, with the same filters."""
    cursors = {"earlier": found.earlier, "later": found.later}
    return {name: f"?{urlencode([*filters.kept, ('page', at)])}" for name, at in cursors.items() if at}


@page(Role.PATIENT, "/documents/<uuid:id_>", READING, AuditedInteraction(Interaction.READ, _DOCUMENT.name))
def document(visit: Visit, id_: UUID) -> Response:
    """Show one document: what it is, who wrote it, and its contents to open and to keep."""
    resource = resource_of(read.read(runtime(), visit.caller, _DOCUMENT, str(id_)))
    keeper = str(resource.get("custodian", {}).get("reference", ""))
    beside = _named(visit, keeper) if keeper.startswith("Organization/") else {}
    is_own = is_of_patient(resource, runtime().matrix)
    return make_response(
        render_template(
            "portal/document.html", visit=visit, document=tell(resource, beside), opens=opens, is_own=is_own
        )
    )


def _named(visit: Visit, reference: str) -> dict[str, dict[str, object]]:
    """Return the establishment that a document names, by reference, as the directory has it today."""
    type_, _, id_ = reference.partition("/")
    return {f"{type_}/{one['id']}": one for one in find(visit.caller, type_, [("_id", id_)]).resources}
