"""Writing changes in one transaction: first what nobody else writes, last what others wait for.

The audit events, claims and new resources of all changes go in one command for each collection. Replaced resources
follow, and the decision states come last, so that a process that dies in between locks them for the shortest time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pymongo
from pymongo import DeleteOne, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from consent_rules.vocabulary import NO_SPACE
from fhir_server.adapters.messages import due_of
from fhir_server.adapters.mongo.changes import ReadyChange, ReadyWrite
from fhir_server.adapters.mongo.client import BRIEF_SECONDS, Document, Session
from fhir_server.adapters.mongo.documents import locator_of, order_of, rows_filter, rows_of, superseded
from fhir_server.adapters.mongo.transactions import bounded_wait
from fhir_server.adapters.preparing import HashedCounts
from fhir_server.adapters.windows import counted
from fhir_server.ports.outbox import Fate, Handled
from fhir_server.ports.store import AlreadyClaimed, LeaseLost, MessageGone, SpaceWrite, StoreConflict

_DUPLICATE = 11000
_PURGED = 10_000
"""Counters that are removed at once."""


def demand_duplicate(error: BulkWriteError) -> int:
    """Return the number of the row whose key exists.

    Raises: the error itself when it is of another kind.
    """
    faults = error.details["writeErrors"]
    if not faults or any(fault["code"] != _DUPLICATE for fault in faults):
        raise error
    number: int = faults[0]["index"]
    return number


def append_traces(trail: Collection[Document], traces: Sequence[Document], session: Session | None = None) -> None:
    """Add audit events, each after its locator, in one command.

    Raises: StoreConflict when one exists.
    """
    try:
        trail.insert_many([row for trace in traces for row in (locator_of(trace), trace)], session=session)
    except BulkWriteError as error:
        demand_duplicate(error)
        raise StoreConflict("the trace is there already") from None


@dataclass(frozen=True, slots=True)
class Writing:
    """One transaction that is being written."""

    database: Database[Document]
    session: Session

    def apply(self, changes: Sequence[ReadyChange]) -> None:
        """Write changes.

        Raises: StoreConflict, AlreadyClaimed, CeilingReached; then the transaction must be aborted.
        """
        traces = [trace for change in changes for trace in change.traces]
        if traces:
            append_traces(self.database["trail"], traces, self.session)
        self._claim([claim for change in changes for claim in change.claims])
        writes = [write for change in changes for write in change.writes]
        self._create([write.head for write in writes if write.is_new and write.head])
        self._replace(sorted((write for write in writes if not write.is_new), key=lambda write: write.name))
        self._put([message for change in changes for message in change.messages])
        self._settle([one for change in changes for one in change.handled])
        self._apply_spaces([space for change in changes for space in change.spaces])
        for change in changes:
            if change.counts:
                _count(self.database["counters"], change.counts, self.session)

    def _claim(self, claims: Sequence[tuple[str, bytes]]) -> None:
        if not claims:
            return
        try:
            with bounded_wait():
                self._insert("claims", [{"_id": hashed} for _, hashed in claims])
        except BulkWriteError as error:
            raise AlreadyClaimed(claims[demand_duplicate(error)][0]) from None

    def _create(self, heads: Sequence[Document]) -> None:
        if not heads:
            return
        try:
            self._insert("heads", [row for head in heads for row in (locator_of(head), head)])
        except BulkWriteError as error:
            demand_duplicate(error)
            raise StoreConflict("the resource exists already") from None
        self._insert("lookups", [row for head in heads for row in rows_of(head)])

    def _replace(self, writes: Iterable[ReadyWrite]) -> None:
        before = [(write, self._replaced(write)) for write in writes]
        self._insert("versions", [superseded(head) for write, head in before if write.head])
        for write, head in before:
            self._look_up_anew(head, write.head or head | write.fields)

    def _replaced(self, write: ReadyWrite) -> Document:
        """Store the new version or its new marks; return the version before."""
        version, mark = write.expected
        where = {"_id": write.name, "compartment": write.compartment, "version": version, "mark": mark}
        heads = self.database["heads"]
        with bounded_wait():
            if write.head is None:
                before = heads.find_one_and_update(where, {"$set": write.fields}, session=self.session)
            else:
                before = heads.find_one_and_replace(where, write.head, session=self.session)
        if before is None:
            raise StoreConflict("the resource has changed")
        return before

    def _look_up_anew(self, before: Document, after: Document) -> None:
        old, new = rows_of(before), rows_of(after)
        if old != new:
            if old:
                self.database["lookups"].delete_many(rows_filter(before), session=self.session)
            self._insert("lookups", new)

    def _put(self, messages: Sequence[Document]) -> None:
        """Put messages; of one that is there already only the number of puts grows, which its handler notices."""
        if not messages:
            return
        writes = [_message_write(message) for message in messages]
        try:
            with bounded_wait():
                self.database["outbox"].bulk_write(writes, session=self.session)
        except BulkWriteError as error:
            demand_duplicate(error)
            raise StoreConflict("another change puts the same message") from None

    def _settle(self, handled: Sequence[Handled]) -> None:
        """Write what becomes of messages. The lease is written too, so that a concurrent takeover is noticed."""
        for lane, number in sorted({(one.lease.lane, one.lease.number) for one in handled if one.lease}):
            held = {"_id": lane, "number": number, "holder": {"$ne": None}}
            with bounded_wait():
                done = self.database["leases"].update_one(held, {"$inc": {"beat": 1}}, session=self.session)
            if not done.matched_count:
                raise LeaseLost(f"somebody else works the lane {lane}")
        if not handled:
            return
        with bounded_wait():
            settled = self.database["outbox"].bulk_write([_fate_of(one) for one in handled], session=self.session)
        if settled.deleted_count + settled.matched_count != len(handled):
            raise MessageGone("the message is not in the outbox as it was read")

    def _apply_spaces(self, spaces: Sequence[tuple[SpaceWrite, bytes | None]]) -> None:
        if not spaces:
            return
        writes = [_space_write(*one) for one in sorted(spaces, key=lambda one: one[0].patient)]
        try:
            with bounded_wait():
                done = self.database["spaces"].bulk_write(writes, session=self.session)
        except BulkWriteError as error:
            demand_duplicate(error)
            raise StoreConflict("the space has changed") from None
        if done.matched_count + done.upserted_count != len(writes):
            raise StoreConflict("the space has changed")

    def _insert(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self.database[name].insert_many([dict(row) for row in rows], session=self.session)


def _message_write(message: Document) -> UpdateOne:
    where = {"_id": message["_id"], "compartment": message["compartment"]}
    fresh = {name: value for name, value in message.items() if name not in where}
    return UpdateOne(where, {"$setOnInsert": fresh, "$inc": {"puts": 1}}, upsert=True)


def _fate_of(one: Handled) -> DeleteOne | UpdateOne:
    message = one.message
    as_read: Document = {"_id": message.id, "compartment": message.compartment or NO_SPACE}
    as_read |= {"puts": message.puts, "dead": message.dead}
    if one.fate is Fate.DONE:
        return DeleteOne(as_read)
    due = due_of(message.due if one.fate is Fate.DEAD else one.due)
    fields = {"due": due, "attempts": one.attempts, "error": one.error, "dead": one.fate is Fate.DEAD}
    return UpdateOne(as_read, {"$set": fields | {"order": order_of(due, message.position)}})


def _space_write(space: SpaceWrite, state: bytes | None) -> UpdateOne:
    """Return the write or check of a space. A check writes too, so that a concurrent change of the space is noticed."""
    fields: Document = {"$inc": {"pins": 1}}
    if state is not None:
        fields = {"$inc": {"revision": 1}, "$set": {"state": state}}
    where = {"_id": space.patient, "compartment": space.patient, "revision": space.expected}
    return UpdateOne(where, fields, upsert=space.expected == 0)


def prepare_counters(counters: Collection[Document], counts: HashedCounts) -> None:
    """Refuse what is above a limit already, and make the documents of counters that are missing.

    Outside of any transaction: a flood of refusals locks nothing.
    Raises: CeilingReached.
    """
    with pymongo.timeout(BRIEF_SECONDS):
        found = _slots_of(counters, counts, None)
        for count, subject in counts:
            counted(found.get(subject, b""), count)
        _make(counters, [subject for _, subject in counts if subject not in found])


def _count(counters: Collection[Document], counts: HashedCounts, session: Session) -> None:
    """Count inside a transaction; of two transactions that count for one subject, the later one starts again.

    Raises: CeilingReached; StoreConflict when a counter was removed meanwhile.
    """
    with bounded_wait():
        found = _slots_of(counters, counts, session)
        for count, subject in counts:
            after = counted(found.get(subject, b""), count)
            found[subject] = after.slots
            fields = {"slots": after.slots, "expires": after.expires}
            done = counters.update_one({"_id": subject}, {"$set": fields, "$inc": {"counts": 1}}, session=session)
            if not done.matched_count:
                raise StoreConflict("the counter was removed")


def purge_counters(counters: Collection[Document], at: int) -> int:
    """Remove counters in which nothing counts at an instant, a batch; return how many.

    This may also remove a counter that was just made and holds nothing yet; the count that then misses it begins again.
    """
    over = {"expires": {"$lte": at}}
    rows = counters.find({"_id": {"$gte": b""}} | over, {"_id": 1}).limit(_PURGED)
    return counters.delete_many({"_id": {"$in": [row["_id"] for row in rows]}} | over).deleted_count


def _slots_of(counters: Collection[Document], counts: HashedCounts, session: Session | None) -> dict[bytes, bytes]:
    named = [subject for _, subject in counts]
    rows = counters.find({"_id": {"$in": named}}, {"slots": 1}, session=session)
    return {bytes(row["_id"]): bytes(row["slots"]) for row in rows}


def _make(counters: Collection[Document], subjects: Sequence[bytes]) -> None:
    if not subjects:
        return
    empty = {"$setOnInsert": {"slots": b"", "expires": 0, "counts": 0}}
    try:
        counters.bulk_write([UpdateOne({"_id": subject}, empty, upsert=True) for subject in subjects], ordered=False)
    except BulkWriteError as error:  # another process was faster
        if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
            raise
