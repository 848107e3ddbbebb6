"""The store for large installations: MongoDB as replica set or sharded cluster, one transaction for each change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from consent_rules.visibility import micros
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.messages import Bell
from fhir_server.adapters.mongo.changes import Preparer, ReadyChange
from fhir_server.adapters.mongo.client import BRIEF_SECONDS, Bulkhead, Document, failures_named
from fhir_server.adapters.mongo.erasure import Erasure
from fhir_server.adapters.mongo.moment import Moment
from fhir_server.adapters.mongo.outbox import MongoOutbox
from fhir_server.adapters.mongo.schema import VERSION, check_server, version_of
from fhir_server.adapters.mongo.snapshot import MongoSnapshot
from fhir_server.adapters.mongo.transactions import Landed, Transactions
from fhir_server.adapters.mongo.writing import Writing, append_traces, prepare_counters, purge_counters
from fhir_server.adapters.sealing import Keyring
from fhir_server.domain.stored import instant_or_none
from fhir_server.metrics import counting
from fhir_server.ports.counters import CeilingReached
from fhir_server.ports.store import AlreadyClaimed, Change, OutcomeUnknown, StoreConflict, StoreUnavailable

_BULK = 50
"""Changes of a bulk load in one transaction."""


class MongoStore:
    """Resources, decision states and the audit log. It keeps the promises of `ports.store.Store`."""

    def __init__(self, client: MongoClient[Document], database: Database[Document], keyring: Keyring) -> None:
        """Keep the parts; the store closes them."""
        self._client = client
        self._database = database
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)
        self._preparer = Preparer(self._hashes, keyring)
        self._bulkhead = Bulkhead()
        self._bell = Bell()
        self.transactions = Transactions(client, database)
        self.outbox = MongoOutbox(database, keyring, self._bell, self.transactions.processes.suspect)

    @contextmanager
    def snapshot(self) -> Iterator[MongoSnapshot]:
        """Open a consistent view; at its end the majority confirms what was read."""
        with failures_named(), self._client.start_session() as session:
            moment = Moment(session)
            try:
                yield MongoSnapshot(self._database, moment, self._hashes, self._keyring)
            except BaseException:
                moment.give_up()
                raise
            moment.settle()

    def commit(self, change: Change) -> None:
        """Apply a change atomically and return when it is durable."""
        ready = self._preparer.change(change)
        if ready.lone_trace is None:
            with self._bulkhead.inside(ready.contended):
                self._write((ready,))
            self._ring(change)
        else:
            self._append(ready.lone_trace)

    def commit_many(self, changes: Sequence[Change]) -> None:
        """Apply independent changes, each atomically; several are in one transaction while none fails."""
        for start in range(0, len(changes), _BULK):
            some = changes[start : start + _BULK]
            try:
                self._write([self._preparer.change(change) for change in some])
                self._ring(*some)
            except (StoreConflict, AlreadyClaimed, CeilingReached):
                for change in some:
                    self.commit(change)

    def erase(self, compartment: PatientId, change: Change, released: Sequence[str] = ()) -> None:
        """Destroy everything in one space, then apply a change."""
        erasure = Erasure(self._database, self.transactions, compartment)
        with failures_named():
            erasure.demand_rights()
        self._keyring.destroy(compartment)
        ready = self._preparer.change(change)
        claims = [self._hashes.claim(claim) for claim in released]
        with failures_named():
            erasure.empty()
            erasure.finish(claims, ready, self._landing(ready))
        self._ring(change)

    def purge_counters(self, now: datetime) -> int:
        """Remove counters in which nothing counts any longer; return how many."""
        with failures_named(BRIEF_SECONDS):
            return purge_counters(self._database["counters"], micros(now))

    def check(self) -> None:
        """Raise StoreUnavailable when reads and durable writes cannot be promised."""
        check_server(self._client)
        if version_of(self._database) != VERSION:
            raise StoreUnavailable(f"the schema of database {self._database.name} is not the one of this program")
        with failures_named(BRIEF_SECONDS):
            at = micros(datetime.now(UTC))
            self._database["meta"].update_one({"_id": "probe"}, {"$max": {"at": at}}, upsert=True)

    def newest(self) -> datetime | None:
        """Return when the store was last proven to write: the latest instant that `check` has stored."""
        with failures_named(BRIEF_SECONDS):
            found = self._database["meta"].find_one({"_id": "probe"})
        return instant_or_none(found.get("at")) if found else None

    def close(self) -> None:
        """Close the connections."""
        self._keyring.shelf.close()
        self.transactions.close()
        self._client.close()

    def _ring(self, *changes: Change) -> None:
        if any(change.outbox for change in changes):
            self._bell.ring()

    def _write(self, changes: Sequence[ReadyChange]) -> None:
        counts = tuple(pair for change in changes for pair in change.counts)
        if counts:
            with failures_named():
                prepare_counters(self._database["counters"], counts)
        with _counted(len(changes)), failures_named():
            self.transactions.run(
                lambda session: Writing(self._database, session).apply(changes), self._landing(*changes)
            )

    def _landing(self, *changes: ReadyChange) -> Landed:
        """Return a function that tells whether changes are stored: it looks for their first audit event."""
        own = next((trace for change in changes for trace in change.traces), None)
        return partial(self._is_kept, own) if own else lambda: False

    def _append(self, trace: Document) -> None:
        """Write a single audit event: one command, no transaction."""
        try:
            with _counted(1), pymongo.timeout(BRIEF_SECONDS):
                append_traces(self._database["trail"], [trace])
        except ServerSelectionTimeoutError as error:
            raise StoreUnavailable(f"MongoDB: {error}") from error
        except PyMongoError as error:
            if not self._is_kept(trace):
                raise OutcomeUnknown(f"MongoDB: {error}") from error

    def _is_kept(self, trace: Document) -> bool:
        """Tell whether an audit event is in the audit log, as far as this server can see now."""
        where = {"_id": trace["_id"], "compartment": trace["compartment"]}
        try:
            with pymongo.timeout(BRIEF_SECONDS):
                return self._database["trail"].find_one(where, {"_id": 1}) is not None
        except PyMongoError:
            return False


@contextmanager
def _counted(changes: int) -> Iterator[None]:
    """Count a transaction; one that a conflict undoes counts neither as written nor as failed."""
    began = perf_counter()
    try:
        yield
    except (StoreUnavailable, PyMongoError):
        counting.not_committed()
        raise
    counting.committed(changes, perf_counter() - began)
