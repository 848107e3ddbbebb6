"""What a query returns: one version of a resource, as its reader may see it.

Its body contains no reference to a document that the reader does not see, neither by id nor by an identifier alone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import orjson

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.minor_confidentiality import HIDDEN_FROM_GUARDIANS
from fhir_server.application.core.search_index import visible_documents
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.domain.references import (
    Number,
    documents_named,
    identifiers_named,
    number_of,
    without_documents,
    without_numbers,
)
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.ports.store import Filters, Snapshot
from fhir_server.registry import AccessRule, types_under, types_with

_NAMING = types_under(AccessRule.DIRECTIVE)
_NUMBERED = tuple(sorted(types_with("identifier", AccessRule.DOCUMENT, AccessRule.GATHERING)))
_AT_ONCE = 200
_MAY_NAME = (b'"related":', b'"target":', b'"item":', b'"sourceReference":', b'"data":')
_BY_NUMBER = b'"identifier":{'
"""Only a Reference has one identifier, an object; a resource has a list of identifiers."""
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


def visible_bodies(
    snapshot: Snapshot, rows: Sequence[Stored], filters: Filters, written: frozenset[str] = frozenset()
) -> list[bytes]:
    """Return the bodies of resources of one space without references to documents that the reader does not see.

    written: ids of documents that the reader writes in this request.
    """
    named_by = [documents_named(row.body) for row in rows]
    named = frozenset[str]().union(*named_by) - written
    hidden = named - visible_documents(snapshot, named, filters) if named else frozenset()
    bodies = [without_documents(row.body, hidden & of_row) for row, of_row in zip(rows, named_by, strict=True)]
    numbers = {position: found for position, body in enumerate(bodies) if (found := _numbers(body))}
    if not numbers:
        return bodies
    by_token = {_token(number): number for found in numbers.values() for number in found}
    unseen = unseen_identifiers(snapshot, rows[0].facts.access.compartment, by_token, filters)
    removed = frozenset(by_token[token] for token in unseen)
    for position in numbers if removed else ():
        bodies[position] = without_numbers(bodies[position], removed)
    return bodies


def unseen_identifiers(
    snapshot: Snapshot, patient: PatientId, wanted: Collection[str], filters: Filters
) -> frozenset[str]:
    """Return which identifiers belong to documents or lists of a space of which the reader sees none.

    wanted: search tokens of the parameter `identifier`. System-level: this reads whether such a resource exists,
    whoever asks, and serves only to leave the identifier out (docs/threat-model.md).
    """
    seen: set[str] = set()
    there: set[str] = set()
    everything, ordered = whole_space(ReadingReason.LOGICAL_REFERENCES, patient), sorted(wanted)
    for start in range(0, len(ordered) if patient else 0, _AT_ONCE):
        some = frozenset(ordered[start : start + _AT_ONCE])
        for type_ in _NUMBERED:
            rows = snapshot.find(Search(type_, (AnyOf(some),), limit=2 * _AT_ONCE), everything).rows
            visible = snapshot.visible_ids(type_, [row.id for row in rows], filters) if rows else frozenset()
            for row in rows:
                (seen if row.id in visible else there).update(some & frozenset(_own_tokens(row)))
    return frozenset(there - seen)


def _numbers(body: bytes) -> frozenset[Number]:
    """Return the identifiers by which a body may name documents and lists; quick for a body that cannot name any."""
    if _BY_NUMBER not in body or not any(name in body for name in _MAY_NAME):
        return frozenset()
    return identifiers_named(orjson.loads(body))


def _token(number: Number) -> str:
    system, value = number
    return tokens.exact_token("identifier", system, value) if system else tokens.any_system("identifier", value)


def _own_tokens(row: Stored) -> Iterator[str]:
    """Yield the tokens by which the identifiers of a document or list are found."""
    resource = orjson.loads(row.body)
    for identifier in (resource.get("masterIdentifier"), *resource.get("identifier", ())):
        number = number_of({"identifier": identifier})
        if number:
            yield from tokens.token("identifier", *number)
