"""A DocumentReference that is being generated from a structured document: its parts, and what could not be mapped.

Source: IHE MHD 4.2, ITI-106 Generate Metadata (https://profiles.ihe.net/ITI/MHD/ITI-106.html).
"""

from base64 import b64encode
from dataclasses import dataclass, field

import orjson

from fhir_server.domain.documents.submission import IDENTIFIER_TYPES, hash_of
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json

URI = "urn:ietf:rfc:3986"
FORMATS = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
_SUFFICIENT = "urn:ihe:iti:xds:2017:mimeTypeSufficient"


@dataclass(frozen=True, slots=True)
class Generated:
    """What was generated. resource: a DocumentReference with its content inside. notes: what was not mapped."""

    resource: Json
    notes: tuple[Issue, ...]


@dataclass(slots=True)
class Draft:
    """A DocumentReference on its way; elements without a value are left out at the end."""

    elements: Json = field(default_factory=dict)
    contained: list[Json] = field(default_factory=list)
    notes: list[Issue] = field(default_factory=list)
    _ids: dict[bytes, str] = field(default_factory=dict)

    def contain(self, resource: Json) -> Json:
        """Add a contained resource; return a reference to it. One that is there already is not added again."""
        bare = {name: value for name, value in resource.items() if name not in ("id", "meta", "text")}
        key = orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)
        if key not in self._ids:
            self._ids[key] = f"{str(resource['resourceType']).lower()}-{len(self.contained) + 1}"
            self.contained.append({"resourceType": resource["resourceType"], "id": self._ids[key]} | bare)
        return {"reference": f"#{self._ids[key]}"}

    def note(self, text: str, element: str) -> None:
        """Note that something was not mapped. element: of the DocumentReference, without its type."""
        self.notes.append(Issue(text, f"DocumentReference.{element}", "not-mapped"))

    def finished(self, content: bytes, attachment: Json) -> Generated:
        """Return the DocumentReference with its content inside."""
        of_content = {"data": b64encode(content).decode(), "size": len(content), "hash": hash_of(content)}
        form = {"system": FORMATS, "code": _SUFFICIENT}
        self.note("the format of the content is stated as its media type alone", "content[0].format")
        elements = {"contained": self.contained, "status": "current"} | self.elements
        elements["content"] = [{"attachment": pruned(attachment | of_content), "format": form}]
        return Generated({"resourceType": "DocumentReference"} | pruned(elements), tuple(self.notes))


def pruned(element: Json) -> Json:
    """Return an element without members that have no value."""
    return {name: value for name, value in element.items() if value not in (None, "", [], {})}


def unique_id(system: str, value: str) -> Json:
    """Return the identifier of a document, as MHD marks it."""
    coding = {"system": IDENTIFIER_TYPES, "code": "uniqueId"}
    return {"type": {"coding": [coding]}, "system": system, "value": value}
