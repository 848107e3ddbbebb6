"""A CDA document as a page that can do nothing, whatever the document holds: no link out, picture, script or form.

Source: docs/adr/0144-cda-written-anew.md; docs/adr/0131-what-a-browser-shows-of-a-document.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Response, render_template
from flask_babel import format_date, gettext
from markupsafe import Markup

from fhir_server.domain.documents.cda_reading import CdaDocument, read_cda
from fhir_server.domain.problem import Problem
from fhir_server.http.pages.documents.cda_narrative import NarrativeWriter, TooLongError
from fhir_server.http.pages.language import told_instant

TYPES = frozenset({
    "text/xml", "application/xml", "application/cda+xml", "application/hl7-cda+xml", "application/hl7-sda+xml",
    "application/x-hl7-cda-level-one+xml",
})  # fmt: skip
"""Media types under which CDA documents are filed."""
PART = "part"
"""The parameter of the address that asks for the enclosed file."""
POLICY = "sandbox; default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The page has our sheet and nothing else; `sandbox` takes the rights of this site from it."""
_MOST_ELEMENTS, _MOST_CHARACTERS = 20_000, 1_000_000
_HIGHEST, _LOWEST = 2, 6
"""Levels of the headings of sections."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_DAY, _YEAR = 10, 4


@dataclass(frozen=True, slots=True)
class SectionInWords:
    """One section. heading: the level of its heading."""

    title: str
    heading: int
    body: Markup


def document_in(content: bytes) -> CdaDocument | None:
    """Return the CDA document in a content, None for any other content and for one that is not read safely."""
    try:
        return read_cda(content)
    except Problem:
        return None


def shown(document: CdaDocument, documents: Iterable[str] = ()) -> Response:
    """Answer a CDA document as a page. documents: ids of those that the content belongs to, for the way back.

    The page links to the document by an address relative to that of the content, and to the enclosed file.
    """
    try:
        sections, is_long = _sections(document), False
    except TooLongError:
        sections, is_long = [], True
    language = document.language if _LANGUAGE.fullmatch(document.language) else ""
    told: dict[str, Any] = {"document": document, "facts": _facts(document), "sections": sections, "is_long": is_long}
    told |= {"lang": language, "back": next(iter(documents), ""), "part": PART, "text": _text(document)}
    response = Response(render_template("portal/cda.html", **told), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _sections(document: CdaDocument) -> list[SectionInWords]:
    writer = NarrativeWriter(_MOST_ELEMENTS, _MOST_CHARACTERS)
    return [
        SectionInWords(
            section.title,
            min(section.level + _HIGHEST - 1, _LOWEST),
            writer.written(section.narrative) if section.narrative is not None else Markup(""),
        )
        for section in document.sections
    ]


def _facts(document: CdaDocument) -> list[tuple[str, str]]:
    """Return the facts of the header with their names; none for what the header does not state."""
    told = (
        (gettext("Patient"), ", ".join(document.patients)),
        (gettext("Born"), _when(document.born)),
        (gettext("Kind"), document.kind),
        (gettext("Date"), _when(document.made)),
        (gettext("Written by"), "; ".join(document.authors)),
        (gettext("Kept by"), document.keeper),
    )
    return [(str(name), value) for name, value in told if value]


def _when(stated: str) -> str:
    """Return a dateTime in words; a month or a year as it was stated."""
    if "T" in stated:
        return told_instant(datetime.fromisoformat(stated))
    if len(stated) == _DAY:
        return str(format_date(date.fromisoformat(stated), "d MMMM y"))
    return stated


def _text(document: CdaDocument) -> str:
    """Return the enclosed text, "" when a file is enclosed or nothing is."""
    enclosed = document.enclosed
    if enclosed is None or enclosed.type.partition(";")[0].strip().lower() != "text/plain":
        return ""
    return enclosed.content.decode(errors="replace")[:_MOST_CHARACTERS]
