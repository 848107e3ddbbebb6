"""What somebody asks to write: one value for the creation, replacement, patch and deletion of every type."""

from dataclasses import dataclass, field

from fhir_server.domain.values import Json
from fhir_server.r4.patch import Patch
from fhir_server.registry import Interaction, ResourceType


def _unchanged(resource: Json) -> Json:
    return resource


NO_PATCH = Patch(_unchanged)


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One write of one resource, as asked for.

    id: of the stored resource; for a new resource, the id that a transaction has chosen, or "".
    resource: the resource that was sent, empty for a patch or a deletion. patch: empty unless a patch was sent.
    root: expression of the resource in the request body, "" when the resource is the body.
    condition: If-None-Exist of a creation, or the criteria that name what to patch, as a query; "" for none.
    if_match: the version that the resource must have, "" for any.
    announced: whether the space of a new patient waits six weeks instead of being active at once.
    """

    interaction: Interaction
    row: ResourceType
    id: str = ""
    resource: Json = field(default_factory=dict)
    patch: Patch = NO_PATCH
    root: str = ""
    condition: str = ""
    if_match: str = ""
    announced: bool = False

    @property
    def expression(self) -> str:
        """The FHIRPath expression of the resource in the request."""
        return self.root or self.row.name

    def at(self, element: str) -> str:
        """Return the FHIRPath expression of an element in the request."""
        return f"{self.expression}.{element}"
