"""A Change made ready for writing, and written inside a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.keyring import Keyring
from fhir_server.adapters.mongo.client import Document, Session
from fhir_server.adapters.mongo.documents import head_of, marks_of, superseded, tokens_of
from fhir_server.adapters.mongo.snapshot import SPACE, TRACE
from fhir_server.adapters.sealing import Sealed, seal
from fhir_server.domain.stored import Stored
from fhir_server.ports import AlreadyClaimed, Change, SpaceWrite, StoreConflict, Trace, Write


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
    spaces: tuple[tuple[SpaceWrite, bytes | None], ...]
    claims: tuple[tuple[str, bytes], ...]

    @property
    def lone_trace(self) -> Document | None:
        """The one trace of a change that writes nothing else: it needs no transaction."""
        if len(self.traces) == 1 and not (self.writes or self.spaces or self.claims):
            return self.traces[0]
        return None


@dataclass(frozen=True, slots=True)
class Preparer:
    """Seals and hashes what a change writes."""

    hashes: Hashes
    keyring: Keyring

    def change(self, change: Change) -> ReadyChange:
        """Make a change ready."""
        return ReadyChange(
            traces=tuple(self._trace(trace) for trace in change.traces),
            writes=tuple(self._write(write) for write in change.writes),
            spaces=tuple((space, self._state(space)) for space in change.spaces),
            claims=tuple((claim, self.hashes.claim(claim)) for claim in change.claims),
        )

    def _trace(self, trace: Trace) -> Document:
        event = trace.event
        if event.type != TRACE or event.version != 1 or event.mark or event.deleted:
            raise ValueError("a trace is the first version of an AuditEvent")
        return head_of(event, self.hashes, self._sealed(event)) | {"leaf": sha256(b"\0" + event.body).digest()}

    def _write(self, write: Write) -> ReadyWrite:
        after = write.after
        if after.type == TRACE:
            raise ValueError("AuditEvents are written as traces")
        name = f"{after.type}/{after.id}"
        if after.body or after.deleted:
            body = self._sealed(after) if after.body else b""
            return ReadyWrite(name, write.expected, head_of(after, self.hashes, body), {})
        fields = marks_of(after)
        if after.facts.tokens or after.facts.lookup:
            fields |= tokens_of(after.facts, self.hashes)
        return ReadyWrite(name, write.expected, None, fields)

    def _sealed(self, stored: Stored) -> bytes:
        key = self.keyring.sealing(stored.facts.access.compartment)
        return seal(key, Sealed(stored.type, stored.id, stored.version), stored.body)

    def _state(self, space: SpaceWrite) -> bytes | None:
        if space.state is None:
            return None
        name = Sealed(SPACE, space.patient, space.expected + 1)
        return seal(self.keyring.sealing(space.patient), name, space.state)


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
