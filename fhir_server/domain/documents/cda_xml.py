"""The XML of a CDA R2 document, read safely: its root, its times and its texts.

A document type declaration is refused, so no entity is ever expanded, and nothing is fetched.
Source: HL7 CDA R2 (https://www.hl7.org/implement/standards/product_brief.cfm?product_id=7); OWASP XML External Entity
Prevention Cheat Sheet.
"""

import re
from datetime import datetime

from lxml import etree

from fhir_server.domain.problem import Category, Problem
from fhir_server.settings import limits

NS = "urn:hl7-org:v3"
V3 = {"h": NS}
"""The prefix of paths in this module and those that use it."""
_ROOT = f"{{{NS}}}ClinicalDocument"
TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.\d+)?)?(?:([+-])(\d\d)(\d\d))?)?)?)?", re.ASCII
)


def root_of(content: bytes) -> etree._Element:
    """Return the root of a CDA document, without comments and processing instructions.

    Raises: Problem(INVALID) for what is not well-formed, declares a document type, or is no CDA document; TOO_LARGE for
    more elements than the limits allow.
    """
    most = limits.in_force().members
    if max(content.count(b"<"), content.count(b"=")) > 2 * most:
        raise Problem.of(Category.TOO_LARGE, f"a document holds at most {most} values", code="too-many-values")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid("the document is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise invalid("the document must not declare a document type")
    if root.tag != _ROOT:
        raise invalid("the document is no CDA R2 document: its root is no `ClinicalDocument` of urn:hl7-org:v3")
    return root


def invalid(text: str) -> Problem:
    """Return the refusal of a document."""
    return Problem.of(Category.INVALID, text, "Binary.data", "structure")


def text_at(node: etree._Element, path: str) -> str:
    """Return the text below the first element of a path, "" for none; its white space is put together."""
    found = node.find(path, V3)
    return bare_text(found) if found is not None else ""


def bare_text(node: etree._Element) -> str:
    """Return the text below an element, with its white space put together."""
    return " ".join("".join(node.itertext()).split())


def attribute_at(node: etree._Element, path: str, name: str) -> str:
    """Return an attribute of the first element of a path, "" for none."""
    found = node.find(path, V3)
    return str(found.get(name, "")) if found is not None else ""


def written_time(match: re.Match[str]) -> str:
    """Return a TS that matches `TIME` as a FHIR dateTime, "" when it is none; without its zone, the date alone."""
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    told = f"{date}T{hour}:{minute}:{second or '00'}{sign}{zone_hour}:{zone_minute}" if hour and sign else date
    try:
        datetime.fromisoformat(f"{told}-01-01"[:10] if "T" not in told else told)
    except ValueError:
        return ""
    return told
