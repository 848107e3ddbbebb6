"""The documents of a patient at the desk: list, one document, contents; in care and in an emergency.

Both show what the same searches and reads of an app of this professional show, and no number or word about the rest.
Source: docs/portal.md; IHE MHD ITI-67 and ITI-68.
"""

from collections.abc import Iterable
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, make_response, render_template, request

from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents import contents
from fhir_server.http.pages.documents.contents import opens
from fhir_server.http.pages.documents.filters import DocumentFilters, classes
from fhir_server.http.pages.documents.words import DocumentInWords, tell
from fhir_server.http.pages.frame.asking import Page, find, resource_of
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.language import local
from fhir_server.http.pages.professional import evidence, in_view
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_DOCUMENT = REGISTRY["DocumentReference"]
_NAMES = ("Organization", "Practitioner", "PractitionerRole", "RelatedPerson", "Device", "Patient")
READING = " ".join(f"patient/{name}.rs" for name in (_DOCUMENT.name, *_NAMES))
_CONTENTS = "patient/DocumentReference.r patient/Binary.r"
_SEARCH = AuditedInteraction(Interaction.SEARCH, _DOCUMENT.name)
_READ = AuditedInteraction(Interaction.READ, _DOCUMENT.name)
_OPEN = AuditedInteraction(Interaction.READ, contents.CONTENT.name)
_CARE = "/patients/<uuid:patient>"
A_PAGE = 20
_BESIDE = (("_include", "DocumentReference:author"), ("_include", "DocumentReference:custodian"))


@page(Role.PROFESSIONAL, f"{_CARE}/documents", READING, _SEARCH)
def care_documents(visit: DeskVisit) -> Response:
    """List the documents that the ground shows."""
    return evidence.with_ground(visit, _listed)


@page(Role.PROFESSIONAL, f"{_CARE}/documents/<uuid:id_>", READING, _READ)
def care_document(visit: DeskVisit, id_: UUID) -> Response:
    """Show one document."""
    return _one(visit, id_)


@page(Role.PROFESSIONAL, f"{_CARE}/contents/<uuid:id_>", _CONTENTS, _OPEN)
def care_content(visit: DeskVisit, id_: UUID) -> Response:
    """Answer a content to be opened in the browser if a browser can show it safely, else as a file."""
    return contents.answer(visit, str(id_), as_file=False)


@page(Role.PROFESSIONAL, f"{_CARE}/contents/<uuid:id_>/file", _CONTENTS, _OPEN)
def care_file(visit: DeskVisit, id_: UUID) -> Response:
    """Answer a content as a file to keep."""
    return contents.answer(visit, str(id_), as_file=True)


@page(Role.EMERGENCY, "/documents", READING, _SEARCH)
def emergency_documents(visit: DeskVisit) -> Response:
    """List the documents that the emergency permits."""
    return evidence.with_ground(visit, _listed)


@page(Role.EMERGENCY, "/documents/<uuid:id_>", READING, _READ)
def emergency_document(visit: DeskVisit, id_: UUID) -> Response:
    """Show one document in an emergency."""
    return _one(visit, id_)


@page(Role.EMERGENCY, "/contents/<uuid:id_>", _CONTENTS, _OPEN)
def emergency_content(visit: DeskVisit, id_: UUID) -> Response:
    """Answer a content in an emergency, to be opened if a browser can show it safely."""
    return contents.answer(visit, str(id_), as_file=False)


@page(Role.EMERGENCY, "/contents/<uuid:id_>/file", _CONTENTS, _OPEN)
def emergency_file(visit: DeskVisit, id_: UUID) -> Response:
    """Answer a content in an emergency, as a file to keep."""
    return contents.answer(visit, str(id_), as_file=True)


def _listed(visit: DeskVisit) -> Response:
    filters = DocumentFilters.read(request.args, hidden=False)
    asked = [("patient", visit.patient), ("status", "current"), *filters.pairs, ("_sort", "-date")]
    asked += [
        ("_count", str(A_PAGE)),
        *((("_include", f"DocumentReference:{name}")) for name in ("author", "custodian")),
    ]
    found = find(visit.caller, _DOCUMENT.name, asked, request.args.get("page", ""))
    shown = {
        "documents": _by_year(tell(document, found.beside) for document in found.resources),
        "filters": filters,
        "classes": classes(),
        "links": _links(filters, found),
        "name": in_view.name(visit),
    }
    status = 422 if filters.problems else 200
    return make_response(render_template("portal/professional/documents.html", visit=visit, **shown), status)


def _by_year(documents: Iterable[DocumentInWords]) -> list[tuple[str, list[DocumentInWords]]]:
    """Return the documents of a page year by year, in the order in which they were found."""
    years = groupby(documents, lambda one: str(local(one.at).year) if one.at else "")
    return [(year, list(found)) for year, found in years]


def _links(filters: DocumentFilters, found: Page) -> dict[str, str]:
    """Return the addresses of the neighbouring pages, with the same filters."""
    cursors = {"earlier": found.earlier, "later": found.later}
    return {name: f"?{urlencode([*filters.kept, ('page', at)])}" for name, at in cursors.items() if at}


def _one(visit: DeskVisit, id_: UUID) -> Response:
    resource = resource_of(read.read(runtime(), visit.caller, _DOCUMENT, str(id_)))
    keeper = str(resource.get("custodian", {}).get("reference", ""))
    beside = {}
    if keeper.startswith("Organization/"):
        found = find(visit.caller, "Organization", [("_id", keeper.partition("/")[2])]).resources
        beside = {f"Organization/{one['id']}": one for one in found}
    shown = {"document": tell(resource, beside), "opens": opens, "name": in_view.name(visit)}
    shown["own"] = visit.caller.requester.identities & _depositors(resource)
    return make_response(render_template("portal/professional/document.html", visit=visit, **shown))


def _depositors(document: Json) -> frozenset[str]:
    """Return who may have filed a document, as far as it says: its authors and its keeper."""
    named = (*document.get("author", ()), document.get("custodian", {}))
    return frozenset(str(one.get("reference", "")) for one in named)
