"""What somebody asks to write: one value for the creation, replacement, patch and deletion of every type."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_server.domain import bodies, conditional_requests
from fhir_server.domain.conditional_requests import Criteria
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.r4.patch import Patch
from fhir_server.registry import Interaction, ResourceType


def _unchanged(resource: Json) -> Json:
    return resource


NO_PATCH = Patch(_unchanged)
SCOPE_LETTERS: Mapping[Interaction, str] = {
    Interaction.CREATE: "c",
    Interaction.UPDATE: "u",
    Interaction.PATCH: "u",
    Interaction.DELETE: "d",
}
"""The letter of each write in a SMART scope."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One write of one resource, as asked for.

    id: of the stored resource; for a new resource, the id that a transaction has chosen, or "".
    resource: the resource that was sent, empty for a patch or a deletion. patch: empty unless a patch was sent.
    root: expression of the resource in the request body, "" when the resource is the body.
    condition: If-None-Exist of a creation, or the criteria that name what to write, as a query; "" for none.
    criteria_at: the element that a fault of the criteria names, "" when they are in the URL of the request.
    if_match: the version that the resource must have, "" for any.
    only_new: whether the write must create the resource (`If-None-Match: *`).
    announced: whether the space of a new patient waits six weeks instead of being active at once.
    """

    interaction: Interaction
    row: ResourceType
    id: str = ""
    resource: Json = field(default_factory=dict)
    patch: Patch = NO_PATCH
    root: str = ""
    condition: str = ""
    criteria_at: str = ""
    if_match: str = ""
    only_new: bool = False
    announced: bool = False

    @property
    def expression(self) -> str:
        """The FHIRPath expression of the resource in the request."""
        return self.root or self.row.name

    def criteria(self, fhir_base: str) -> Criteria:
        """Return the criteria that name what to write. Raises: as `conditional_requests.read_criteria`."""
        return conditional_requests.read_criteria(self.row, self.condition, fhir_base, self.criteria_at)

    def at(self, element: str) -> str:
        """Return the FHIRPath expression of an element in the request."""
        return f"{self.expression}.{element}"


def demand_match(if_match: str, stored: Stored, *, knows_marks: bool) -> None:
    """Compare an If-Match header with the version that this caller sees; "" demands nothing.

    Raises: Problem(VERSION_CONFLICT).
    """
    if not if_match.strip() or if_match.strip() == "*":
        return
    current = bodies.version_id(stored, knows_marks=knows_marks)
    wanted = {item.strip().removeprefix("W/").strip('"') for item in if_match.split(",")}
    if current not in wanted:
        raise Problem(Category.VERSION_CONFLICT)
