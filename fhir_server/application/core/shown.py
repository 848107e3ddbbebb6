"""What a query returns: one version of a resource, as its reader may see it.

Its body contains no reference to a document that the reader does not see.
"""

from dataclasses import dataclass

from fhir_server.application.core.minor_confidentiality import HIDDEN_FROM_GUARDIANS
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored
from fhir_server.registry import AccessRule, types_under

_NAMING = types_under(AccessRule.DIRECTIVE)
_CONTENTS = types_under(AccessRule.CONTENT)


@dataclass(frozen=True, slots=True)
class Shown:
    """One version that may be shown: its body contains no reference to a document that the caller does not see.

    knows_marks: whether the caller may see the visibility marks. of_confidential: whether this is the content of a
    document that is hidden from guardians.
    """

    stored: Stored
    knows_marks: bool
    of_confidential: bool = False

    @property
    def is_confidential(self) -> bool:
        """Tell whether the resource is hidden from guardians; then its audit events are hidden from them too (B10)."""
        return self.of_confidential or HIDDEN_FROM_GUARDIANS in self.stored.facts.access.marks

    @property
    def about(self) -> tuple[str, ...]:
        """The ids of the documents that a list, an audit event, a notice or a Consent is about."""
        named = documents_named(self.stored.body) if self.stored.type in _NAMING else ()
        return self.stored.facts.documents or tuple(sorted(named))

    @property
    def reference(self) -> str:
        """The relative reference of the resource."""
        return f"{self.stored.type}/{self.stored.id}"

    @property
    def touched(self) -> tuple[str, ...]:
        """The references that the audit event names: the resource, and for a content also its document."""
        if self.stored.type not in _CONTENTS:
            return (self.reference,)
        return (self.reference, *(f"DocumentReference/{id_}" for id_ in self.stored.facts.documents))
