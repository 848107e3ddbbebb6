"""Handmade document contents: a small PDF, a CDA, a FHIR document and plain text, with the same bytes every time.

Sources: ISO 32000-1 section 7.5 (file structure of PDF); HL7 CDA R2 level 1; https://hl7.org/fhir/R4/documents.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from uuid import NAMESPACE_OID, uuid5
from xml.sax.saxutils import escape

import orjson

from fhir_server.domain.values import Json

MIMES = {"pdf": "application/pdf", "cda": "text/xml", "text": "text/plain", "fhir": "application/fhir+json"}
_LINE_WIDTH = 88
_PAGE_LINES = 46


@dataclass(frozen=True, slots=True)
class Sheet:
    """The text of a document. date: with its UTC offset, as in FHIR. type_: (system, code, display)."""

    id: str
    title: str
    date: str
    patient: str
    author: str
    type_: tuple[str, str, str]
    body: tuple[str, ...]


def content_of(sheet: Sheet, format_: str) -> bytes:
    """Return the bytes of a document in one of the formats of `MIMES`."""
    return {"pdf": _pdf, "cda": _cda, "text": _text, "fhir": _fhir}[format_](sheet)


def _lines(sheet: Sheet) -> list[str]:
    heading = [
        sheet.title,
        "",
        f"Patient : {sheet.patient}",
        f"Auteur : {sheet.author}",
        f"Date : {sheet.date[:10]}",
        "",
    ]
    return heading + [line for paragraph in sheet.body for line in [*wrap(paragraph, _LINE_WIDTH), ""]]


def _text(sheet: Sheet) -> bytes:
    return "\r\n".join(_lines(sheet)).encode()


def _pdf(sheet: Sheet) -> bytes:
    lines = _lines(sheet)
    pages = [lines[at : at + _PAGE_LINES] for at in range(0, len(lines), _PAGE_LINES)]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (fr-FR) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        objects += [_pdf_page(5 + 2 * number), _pdf_stream(page)]
    return _pdf_file(objects)


def _pdf_page(content: int) -> bytes:
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R "
        "/Resources << /Font << /F1 3 0 R >> >> >>"
    ).encode()


def _pdf_stream(lines: Sequence[str]) -> bytes:
    shown = b"".join(b"(" + _pdf_string(line) + b") Tj T*\n" for line in lines)
    stream = b"BT /F1 11 Tf 60 780 Td 16 TL\n" + shown + b"ET"
    return f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream"


def _pdf_string(line: str) -> bytes:
    return line.encode("cp1252", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def _cda(sheet: Sheet) -> bytes:
    system, code, display = sheet.type_
    oid = "2.16.840.1.113883.6.1" if "loinc" in system else "1.2.250.1.213.1.1.4.12"
    moment = sheet.date.replace("-", "").replace(":", "").replace("T", "").replace("Z", "+0000")
    paragraphs = "".join(f"<paragraph>{escape(text)}</paragraph>" for text in sheet.body)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<id root="{sheet.id}"/><code code="{code}" codeSystem="{oid}" displayName="{escape(display)}"/>'
        f'<title>{escape(sheet.title)}</title><effectiveTime value="{moment}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>'
        f'<recordTarget><patientRole><id nullFlavor="MSK"/><patient><name>{escape(sheet.patient)}</name></patient>'
        "</patientRole></recordTarget>"
        f'<author><time value="{moment}"/><assignedAuthor><id nullFlavor="NI"/><assignedPerson>'
        f"<name>{escape(sheet.author)}</name></assignedPerson></assignedAuthor></author>"
        '<custodian><assignedCustodian><representedCustodianOrganization><id nullFlavor="NI"/>'
        "</representedCustodianOrganization></assignedCustodian></custodian>"
        f"<component><structuredBody><component><section><text>{paragraphs}</text></section></component>"
        "</structuredBody></component></ClinicalDocument>\n"
    ).encode()


def _fhir(sheet: Sheet) -> bytes:
    system, code, display = sheet.type_
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in sheet.body)
    composition: Json = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": system, "code": code, "display": display}]},
        "subject": {"display": sheet.patient},
        "date": sheet.date,
        "author": [{"display": sheet.author}],
        "title": sheet.title,
        "section": [
            {
                "title": sheet.title,
                "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'},
            }
        ],
    }
    document: Json = {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{sheet.id}"},
        "timestamp": sheet.date,
        "entry": [{"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_OID, sheet.id)}", "resource": composition}],
    }
    return orjson.dumps(document)
