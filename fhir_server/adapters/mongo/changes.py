"""A Change prepared for writing: encrypted, hashed, in the shapes of this store."""

from dataclasses import dataclass

from consent_rules.vocabulary import PatientId
from fhir_server.adapters.mongo.client import Document
from fhir_server.adapters.mongo.documents import head_of, marks_of, message_documents, tokens_of
from fhir_server.adapters.preparing import (
    HashedClaims,
    HashedCounts,
    SealedSpaces,
    Sealer,
    event_of,
    leaf_of,
    resource_of,
)
from fhir_server.domain.stored import Stored
from fhir_server.ports.outbox import Handled
from fhir_server.ports.store import Change


@dataclass(frozen=True, slots=True)
class ReadyWrite:
    """One resource: the document that it replaces, and the new one. `head` is None when only the marks change."""

    name: str
    compartment: PatientId
    expected: tuple[int, int]
    head: Document | None
    fields: Document

    @property
    def is_new(self) -> bool:
        """Whether the resource must not exist yet."""
        return self.head is not None and self.expected == (0, 0)


@dataclass(frozen=True, slots=True)
class ReadyChange:
    """One change, encrypted and hashed."""

    traces: tuple[Document, ...]
    writes: tuple[ReadyWrite, ...]
    spaces: SealedSpaces
    claims: HashedClaims
    messages: tuple[Document, ...]
    handled: tuple[Handled, ...]
    counts: HashedCounts

    @property
    def lone_trace(self) -> Document | None:
        """The audit event of a change that writes nothing else; it needs no transaction."""
        if len(self.traces) == 1 and not self._writes_more:
            return self.traces[0]
        return None

    @property
    def _writes_more(self) -> bool:
        return bool(self.writes or self.spaces or self.claims or self.messages or self.handled or self.counts)

    @property
    def contended(self) -> frozenset[str]:
        """What others may write at the same time: spaces, counters, and single resources of the directory."""
        spaces = {space.patient for space, _ in self.spaces}
        spaces |= {write.compartment for write in self.writes if write.compartment}
        single = {w.name for w in self.writes if not (w.compartment or w.is_new)}
        return frozenset({*spaces, *single, *(subject.hex() for _, subject in self.counts)})


@dataclass(frozen=True, slots=True)
class Preparer(Sealer):
    """Prepares a change in the shapes of this store."""

    def change(self, change: Change) -> ReadyChange:
        """Prepare a change."""
        return ReadyChange(
            traces=tuple(self._trace(event_of(trace)) for trace in change.traces),
            writes=tuple(self._write(resource_of(write), write.expected) for write in change.writes),
            spaces=self.spaces(change),
            claims=self.claims(change),
            messages=message_documents(self.messages(change)),
            handled=change.handled,
            counts=self.counts(change),
        )

    def _trace(self, event: Stored) -> Document:
        return head_of(event, self.hashes, self.body(event)) | {"leaf": leaf_of(event)}

    def _write(self, after: Stored, expected: tuple[int, int]) -> ReadyWrite:
        name, compartment = f"{after.type}/{after.id}", after.facts.access.compartment
        if after.body or after.deleted:
            return ReadyWrite(name, compartment, expected, head_of(after, self.hashes, self.body(after)), {})
        fields = marks_of(after)
        if after.facts.tokens or after.facts.lookup:
            fields |= tokens_of(after.facts, self.hashes)
        return ReadyWrite(name, compartment, expected, None, fields)
