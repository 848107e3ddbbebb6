"""The contents of documents for a browser: opened in it, or kept as a file; never run.

A browser shows text and pictures without any right (`sandbox`), and a PDF in its own viewer; all else is a file.
Source: docs/adr/0131-what-a-browser-shows-of-a-document.md; https://www.w3.org/TR/CSP3/#directive-sandbox.
"""

from flask import Response
from werkzeug.http import dump_options_header

from fhir_server.application.reading import read
from fhir_server.http.fhir import rendering
from fhir_server.http.pages.frame.visits import Presence
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

CONTENT = REGISTRY["Binary"]
INERT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'"
"""For all but PDF: the browser gives the content no right at all. It adds a style of its own around a picture."""
_OF_PDF = "default-src 'none'; frame-ancestors 'none'"
"""A browser's PDF viewer does not start within `sandbox`, and has no access to this site anyway."""
_PDF, _PDF_BEGINS = "application/pdf", b"%PDF-"
_BEGINNINGS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", _PDF: _PDF_BEGINS}
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", _PDF: "pdf", "text/plain": "txt", "text/xml": "xml",
            "application/fhir+json": "json", "application/fhir+xml": "xml", "text/html": "html"}  # fmt: skip


def opens(type_: str) -> bool:
    """Tell whether a browser can open a content of this media type safely."""
    return type_ == "text/plain" or type_ in _BEGINNINGS


def answer(visit: Presence, id_: str, *, as_file: bool) -> Response:
    """Answer a content to be opened if a browser can show it safely, else as a file.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike.
    """
    shown, found = read.retrieve(runtime(), visit.caller, CONTENT, id_)
    sent = str(rendering.description_of(shown)["contentType"])
    type_ = sent.partition(";")[0].strip().lower()
    is_opened = not as_file and opens(type_) and found.startswith(_BEGINNINGS.get(type_, b""))
    response = Response(found, content_type=sent if is_opened else "application/octet-stream")
    name = f"document-{id_[:8]}.{_ENDINGS.get(type_, 'bin')}"
    how = "inline" if is_opened else "attachment"
    response.headers["Content-Disposition"] = dump_options_header(how, {"filename": name})
    response.headers["Content-Security-Policy"] = _OF_PDF if is_opened and type_ == _PDF else INERT
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
