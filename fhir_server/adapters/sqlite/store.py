"""The embedded store: one SQLite file, one writer that groups commits, and as many readers as requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.keyring import Keyring
from fhir_server.adapters.sqlite.changes import Preparer, apply, apply_all
from fhir_server.adapters.sqlite.connections import Loan, Readers, failures_named
from fhir_server.adapters.sqlite.erasure import erase
from fhir_server.adapters.sqlite.parts import keep_mark
from fhir_server.adapters.sqlite.schema import apply_schema, is_current
from fhir_server.adapters.sqlite.snapshot import SqliteSnapshot
from fhir_server.adapters.sqlite.writer import Writer
from fhir_server.domain.stored import instant_or_none
from fhir_server.ports.store import Change, StoreUnavailable
from fhir_server.registry import REGISTRY

_NEWEST = "SELECT max(updated) FROM (SELECT updated FROM trail ORDER BY position DESC LIMIT 256)"
_BULK = 200
"""Changes of a bulk load that share a sync."""


@dataclass(frozen=True, slots=True)
class Database:
    """One open SQLite file, which store and vault share."""

    writer: Writer
    readers: Readers

    @classmethod
    def open(cls, path: Path, *, mends: bool = False) -> "Database":
        """Open a file; create its tables when it is new. mends: as in apply_schema.

        Raises: StoreUnavailable.
        """
        writer = Writer(path)
        try:
            writer.outside(lambda connection: apply_schema(connection, mends=mends))
        except StoreUnavailable:
            writer.close()
            raise
        return cls(writer, Readers(path))

    def keep_mark(self, mark: str) -> str:
        """Store the mark of the installation unless there is one; return the stored mark."""
        return self.writer.run(lambda connection: keep_mark(connection, mark))

    def close(self) -> None:
        """Finish accepted work and release files and threads."""
        self.writer.close()
        self.readers.close()


class SqliteStore:
    """Resources, decision states and the audit log. It keeps the promises of `ports.store.Store`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        """Keep the parts; the store closes them."""
        self._database = database
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)
        self._preparer = Preparer(self._hashes, keyring)

    def snapshot(self) -> Loan[SqliteSnapshot]:
        """Open a consistent view."""
        return self._database.readers.lend_as(self._snapshot_of)

    def _snapshot_of(self, connection: Connection) -> SqliteSnapshot:
        return SqliteSnapshot(connection, self._hashes, self._keyring)

    def commit(self, change: Change) -> None:
        """Apply a change atomically and return when it is durable."""
        ready = self._preparer.change(change)
        self._database.writer.run(lambda connection: apply(connection, ready))

    def commit_many(self, changes: Sequence[Change]) -> None:
        """Apply independent changes, each atomically, sharing syncs."""
        for start in range(0, len(changes), _BULK):
            self._commit_some(changes[start : start + _BULK])

    def erase(self, compartment: PatientId, change: Change, released: Sequence[str] = ()) -> None:
        """Destroy everything in one space, then apply a change."""
        self._keyring.destroy(compartment)
        ready = self._preparer.change(change)
        claims = [self._hashes.claim(claim) for claim in released]

        def work(connection: Connection) -> None:
            erase(connection, compartment, REGISTRY, claims)
            apply(connection, ready)

        self._database.writer.run(work)
        self._database.writer.empty_log()

    def check(self) -> None:
        """Raise StoreUnavailable when reads and durable writes cannot be promised."""
        with self._database.readers.lend() as connection, failures_named():
            if not is_current(connection):
                raise StoreUnavailable("the schema of the SQLite file is not the one of this program")
        self._database.writer.run(_probe)
        self._database.writer.pay_debts()

    def newest(self) -> datetime | None:
        """Return the latest instant among the last audit events, which were appended nearly in the order of time."""
        with self._database.readers.lend() as connection, failures_named():
            return instant_or_none(connection.execute(_NEWEST).fetchone()[0])

    def close(self) -> None:
        """Release files and threads after finishing accepted commits."""
        self._database.close()
        self._keyring.shelf.close()

    def _commit_some(self, changes: Sequence[Change]) -> None:
        self._keyring.make(
            {write.after.facts.access.compartment for change in changes for write in change.writes}
            | {trace.event.facts.access.compartment for change in changes for trace in change.traces}
        )
        ready = [self._preparer.change(change) for change in changes]
        _, failure = self._database.writer.run(lambda connection: apply_all(connection, ready))
        if failure is not None:
            raise failure


def _probe(connection: Connection) -> None:
    connection.execute("INSERT INTO probes VALUES ('write', 1) ON CONFLICT DO UPDATE SET count = count + 1")
