"""What a row of the registry says of a resource type.

The CapabilityStatement, the routes, the index and the access decision all come from this table.
A type without an access rule cannot be written down: the field has no default.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal


class Interaction(StrEnum):
    """Codes of http://hl7.org/fhir/restful-interaction that a type may offer."""

    READ = "read"
    VREAD = "vread"
    HISTORY = "history-instance"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    SEARCH = "search-type"


class AccessRule(Enum):
    """Who decides about resources of a type.

    DOCUMENT: matrix, directives and marks (View.DOCUMENTS). GATHERING: through the documents it gathers.
    CONTENT: through the document that carries it. DIRECTIVE: View.DIRECTIVES. TRACE: View.TRACES.
    IDENTITY: View.IDENTITY. NOTICE: View.NOTICES.
    DIRECTORY: open to every authenticated caller, written by directory administrators.
    """

    DOCUMENT = "document"
    GATHERING = "gathering"
    CONTENT = "content"
    DIRECTIVE = "directive"
    TRACE = "trace"
    IDENTITY = "identity"
    NOTICE = "notice"
    DIRECTORY = "directory"


ParamType = Literal["token", "reference", "string", "date", "uri"]


@dataclass(frozen=True, slots=True)
class SearchParam:
    """One search parameter.

    paths: element paths from the resource root; a step into a reference that is contained is followed
        ("author.family" of MHD is ("author.name.family",)), one into the directory is followed by the search;
        `telecom[system=phone]` keeps the elements whose member has that value. definition: canonical URL for the
        CapabilityStatement.
    targets: types that a reference may point to, empty when any; other references are not indexed.
    lookup: also found without naming a patient, by exact `system|value`.
    system: code system of an element that holds a bare code.
    absent: the code that a resource without the element counts as, "" when none. marks: whether the visibility marks,
        which are kept beside a resource, are values too, for whoever may know them.
    """

    name: str
    type: ParamType
    paths: tuple[str, ...]
    definition: str
    targets: tuple[str, ...] = ()
    lookup: bool = False
    documentation: str = ""
    system: str = ""
    absent: str = ""
    marks: bool = False

    @property
    def chain(self) -> tuple[str, str]:
        """The reference and the parameter of its target, as in `author.family`; empty for a parameter of the type."""
        base, _, target = self.name.partition(".")
        return (base, target) if target else ("", "")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type of the server.

    patient_path: element whose reference names the owning patient; "id" when the resource is the patient; "" when it
        belongs to the directory, or to whoever owns its document. profiles: canonical URLs that the server
        supports for the type.
    """

    name: str
    access: AccessRule
    interactions: frozenset[Interaction]
    search: tuple[SearchParam, ...] = ()
    patient_path: str = ""
    profiles: tuple[str, ...] = ()

    @property
    def creates_conditionally(self) -> bool:
        """Whether If-None-Exist is honoured: a document is never published on a condition."""
        return Interaction.CREATE in self.interactions and self.access is not AccessRule.DOCUMENT

    @property
    def patches_conditionally(self) -> bool:
        """Whether a PATCH may name the resource by its business identifier (PDSm, flux 03)."""
        return Interaction.PATCH in self.interactions and self.access is AccessRule.DOCUMENT

    @property
    def names_patient(self) -> bool:
        """Whether a search names the patient whose resources are meant."""
        return Interaction.SEARCH in self.interactions and self.patient_path not in ("", "id")
