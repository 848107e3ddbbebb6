"""A Change made ready for writing, and written inside a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fhir_server.adapters.mongo.client import Document, Session
from fhir_server.adapters.mongo.documents import head_of, marks_of, superseded, tokens_of
from fhir_server.adapters.preparing import (
    HashedClaims,
    SealedSpaces,
    Sealer,
    event_of,
    leaf_of,
    resource_of,
)
from fhir_server.domain.stored import Stored
from fhir_server.ports import AlreadyClaimed, Change, SpaceWrite, StoreConflict


@dataclass(frozen=True, slots=True)
class ReadyWrite:
    """One resource: which head it replaces, and by what. `head` is None for a change of marks, told by `fields`."""

    name: str
    expected: tuple[int, int]
    head: Document | None
    fields: Document


@dataclass(frozen=True, slots=True)
class ReadyChange:
    """One change, sealed and hashed."""

    traces: tuple[Document, ...]
    writes: tuple[ReadyWrite, ...]
    spaces: SealedSpaces
    claims: HashedClaims

    @property
    def lone_trace(self) -> Document | None:
        """The one trace of a change that writes nothing else: it needs no transaction."""
        if len(self.traces) == 1 and not (self.writes or self.spaces or self.claims):
            return self.traces[0]
        return None


@dataclass(frozen=True, slots=True)
class Preparer(Sealer):
    """Makes a change ready in this store's shapes."""

    def change(self, change: Change) -> ReadyChange:
        """Make a change ready."""
        return ReadyChange(
            traces=tuple(self._trace(event_of(trace)) for trace in change.traces),
            writes=tuple(self._write(resource_of(write), write.expected) for write in change.writes),
            spaces=self.spaces(change),
            claims=self.claims(change),
        )

    def _trace(self, event: Stored) -> Document:
        return head_of(event, self.hashes, self.body(event)) | {"leaf": leaf_of(event)}

    def _write(self, after: Stored, expected: tuple[int, int]) -> ReadyWrite:
        name = f"{after.type}/{after.id}"
        if after.body or after.deleted:
            return ReadyWrite(name, expected, head_of(after, self.hashes, self.body(after)), {})
        fields = marks_of(after)
        if after.facts.tokens or after.facts.lookup:
            fields |= tokens_of(after.facts, self.hashes)
        return ReadyWrite(name, expected, None, fields)


@dataclass(frozen=True, slots=True)
class Writing:
    """One transaction being written."""

    database: Database[Document]
    session: Session

    def apply(self, changes: Iterable[ReadyChange]) -> None:
        """Write changes.

        Raises: StoreConflict, AlreadyClaimed; then the transaction must be aborted.
        """
        for change in changes:
            for space, state in change.spaces:
                self._apply_space(space, state)
            for claim, hashed in change.claims:
                self._claim(claim, hashed)
            for write in change.writes:
                self._apply_write(write)
            if change.traces:
                self._append(change.traces)

    def _append(self, traces: tuple[Document, ...]) -> None:
        try:
            self.database["trail"].insert_many(traces, session=self.session)
        except DuplicateKeyError:
            raise StoreConflict("the trace is there already") from None

    def _claim(self, claim: str, hashed: bytes) -> None:
        try:
            self.database["claims"].insert_one({"_id": hashed}, session=self.session)
        except DuplicateKeyError:
            raise AlreadyClaimed(claim) from None

    def _apply_space(self, space: SpaceWrite, state: bytes | None) -> None:
        """Write or pin a space. A pin writes too, so that a change of the space meanwhile is noticed."""
        fields: Document = {"$inc": {"pins": 1}}
        if state is not None:
            fields = {"$inc": {"revision": 1}, "$set": {"state": state}}
        where = {"_id": space.patient, "revision": space.expected}
        try:
            done = self.database["spaces"].update_one(where, fields, session=self.session, upsert=space.expected == 0)
        except DuplicateKeyError:
            raise StoreConflict("the space has changed") from None
        if not done.matched_count and done.upserted_id is None:
            raise StoreConflict("the space has changed")

    def _apply_write(self, write: ReadyWrite) -> None:
        heads = self.database["heads"]
        version, mark = write.expected
        where = {"_id": write.name, "version": version, "mark": mark}
        if write.head is None:
            if not heads.update_one(where, {"$set": write.fields}, session=self.session).matched_count:
                raise StoreConflict("the resource has changed")
        elif write.expected == (0, 0):
            self._create(write.head)
        else:
            before = heads.find_one_and_replace(where, write.head, session=self.session)
            if before is None:
                raise StoreConflict("the resource has changed")
            self.database["versions"].insert_one(superseded(before), session=self.session)

    def _create(self, head: Document) -> None:
        try:
            self.database["heads"].insert_one(head, session=self.session)
        except DuplicateKeyError:
            raise StoreConflict("the resource exists already") from None
