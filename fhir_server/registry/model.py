"""What a row of the registry says about a resource type.

The CapabilityStatement, the routes, the index and the access decision all use this table.
A type without an access rule cannot be declared: the field has no default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from consent_rules.vocabulary import Code


class Interaction(Code):
    """What a caller does: codes of http://hl7.org/fhir/restful-interaction, then acts at the authorization server."""

    READ = "read"
    VREAD = "vread"
    HISTORY = "history-instance"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    SEARCH = "search-type"
    TRANSACTION = "transaction"
    BATCH = "batch"
    OPERATION = "operation"
    LOGIN = "login"
    LOGOUT = "logout"
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105 - a token is issued
    REVOKE = "revoke"


class AccessRule(Enum):
    """Which rule decides about resources of a type.

    DOCUMENT: matrix, directives and marks (View.DOCUMENTS). GATHERING: the documents that it names.
    CONTENT: the document of the content. DIRECTIVE: View.DIRECTIVES. TRACE: View.TRACES.
    IDENTITY: View.IDENTITY. NOTICE: View.NOTICES.
    DIRECTORY: open to every authenticated caller, written by directory administrators.
    PUBLIC: open to everybody without a token; the resources come from the code, and nothing of the type is stored.
    OWNER: open to the client that created the resource, for the same person, practice situation, patient and purpose;
    the resource is kept in the vault.
    """

    DOCUMENT = "document"
    GATHERING = "gathering"
    CONTENT = "content"
    DIRECTIVE = "directive"
    TRACE = "trace"
    IDENTITY = "identity"
    NOTICE = "notice"
    DIRECTORY = "directory"
    PUBLIC = "public"
    OWNER = "owner"


ParamType = Literal["token", "reference", "string", "date", "uri", "composite"]


@dataclass(frozen=True, slots=True)
class SearchParam:
    """One search parameter.

    paths: element paths from the resource root. The index follows a step into a contained resource: `author.family` has
        the paths `author.name.family` and `author.practitioner.name.family`. It follows no step into the directory:
        `chained_search` looks that up when somebody asks. `telecom[system=phone]` keeps the elements whose member has
        that value.
    definition: canonical URL for the CapabilityStatement.
    targets: types that a reference may point to, empty for any; references to other types are not indexed.
    lookup: whether a search without a patient finds the resource too, by exact `system|value`.
    system: code system of an element that has a bare code.
    absent: the code that a missing element counts as, "" when there is none.
    marks: whether the visibility marks, which are kept outside the resource, are values too for a caller who may know
        them.
    components: of a composite parameter: the parameters that one element must meet together.
    examined: whether no index has its values, so that it is evaluated on what the caller would be shown.
    chain: the reference and the parameter of its target, as in `author.family`; empty for a parameter of the type.
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
    components: tuple[str, ...] = ()
    examined: bool = False
    chain: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the chain from the name, once."""
        base, _, target = self.name.partition(".")
        object.__setattr__(self, "chain", (base, target) if target else ("", ""))

    @property
    def is_sorted_by_store(self) -> bool:
        """Whether the stores can sort by it: they keep the intervals of dates, but only hashes of other values."""
        return self.type == "date" and not self.examined


@dataclass(frozen=True, slots=True)
class Words:
    """What a person calls the resources of a type, in one language.

    one: with its article, such as "a notice". of_one: the same after "of", such as "of a notice".
    every: all that a search may find, such as "the notices". shared: what an app may be given, such as "notices".
    """

    one: str
    of_one: str
    every: str
    shared: str


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type of the server.

    patient_path: element whose reference names the patient; "id" when the resource is the patient; "" for a resource of
        the directory, or one that belongs to its document.
    profiles: canonical URLs that the server supports for the type.
    words: by language, "en" and "fr"; empty for the directory, which belongs to no space.
    transactions: IHE's names for interactions, such as "ITI-67" for a search.
    kind: the code of the matrix that governs every resource of the type; "" where each resource states its own.
    unique: whether an identifier names one resource of the type, for ever.
    of_person: whether the identifiers are those of a person, which no address may show.
    by_operator: whether only the operator's own software records the type, and no establishment.
    is_party: whether a resource of the directory is somebody to whom access is given: a person, a post or an
        establishment.
    stored_as: the type as which the store holds the resources; "" for the type itself.
    refused: elements that a resource of the type may not have here.
    by_server: whether only the server itself writes the type.
    unconditional: whether the type takes no conditional writes: neither If-None-Exist nor criteria in the URL.
    care_dates: date parameters that say when the care took place; the first one with a value counts.
    documentation: what the CapabilityStatement says besides, "" for nothing.
    """

    name: str
    access: AccessRule
    interactions: frozenset[Interaction]
    search: tuple[SearchParam, ...] = ()
    patient_path: str = ""
    profiles: tuple[str, ...] = ()
    words: Mapping[str, Words] = field(default_factory=dict, hash=False)
    transactions: Mapping[Interaction, str] = field(default_factory=dict, hash=False)
    kind: str = ""
    unique: bool = False
    of_person: bool = False
    by_operator: bool = False
    is_party: bool = False
    stored_as: str = ""
    refused: tuple[str, ...] = ()
    by_server: bool = False
    unconditional: bool = False
    care_dates: tuple[str, ...] = ()
    documentation: str = ""

    @property
    def creates_conditionally(self) -> bool:
        """Whether the server honours If-None-Exist: a document is never published on a condition."""
        if self.unconditional:
            return False
        return Interaction.CREATE in self.interactions and self.access is not AccessRule.DOCUMENT

    @property
    def updates_conditionally(self) -> bool:
        """Whether a PUT may name the resource by criteria."""
        return self._on_criteria(Interaction.UPDATE)

    @property
    def patches_conditionally(self) -> bool:
        """Whether a PATCH may name the resource by criteria (PDSm, flux 03)."""
        return self._on_criteria(Interaction.PATCH)

    @property
    def deletes_conditionally(self) -> bool:
        """Whether a DELETE may name the one resource by criteria."""
        return self._on_criteria(Interaction.DELETE)

    def _on_criteria(self, interaction: Interaction) -> bool:
        return interaction in self.interactions and not self.unconditional

    @property
    def names_patient(self) -> bool:
        """Whether a search must name the patient whose resources it wants."""
        return Interaction.SEARCH in self.interactions and self.patient_path not in ("", "id")
