"""The embedded store: one SQLite file, one writer that groups commits, and a read transaction for each snapshot."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from consent_rules.visibility import Interval, Visibility, micros
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.judging import Meets, is_visible
from fhir_server.adapters.messages import Bell
from fhir_server.adapters.sealing import ERASED, SPACE, KeyGone, Keyring, Sealed, unseal
from fhir_server.adapters.sqlite import counters, tables, whole_trail
from fhir_server.adapters.sqlite.changes import Preparer, apply, apply_all
from fhir_server.adapters.sqlite.connections import Loan, Readers, failure, failures_named
from fhir_server.adapters.sqlite.erasure import erase
from fhir_server.adapters.sqlite.outbox import SqliteOutbox
from fhir_server.adapters.sqlite.parts import keep_mark
from fhir_server.adapters.sqlite.schema import apply_schema, is_current
from fhir_server.adapters.sqlite.tables import Head, Statement, stored_of
from fhir_server.adapters.sqlite.writer import Writer
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.stored import Facts, Stored, instant_or_none
from fhir_server.ports.store import Change, Filters, Location, Page, Queued, Space, StoreUnavailable
from fhir_server.registry import REGISTRY, TRACE

_START = Place(-(1 << 63), "")
"""A position before every row of a queue."""
_NEWEST = "SELECT max(updated) FROM (SELECT updated FROM trail ORDER BY position DESC LIMIT 256)"
_FEW_IDS = 8
"""So few ids are found one by one without a look at how many rows there are."""
_BULK = 200
"""Changes of a bulk load that share a sync."""


class SqliteSnapshot:
    """A read transaction. It keeps the promises of `ports.store.Snapshot`."""

    def __init__(self, connection: Connection, hashes: Hashes, keyring: Keyring) -> None:
        """Begin; the first read fixes the moment."""
        self._connection = connection
        self._hashes = hashes
        self._keyring = keyring
        self._rows: dict[tuple[str, str], tuple[Any, ...] | None] = {}
        connection.execute("BEGIN")

    def load_space(self, patient: PatientId) -> Space | None:
        """Return the decision state of a patient's space."""
        rows = self._all(Statement("SELECT revision, state FROM spaces WHERE patient = ?", (patient,)))
        if not rows:
            return None
        revision, sealed = rows[0]
        try:
            state = unseal(self._keyring.by_id, Sealed(SPACE, patient, revision), sealed)
        except KeyGone:
            state = b""
        return Space(patient, revision, state)

    def patients(self, after: PatientId, limit: int) -> tuple[PatientId, ...]:
        """Return the ids of the patients who have a space, sorted by id."""
        statement = Statement("SELECT patient FROM spaces WHERE patient > ? ORDER BY patient LIMIT ?", (after, limit))
        return tuple(row[0] for row in self._all(statement))

    def locate(self, type_: str, id_: str) -> Location | None:
        """Return the compartment of a resource for any caller."""
        row = self._row(type_, id_)
        return tables.location(row) if row else None

    def compartments_with(self, type_: str, tokens: frozenset[str], limit: int) -> tuple[tuple[PatientId, str], ...]:
        """Return (compartment, id) of the current resources that have all these lookup tokens."""
        if not tokens:
            return ()
        return tuple(self._all(tables.having(type_, self._hashes.lookup(sorted(tokens)), limit)))

    def queue(self, type_: str, token: str, date: str, limit: int, after: Place | None) -> tuple[Queued, ...]:
        """Return the current resources of all spaces that have a lookup token, the earliest first."""
        (hashed,) = self._hashes.lookup((token,))
        return tuple(Queued(*row) for row in self._all(tables.queue(type_, hashed, date, limit, after or _START)))

    def read(self, type_: str, id_: str, filters: Filters) -> Stored | None:
        """Return the current version when it is visible."""
        found = self._head(type_, id_, filters.of(type_))
        return self._opened(*found) if found else None

    def read_version(self, type_: str, id_: str, version: int, filters: Filters) -> Stored | None:
        """Return one version, judged by the current facts."""
        return next((stored for stored in self.history(type_, id_, filters) if stored.version == version), None)

    def history(self, type_: str, id_: str, filters: Filters) -> tuple[Stored, ...]:
        """Return all versions, newest first, judged by the current facts."""
        found = self._head(type_, id_, filters.of(type_))
        if not found:
            return ()
        head, facts, sealed = found
        rows = self._all(tables.older(type_, id_)) if head.version > 1 else []
        older = (
            self._opened(head._replace(version=version, deleted=deleted, updated=updated), facts, body)
            for version, deleted, updated, body in rows
        )
        return (self._opened(head, facts, sealed), *older)

    def find(self, search: Search, filters: Filters) -> Page:
        """Return one page of the visible current resources that match."""
        visibility = filters.of(search.type)
        if not search.limit or not visibility.clauses:
            return Page((), None)
        through = self._goes_through(search.type, search.ids, visibility)
        rows = self._all(tables.page(search, visibility, self._hashes, through=through))
        page = [tables.split(row[1:]) for row in rows[: search.limit]]
        found = tuple(self._readable(page))
        if len(rows) <= search.limit:
            return Page(found, None)
        return Page(found, Place(rows[search.limit - 1][0], page[-1][0].id))

    def find_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> Page:
        """Return one page of the visible audit events that match, of all spaces and outside any space."""
        places, met, rest = self._everywhere(search, span, filters, looks)
        kept = met[: search.limit]
        following = places[kept[-1]] if kept and len(met) > search.limit else rest
        bodies = {row[0]: tables.split(row[1:]) for row in self._all(whole_trail.bodies(kept))}
        return Page(tuple(self._readable(bodies[position] for position in kept)), following)

    def count_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> int | None:
        """Return how many events `find_everywhere` would find in all."""
        _, met, rest = self._everywhere(replace(search, after=None), span, filters, looks)
        return None if rest else len(met)

    def _everywhere(
        self, search: Search, span: Interval, filters: Filters, looks: int
    ) -> tuple[Mapping[int, Place], list[int], Place | None]:
        """Return the places that were looked at, by position; the positions that match; and where to go on."""
        visibility = filters.of(search.type)
        if not (visibility.everywhere and visibility.clauses):
            return {}, [], None
        found = self._all(whole_trail.stretch(search, span, looks))
        places = {position: Place(value, id_) for position, value, id_ in found[:looks]}
        meets = Meets(search.criteria, self._hashes, whole_trail.has)
        rows = self._all(whole_trail.visible(places, visibility))
        met = {row[0] for row in rows if meets(tables.facts_of(row[2:]), row[1])}
        rest = places[found[looks - 1][0]] if len(found) > looks else None
        return places, [position for position in places if position in met], rest

    def locate_all(self, type_: str, ids: Iterable[str]) -> Mapping[str, PatientId]:
        """Return the compartment of each of these ids that a resource has or had, for any caller."""
        rows = self._all(whole_trail.located(type_, ids))
        return {id_: compartment for id_, compartment in rows if compartment != ERASED}

    def count(self, search: Search, filters: Filters, cap: int) -> int | None:
        """Return how many visible resources match, None above the cap."""
        visibility = filters.of(search.type)
        if not visibility.clauses:
            return 0
        through = self._goes_through(search.type, search.ids, visibility)
        found: int = self._all(tables.total(search, visibility, self._hashes, cap, through=through))[0][0]
        return found if found <= cap else None

    def matching_ids(self, search: Search, filters: Filters, cap: int) -> frozenset[str] | None:
        """Return the ids of the visible resources that match, None above the cap."""
        visibility = filters.of(search.type)
        if not visibility.clauses:
            return frozenset()
        through = self._goes_through(search.type, search.ids, visibility)
        rows = self._all(tables.matching(search, visibility, self._hashes, cap, through=through))
        return frozenset(row[0] for row in rows) if len(rows) <= cap else None

    def visible_ids(
        self,
        type_: str,
        ids: Iterable[str],
        filters: Filters,
        gone: bool = False,  # noqa: FBT001, FBT002
    ) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: include deleted ones."""
        return self._seen_among(type_, ids, filters.of(type_), gone=gone)

    def _seen_among(self, type_: str, ids: Iterable[str], visibility: Visibility, *, gone: bool) -> frozenset[str]:
        asked = frozenset(ids)
        if not asked or not visibility.clauses:
            return frozenset()
        through = self._goes_through(type_, asked, visibility)
        statement = tables.seen_among(type_, asked, visibility, gone=gone, through=through)
        return frozenset(row[0] for row in self._all(statement))

    def _goes_through(self, type_: str, ids: frozenset[str] | None, visibility: Visibility) -> bool:
        """Tell whether many ids are found quicker by going through the rows of their type in a compartment."""
        compartment = visibility.compartment
        if not compartment or type_ == TRACE or ids is None or len(ids) <= _FEW_IDS:
            return False
        last = self._all(tables.last_row(compartment, type_))[0][0]
        return tables.is_small(compartment, type_, last, len(ids))

    def _head(self, type_: str, id_: str, visibility: Visibility) -> tuple[Head, Facts, bytes] | None:
        row = self._row(type_, id_)
        if not row:
            return None
        head, facts, sealed = tables.split(row)
        return (head, facts, sealed) if is_visible(head.type, facts, visibility, self._seen_among) else None

    def _row(self, type_: str, id_: str) -> tuple[Any, ...] | None:
        """Return the encrypted row of a resource; a read after a location needs no second query."""
        if (type_, id_) not in self._rows:
            rows = self._all(tables.one(type_, id_))
            self._rows[type_, id_] = rows[0] if rows else None
        return self._rows[type_, id_]

    def _readable(self, rows: Iterable[tuple[Head, Facts, bytes]]) -> Iterator[Stored]:
        """Decrypt rows; a row whose key another process is destroying counts as erased."""
        for row in rows:
            with suppress(KeyGone):
                yield self._opened(*row)

    def _opened(self, head: Head, facts: Facts, sealed: bytes) -> Stored:
        name = Sealed(head.type, head.id, head.version)
        return stored_of(head, facts, b"" if head.deleted else unseal(self._keyring.by_id, name, sealed))

    def _all(self, statement: Statement) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement.sql, statement.values).fetchall()
        except sqlite3.Error as error:
            raise failure(error) from error


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
        self._bell = Bell()
        self.outbox = SqliteOutbox(database.writer, database.readers, keyring, self._bell)
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
        self._ring(change)

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
        self._ring(change)
        self._database.writer.empty_log()

    def purge_counters(self, now: datetime) -> int:
        """Remove counters in which nothing counts any longer; return how many."""
        return self._database.writer.run(lambda connection: counters.purge(connection, micros(now)))

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

    def _ring(self, *changes: Change) -> None:
        if any(change.outbox for change in changes):
            self._bell.ring()

    def _commit_some(self, changes: Sequence[Change]) -> None:
        self._keyring.make(
            {write.after.facts.access.compartment for change in changes for write in change.writes}
            | {trace.event.facts.access.compartment for change in changes for trace in change.traces}
        )
        ready = [self._preparer.change(change) for change in changes]
        _, failure = self._database.writer.run(lambda connection: apply_all(connection, ready))
        self._ring(*changes)
        if failure is not None:
            raise failure


def _probe(connection: Connection) -> None:
    connection.execute("INSERT INTO probes VALUES ('write', 1) ON CONFLICT DO UPDATE SET count = count + 1")
