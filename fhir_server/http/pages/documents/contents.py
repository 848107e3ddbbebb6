"""The contents of documents for a browser: opened in it, or kept as a file; never run.

A browser shows text and pictures without any right (`sandbox`), and a PDF in its own viewer; CDA is a page without any
right, and all else is a file.
Source: docs/adr/0131-what-a-browser-shows-of-a-document.md; https://www.w3.org/TR/CSP3/#directive-sandbox.
"""

from flask import Response, abort, request
from werkzeug.http import dump_options_header

from fhir_server.application.reading import read
from fhir_server.http.fhir import rendering
from fhir_server.http.pages.documents import cda_viewer
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
    """Tell whether a content of this media type can be opened safely: by the browser, or as a page if it is CDA."""
    return _is_of_browser(type_) or type_ in cda_viewer.TYPES


def _is_of_browser(type_: str) -> bool:
    return type_ == "text/plain" or type_ in _BEGINNINGS


def is_as_stated(type_: str, content: bytes) -> bool:
    """Tell whether a content begins as its media type says; a text is UTF-8 and has no zero byte."""
    if type_ != "text/plain":
        return content.startswith(_BEGINNINGS.get(type_, b""))
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def answer(visit: Presence, id_: str, *, as_file: bool) -> Response:
    """Answer a content to be opened if that is safe, else as a file; the file in a CDA document where `part` is asked.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike.
    """
    stored, found = read.retrieve(runtime(), visit.caller, CONTENT, id_)
    sent = str(rendering.description_of(stored)["contentType"])
    document = None if as_file or _bare(sent) not in cda_viewer.TYPES else cda_viewer.document_in(found)
    if document is None:
        return _inert(_sent(found, sent, id_, as_file=as_file))
    if cda_viewer.PART not in request.args:
        return _inert(cda_viewer.shown(document, stored.stored.facts.documents))
    if document.enclosed is None:
        abort(404)
    return _inert(_sent(document.enclosed.content, document.enclosed.type, id_, as_file=False))


def _sent(found: bytes, sent: str, id_: str, *, as_file: bool) -> Response:
    """Answer bytes of a media type to be opened, or as a file. sent: the type as it was stated."""
    type_ = _bare(sent)
    is_opened = not as_file and _is_of_browser(type_) and found.startswith(_BEGINNINGS.get(type_, b""))
    response = Response(found, content_type=sent if is_opened else "application/octet-stream")
    name = f"document-{id_[:8]}.{_ENDINGS.get(type_, 'bin')}"
    how = "inline" if is_opened else "attachment"
    response.headers["Content-Disposition"] = dump_options_header(how, {"filename": name})
    response.headers["Content-Security-Policy"] = _OF_PDF if is_opened and type_ == _PDF else INERT
    return response


def _bare(sent: str) -> str:
    return sent.partition(";")[0].strip().lower()


def _inert(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
