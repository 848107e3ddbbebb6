"""What a query gives back: one version of a resource, as its reader may see it.

No reference to a document that the reader does not see is left in its body.
"""

from dataclasses import dataclass

from fhir_server.application.core.minor_confidentiality import HIDDEN_FROM_GUARDIANS
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored


@dataclass(frozen=True, slots=True)
class Shown:
    """One version that may be shown: its body holds no reference to a document that the caller does not see.

    of_confidential: a content whose document is a minor's secret.
    """

    stored: Stored
    knows_marks: bool
    of_confidential: bool = False

    @property
    def is_confidential(self) -> bool:
        """Tell whether it is a minor's secret, whose every trace is one too (B10)."""
        return self.of_confidential or HIDDEN_FROM_GUARDIANS in self.stored.facts.access.marks

    @property
    def about(self) -> tuple[str, ...]:
        """The ids of the documents that it is about without being one: a list, a trace, a notice, a choice."""
        named = documents_named(self.stored.body) if self.stored.type == "Consent" else ()
        return self.stored.facts.documents or tuple(sorted(named))

    @property
    def reference(self) -> str:
        """The relative reference of the resource."""
        return f"{self.stored.type}/{self.stored.id}"

    @property
    def touched(self) -> tuple[str, ...]:
        """What the trail names: the resource, and for a content the document that carries it."""
        if self.stored.type != "Binary":
            return (self.reference,)
        return (self.reference, *(f"DocumentReference/{id_}" for id_ in self.stored.facts.documents))
