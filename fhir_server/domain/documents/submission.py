"""A submission as a value: the set, its documents with their contents, its folders, and the documents it supersedes.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105
(https://profiles.ihe.net/ITI/MHD/ITI-105.html); PDSm 3.1.1, flux 01 and 09; spec codes of IHE ITI TF-3, 4.2.4.1.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha1

from fhir_server.domain.problem import Issue
from fhir_server.domain.references import references_in
from fhir_server.domain.values import Json

MHD = "https://profiles.ihe.net/ITI/MHD"
LIST_TYPES = f"{MHD}/CodeSystem/MHDlistTypes"
IDENTIFIER_TYPES = f"{MHD}/CodeSystem/IHE.MHD.MHDIdentifierType"
FHIR_DOCUMENT = "Bundle"
"""The type of resource that a FHIR document is (https://hl7.org/fhir/R4/documents.html)."""
FHIR_TYPES = frozenset({"application/fhir+json", "application/fhir+xml"})
SOURCE_ID = f"{MHD}/StructureDefinition/ihe-sourceId"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as it was sent. root: FHIRPath of its resource. condition: its ifNoneExist.

    references: every Reference of the resource with a literal reference, with its FHIRPath, in document order.
    """

    index: int
    root: str
    resource: Json
    full_url: str = ""
    url: str = ""
    condition: str = ""
    references: tuple[tuple[str, Json], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Find the references once, because several checks go through them."""
        object.__setattr__(self, "references", tuple(references_in(self.resource, self.root)))


@dataclass(frozen=True, slots=True)
class Document:
    """One DocumentReference and its content; content is None when another server hosts it.

    binary: the entry with the content, None for a simplified publication. hash: of the content, as in an attachment.
    """

    item: Item
    content: bytes | None
    binary: Item | None = None
    hash: str | None = field(init=False, compare=False)

    @property
    def is_fhir(self) -> bool:
        """Whether the content was sent as a FHIR document, a Bundle, and not as bytes."""
        return self.binary is not None and self.binary.resource.get("resourceType") == FHIR_DOCUMENT

    def __post_init__(self) -> None:
        """Hash the content once, because it may be large."""
        object.__setattr__(self, "hash", None if self.content is None else hash_of(self.content))


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission set and everything submitted with it.

    supersedes: PATCH entries that set a document's status to superseded. notes: warnings, by index of the entry.
    brought_from: the server from which the patient brings the documents, "" for any other submission.
    """

    set: Item
    documents: tuple[Document, ...]
    folders: tuple[Item, ...] = ()
    folder_updates: tuple[Item, ...] = ()
    supersedes: tuple[Item, ...] = ()
    patient: Item | None = None
    brought_from: str = ""
    notes: tuple[tuple[int, Issue], ...] = ()


def list_kind(resource: Json) -> str:
    """Return "submissionset" or "folder", "" for any other List."""
    codes = [c.get("code") for c in resource.get("code", {}).get("coding", []) if c.get("system") == LIST_TYPES]
    return next((code for code in ("submissionset", "folder") if code in codes), "")


def unique_id(resource: Json) -> str:
    """Return the unique id of a List, "" when it has none."""
    found = (item.get("value", "") for item in resource.get("identifier", []) if identifier_kind(item) == "uniqueId")
    return str(next(found, ""))


def hash_of(content: bytes) -> str:
    """Return the hash of a content as FHIR and MHD define it: base64 of SHA-1."""
    return b64encode(sha1(content, usedforsecurity=False).digest()).decode()


def is_supersede(parameters: Json) -> bool:
    """Tell whether a FHIRPath Patch only sets the status of a document to superseded."""
    operations = [item for item in parameters.get("parameter", []) if item.get("name") == "operation"]
    if len(operations) != 1 or len(parameters.get("parameter", [])) != 1:
        return False
    parts = {part.get("name"): part for part in operations[0].get("part", [])}
    value = parts.get("value", {})
    return (
        parts.get("type", {}).get("valueCode") == "replace"
        and parts.get("path", {}).get("valueString") == "DocumentReference.status"
        and next((value[name] for name in ("valueCode", "valueString") if name in value), "") == "superseded"
    )


def replaced_by(resource: Json) -> list[tuple[int, str]]:
    """Return (index in relatesTo, literal target) of each document that this document replaces."""
    return [
        (index, str(relation.get("target", {}).get("reference", "")))
        for index, relation in enumerate(resource.get("relatesTo", []))
        if relation.get("code") == "replaces"
    ]


def attachment_of(resource: Json) -> Json:
    """Return the attachment of a document's first content, empty when there is none."""
    contents = resource.get("content", [])
    found: Json = contents[0].get("attachment", {}) if contents else {}
    return found


def identifier_kind(identifier: Json) -> str:
    """Return the kind of an MHD identifier: "uniqueId", "entryUUID" or another code of its type, "" without a type."""
    codings = identifier.get("type", {}).get("coding", [])
    return str(next((c.get("code", "") for c in codings if c.get("system") == IDENTIFIER_TYPES), ""))
