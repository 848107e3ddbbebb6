"""A CDA R2 document as a person reads it: facts of its header, its sections, and the file that it encloses.

Level 1 documents enclose a file or a text (`nonXMLBody`); level 3 documents have sections with narratives. Entries are
left out: by the standard, the narrative of a section says all that its entries say.
Source: HL7 CDA R2, 4.2 (header) and 4.3 (body).
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from lxml import etree

from fhir_server.domain.documents.cda_xml import TIME, V3, attribute_at, bare_text, root_of, text_at, written_time

_DEEPEST = 12
"""Nesting of sections that is followed; deeper ones belong to no guide."""
_MOST_PEOPLE = 20
_MEDIA_TYPE = "text/plain"


@dataclass(frozen=True, slots=True)
class CdaSection:
    """One section. level: 1 for the outermost. narrative: its `text`, None when it has none."""

    title: str
    level: int
    narrative: etree._Element | None


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The file of a level 1 document. type: its media type, as stated."""

    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class CdaDocument:
    """What a page shows of a document.

    kind: its type in words. language: as stated, such as "fr-FR". made, born: as a FHIR dateTime, "" when unknown.
    patients, authors: names, with the establishment of an author. keeper: the establishment that keeps it.
    enclosed: None for a level 3 document, and where the file is elsewhere.
    """

    title: str
    kind: str
    language: str
    made: str
    patients: tuple[str, ...]
    born: str
    authors: tuple[str, ...]
    keeper: str
    sections: tuple[CdaSection, ...] = field(default=())
    enclosed: Enclosed | None = None


def read_cda(content: bytes) -> CdaDocument:
    """Read a document. Raises: Problem, as `root_of`."""
    root = root_of(content)
    patient = "h:recordTarget/h:patientRole/h:patient"
    body = root.find("h:component/h:structuredBody", V3)
    return CdaDocument(
        title=text_at(root, "h:title"),
        kind=attribute_at(root, "h:code", "displayName"),
        language=attribute_at(root, "h:languageCode", "code"),
        made=_time(attribute_at(root, "h:effectiveTime", "value")),
        patients=tuple(filter(None, (_name(one) for one in _some(root, f"{patient}/h:name")))),
        born=_time(attribute_at(root, f"{patient}/h:birthTime", "value")),
        authors=tuple(filter(None, (_author(one) for one in _some(root, "h:author/h:assignedAuthor")))),
        keeper=text_at(root, "h:custodian/h:assignedCustodian/h:representedCustodianOrganization/h:name"),
        sections=tuple(_sections(body, 1)) if body is not None else (),
        enclosed=_enclosed(root.find("h:component/h:nonXMLBody/h:text", V3)),
    )


def _some(root: etree._Element, path: str) -> list[etree._Element]:
    return [*islice(root.iterfind(path, V3), _MOST_PEOPLE)]


def _time(value: str) -> str:
    match = TIME.fullmatch(value)
    return written_time(match) if match else ""


def _name(node: etree._Element) -> str:
    """Return a name in the order in which its parts stand."""
    return " ".join(part for part in (*(bare_text(one) for one in node), (node.text or "").strip()) if part)


def _author(node: etree._Element) -> str:
    person = node.find("h:assignedPerson/h:name", V3)
    device = "h:assignedAuthoringDevice/h:"
    name = _name(person) if person is not None else ""
    name = name or text_at(node, f"{device}softwareName") or text_at(node, f"{device}manufacturerModelName")
    return ", ".join(filter(None, (name, text_at(node, "h:representedOrganization/h:name"))))


def _sections(body: etree._Element, level: int) -> Iterator[CdaSection]:
    for section in body.iterfind("h:component/h:section", V3):
        yield CdaSection(text_at(section, "h:title"), level, section.find("h:text", V3))
        if level < _DEEPEST:
            yield from _sections(section, level + 1)


def _enclosed(text: etree._Element | None) -> Enclosed | None:
    """Return the file in the document, None when it is elsewhere, compressed or not readable."""
    if text is None or text.find("h:reference", V3) is not None or text.get("compression"):
        return None
    written = "".join(text.itertext())
    if text.get("representation") != "B64":
        return Enclosed(_MEDIA_TYPE, written.strip().encode())
    try:
        content = b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Enclosed(str(text.get("mediaType", _MEDIA_TYPE)), content)
