"""One row per resource type: what can be done, what can be searched, whose it is, and who decides.

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
    IDENTITY: View.IDENTITY. DIRECTORY: open to every authenticated caller, written by directory administrators.
    """

    DOCUMENT = "document"
    GATHERING = "gathering"
    CONTENT = "content"
    DIRECTIVE = "directive"
    TRACE = "trace"
    IDENTITY = "identity"
    DIRECTORY = "directory"


ParamType = Literal["token", "reference", "string", "date", "uri"]


@dataclass(frozen=True, slots=True)
class SearchParam:
    """One search parameter.

    paths: element paths from the resource root; a step into a reference that is contained is followed
        ("author.family" of MHD is ("author.name.family",)). definition: canonical URL for the CapabilityStatement.
    lookup: also found without naming a patient.
    """

    name: str
    type: ParamType
    paths: tuple[str, ...]
    definition: str
    targets: tuple[str, ...] = ()
    lookup: bool = False
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type of the server.

    patient_path: element whose reference names the owning patient; "" when the resource is the patient ("id")
        or belongs to the directory. profiles: canonical URLs that the server supports for the type.
    """

    name: str
    access: AccessRule
    interactions: frozenset[Interaction]
    search: tuple[SearchParam, ...] = ()
    patient_path: str = ""
    profiles: tuple[str, ...] = ()
