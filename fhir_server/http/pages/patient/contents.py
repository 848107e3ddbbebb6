"""The contents of documents as their patient's pages show them: opened in the browser, or kept as a file.

Source: docs/adr/0131-what-a-browser-shows-of-a-document.md.
"""

from uuid import UUID

from flask import Response

from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.documents import contents
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.visits import Visit

READING = "patient/DocumentReference.r patient/Binary.r"
_ASKS = AuditedInteraction(Interaction.READ, contents.CONTENT.name)


@page(Role.PATIENT, "/contents/<uuid:id_>", READING, _ASKS)
def content(visit: Visit, id_: UUID) -> Response:
    """Answer a content to be opened in the browser if a browser can show it safely, else as a file."""
    return contents.answer(visit, str(id_), as_file=False)


@page(Role.PATIENT, "/contents/<uuid:id_>/file", READING, _ASKS)
def file(visit: Visit, id_: UUID) -> Response:
    """Answer a content as a file to keep."""
    return contents.answer(visit, str(id_), as_file=True)
