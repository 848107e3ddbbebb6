"""The store to grow on: MongoDB as a replica set or a sharded cluster, one transaction for each change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.keyring import Keyring
from fhir_server.adapters.mongo.changes import Preparer, ReadyChange, Writing
from fhir_server.adapters.mongo.client import DURABLE, SNAPSHOT, Document, Session, failures_named, in_transaction
from fhir_server.adapters.mongo.erasure import erase
from fhir_server.adapters.mongo.schema import VERSION, check_server, version_of
from fhir_server.adapters.mongo.snapshot import MongoSnapshot
from fhir_server.domain.instants import instant_or_none, micros
from fhir_server.ports import AlreadyClaimed, Change, StoreConflict, StoreUnavailable

_BULK = 50
"""Changes of a bulk load that share a transaction."""


class MongoStore:
    """Resources, decision states and the trail. Its promises are those of `ports.Store`."""

    def __init__(self, client: MongoClient[Document], database: Database[Document], keyring: Keyring) -> None:
        """Keep the parts; the store closes them."""
        self._client = client
        self._database = database
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)
        self._preparer = Preparer(self._hashes, keyring)

    @contextmanager
    def snapshot(self) -> Iterator[MongoSnapshot]:
        """Open a consistent view."""
        with failures_named(), self._client.start_session() as session:
            session.start_transaction(read_concern=SNAPSHOT, write_concern=DURABLE)
            yield MongoSnapshot(self._database, session, self._hashes, self._keyring)
            session.abort_transaction()

    def commit(self, change: Change) -> None:
        """Apply a change atomically and return when it is durable."""
        ready = self._preparer.change(change)
        lone = ready.lone_trace
        with failures_named():
            if lone is None:
                self._write((ready,))
                return
            try:
                self._database["trail"].insert_one(lone)
            except DuplicateKeyError:
                raise StoreConflict("the trace is there already") from None

    def commit_many(self, changes: Sequence[Change]) -> None:
        """Apply independent changes, each atomically, several of them in one transaction while none fails."""
        for start in range(0, len(changes), _BULK):
            some = changes[start : start + _BULK]
            try:
                with failures_named():
                    self._write([self._preparer.change(change) for change in some])
            except (StoreConflict, AlreadyClaimed):
                for change in some:
                    self.commit(change)

    def erase(self, compartment: str, change: Change, released: Sequence[str] = ()) -> None:
        """Destroy everything of one space, then apply a change."""
        self._keyring.destroy(compartment)
        ready = self._preparer.change(change)
        claims = [self._hashes.claim(claim) for claim in released]

        def work(session: Session) -> None:
            erase(self._database, session, compartment, claims)
            Writing(self._database, session).apply((ready,))

        with failures_named():
            in_transaction(self._client, work)

    def check(self) -> None:
        """Raise StoreUnavailable when reads and durable writes cannot be promised."""
        check_server(self._client)
        if version_of(self._database) != VERSION:
            raise StoreUnavailable(f"the schema of database {self._database.name} is not the one of this program")
        with failures_named():
            at = micros(datetime.now(UTC))
            self._database["meta"].update_one({"_id": "probe"}, {"$max": {"at": at}}, upsert=True)

    def newest(self) -> datetime | None:
        """Return when the store was last proven to write: the trail has no order over all spaces."""
        with failures_named():
            found = self._database["meta"].find_one({"_id": "probe"})
        return instant_or_none(found.get("at")) if found else None

    def close(self) -> None:
        """Close the connections."""
        self._keyring.shelf.close()
        self._client.close()

    def _write(self, changes: Sequence[ReadyChange]) -> None:
        in_transaction(self._client, lambda session: Writing(self._database, session).apply(changes))
