"""Reads from one moment of the SQLite store."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from sqlite3 import Connection
from typing import Any

from consent_rules.visibility import Visibility
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.judging import is_visible
from fhir_server.adapters.keyring import KeyGone, Keyring
from fhir_server.adapters.sealing import SPACE, Sealed, unseal
from fhir_server.adapters.sqlite import queries
from fhir_server.adapters.sqlite.connections import failure
from fhir_server.adapters.sqlite.queries import Statement
from fhir_server.adapters.sqlite.rows import Head, stored_of
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.stored import Facts, Stored
from fhir_server.ports.store import Filters, Location, Page, Queued, Space

_START = Place(-(1 << 63), "")
"""A position before every row of a queue."""


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
        return queries.location(row) if row else None

    def compartments_with(self, type_: str, tokens: frozenset[str], limit: int) -> tuple[tuple[PatientId, str], ...]:
        """Return (compartment, id) of the current resources that have all these lookup tokens."""
        if not tokens:
            return ()
        return tuple(self._all(queries.having(type_, self._hashes.lookup(sorted(tokens)), limit)))

    def queue(self, type_: str, token: str, date: str, limit: int, after: Place | None) -> tuple[Queued, ...]:
        """Return the current resources of all spaces that have a lookup token, the earliest first."""
        (hashed,) = self._hashes.lookup((token,))
        return tuple(Queued(*row) for row in self._all(queries.queue(type_, hashed, date, limit, after or _START)))

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
        rows = self._all(queries.older(type_, id_)) if head.version > 1 else []
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
        rows = self._all(queries.page(search, visibility, self._hashes))
        page = [queries.split(row[1:]) for row in rows[: search.limit]]
        found = tuple(self._readable(page))
        if len(rows) <= search.limit:
            return Page(found, None)
        return Page(found, Place(rows[search.limit - 1][0], page[-1][0].id))

    def count(self, search: Search, filters: Filters, cap: int) -> int | None:
        """Return how many visible resources match, None above the cap."""
        visibility = filters.of(search.type)
        if not visibility.clauses:
            return 0
        found: int = self._all(queries.total(search, visibility, self._hashes, cap))[0][0]
        return found if found <= cap else None

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
        return frozenset(row[0] for row in self._all(queries.seen_among(type_, asked, visibility, gone=gone)))

    def _head(self, type_: str, id_: str, visibility: Visibility) -> tuple[Head, Facts, bytes] | None:
        row = self._row(type_, id_)
        if not row:
            return None
        head, facts, sealed = queries.split(row)
        return (head, facts, sealed) if is_visible(head.type, facts, visibility, self._seen_among) else None

    def _row(self, type_: str, id_: str) -> tuple[Any, ...] | None:
        """Return the encrypted row of a resource; a read after a location needs no second query."""
        if (type_, id_) not in self._rows:
            rows = self._all(queries.one(type_, id_))
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
