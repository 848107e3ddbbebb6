"""A Change prepared for writing (encrypted and hashed, by any thread), and written (by the only writer)."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from consent_rules.visibility import micros
from fhir_server.adapters.hashing import TOKEN_BYTES
from fhir_server.adapters.messages import SealedMessage
from fhir_server.adapters.preparing import (
    HashedClaims,
    HashedCounts,
    SealedSpaces,
    Sealer,
    event_of,
    leaf_of,
    resource_of,
)
from fhir_server.adapters.sqlite.counters import count_all
from fhir_server.adapters.sqlite.outbox import put, settle
from fhir_server.adapters.sqlite.tables import FactColumns, columns_of, packed_tokens, row_range
from fhir_server.domain.stored import Stored, micros_or_none
from fhir_server.ports.counters import CeilingReached
from fhir_server.ports.outbox import Handled
from fhir_server.ports.store import AlreadyClaimed, Change, SpaceWrite, StoreConflict

_ACCESS = ", ".join(FactColumns._fields)
_TRACE_COLUMNS = f"leaf, compartment, id, updated, {_ACCESS}, tokens, body"


def _places(count: int) -> str:
    return ", ".join("?" * count)


_TRACE_WIDTH = _TRACE_COLUMNS.count(",") + 1
_INSERT_TRACE = f"""INSERT INTO trail (position, {_TRACE_COLUMNS})
    VALUES ((SELECT coalesce(max(position) + 1, 0) FROM trail), {_places(_TRACE_WIDTH)})"""
_HEAD_COLUMNS = f"compartment, type, id, version, mark, deleted, updated, marked, {_ACCESS}, lookup, tokens"
_HEAD_WIDTH = _HEAD_COLUMNS.count(",") + 1
_INSERT_HEAD = f"""INSERT INTO heads (row, {_HEAD_COLUMNS})
    VALUES ((SELECT coalesce(max(row) + 1, ?) FROM heads WHERE row BETWEEN ? AND ?), {_places(_HEAD_WIDTH)})
    ON CONFLICT (type, id) DO NOTHING"""
_UPDATE_HEAD = f"UPDATE heads SET ({_HEAD_COLUMNS}) = ({_places(_HEAD_WIDTH)}) WHERE row = ?"
_MARKED = f"version, mark, updated, marked, {_ACCESS}"
_UPDATE_MARKS = f"UPDATE heads SET ({_MARKED}) = ({_places(_MARKED.count(',') + 1)}) WHERE row = ?"
_KEEP_VERSION = """INSERT INTO versions (row, version, updated, deleted, body)
    SELECT row, version, updated, deleted, body FROM heads JOIN bodies USING (row) WHERE row = ?"""
_INSERT_LOOKUP = "INSERT INTO lookup (hash, row, listed) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ReadyWrite:
    """One resource, encrypted and hashed."""

    after: Stored
    expected: tuple[int, int]
    facts: FactColumns
    lookup: bytes
    unlisted: bytes
    tokens: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class ReadyChange:
    """One change, encrypted and hashed: audit events, resources, (space, encrypted state), (claim, its hash)."""

    traces: tuple[tuple[Any, ...], ...]
    writes: tuple[ReadyWrite, ...]
    spaces: SealedSpaces
    claims: HashedClaims
    messages: tuple[SealedMessage, ...]
    handled: tuple[Handled, ...]
    counts: HashedCounts


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
            messages=self.messages(change),
            handled=change.handled,
            counts=self.counts(change),
        )

    def _trace(self, event: Stored) -> tuple[Any, ...]:
        return (
            leaf_of(event),
            event.facts.access.compartment,
            event.id,
            micros(event.last_updated),
            *columns_of(event.facts),
            packed_tokens(self.hashes, event.facts),
            self.body(event),
        )

    def _write(self, after: Stored, expected: tuple[int, int]) -> ReadyWrite:
        tokens = packed_tokens(self.hashes, after.facts)
        listed = frozenset(self.hashes.lookup(after.facts.lookup))
        of_directory = frozenset() if after.facts.access.compartment else _cut(tokens)
        return ReadyWrite(
            after=after,
            expected=expected,
            facts=columns_of(after.facts),
            lookup=b"".join(sorted(listed)),
            unlisted=b"".join(sorted(of_directory - listed)),
            tokens=tokens,
            body=self.body(after),
        )


def apply(connection: Connection, change: ReadyChange) -> None:
    """Write a change inside the current transaction.

    Raises: StoreConflict, AlreadyClaimed, CeilingReached, sqlite3.Error; the caller must then undo what was written.
    """
    if change.counts:
        count_all(connection, change.counts)
    for space, state in change.spaces:
        _apply_space(connection, space, state)
    for claim, hashed in change.claims:
        if not connection.execute("INSERT INTO claims VALUES (?) ON CONFLICT DO NOTHING", (hashed,)).rowcount:
            raise AlreadyClaimed(claim)
    for write in change.writes:
        _apply_write(connection, write)
    for trace in change.traces:
        _apply_trace(connection, trace)
    put(connection, change.messages)
    settle(connection, change.handled)


def apply_all(connection: Connection, changes: Sequence[ReadyChange]) -> tuple[int, Exception | None]:
    """Write changes until one fails; the failed one writes nothing. Return how many were written, and the failure."""
    for number, change in enumerate(changes):
        connection.execute("SAVEPOINT each")
        try:
            apply(connection, change)
        except (StoreConflict, AlreadyClaimed, CeilingReached) as error:
            connection.execute("ROLLBACK TO each")
            return number, error
        finally:
            connection.execute("RELEASE each")
    return len(changes), None


def _apply_trace(connection: Connection, trace: tuple[Any, ...]) -> None:
    try:
        connection.execute(_INSERT_TRACE, trace)
    except sqlite3.IntegrityError as error:
        if "trail.id" not in str(error):
            raise
        raise StoreConflict("the trace is there already") from None


def _apply_space(connection: Connection, space: SpaceWrite, state: bytes | None) -> None:
    if state is None:
        row = connection.execute("SELECT revision FROM spaces WHERE patient = ?", (space.patient,)).fetchone()
        holds = (row[0] if row else 0) == space.expected
    elif space.expected == 0:
        statement = "INSERT INTO spaces VALUES (?, 1, ?) ON CONFLICT DO NOTHING"
        holds = connection.execute(statement, (space.patient, state)).rowcount == 1
    else:
        statement = "UPDATE spaces SET revision = revision + 1, state = ? WHERE patient = ? AND revision = ?"
        holds = connection.execute(statement, (state, space.patient, space.expected)).rowcount == 1
    if not holds:
        raise StoreConflict("the space has changed")


def _apply_write(connection: Connection, write: ReadyWrite) -> None:
    after = write.after
    if write.expected == (0, 0):
        _create(connection, write)
        return
    row = connection.execute(
        "SELECT row, lookup FROM heads WHERE type = ? AND id = ? AND version = ? AND mark = ?",
        (after.type, after.id, *write.expected),
    ).fetchone()
    if row is None:
        raise StoreConflict("the resource has changed")
    if not after.body and not after.deleted:
        _change_marks(connection, write, *row)
    else:
        _supersede(connection, write, *row)


def _create(connection: Connection, write: ReadyWrite) -> None:
    first, last = row_range(write.after.facts.access.compartment, write.after.type)
    cursor = connection.execute(_INSERT_HEAD, (first, first, last, *_head(write)))
    if not cursor.rowcount:
        raise StoreConflict("the resource exists already")
    row = cursor.lastrowid
    connection.execute("INSERT INTO bodies VALUES (?, ?)", (row, write.body))
    _index(connection, write, row)


def _supersede(connection: Connection, write: ReadyWrite, row: int, lookup: bytes) -> None:
    connection.execute(_KEEP_VERSION, (row,))
    _unindex(connection, row, lookup)
    connection.execute(_UPDATE_HEAD, (*_head(write), row))
    connection.execute("UPDATE bodies SET body = ? WHERE row = ?", (write.body, row))
    _index(connection, write, row)


def _change_marks(connection: Connection, write: ReadyWrite, row: int, lookup: bytes) -> None:
    """Change marks and facts; without new tokens the old ones stay, because a read does not return tokens."""
    after = write.after
    values = (after.version, after.mark, micros(after.last_updated), micros_or_none(after.marked_at), *write.facts)
    connection.execute(_UPDATE_MARKS, (*values, row))
    if write.tokens or write.lookup:
        _unindex(connection, row, lookup)
        connection.execute(
            "UPDATE heads SET (lookup, tokens) = (?, ?) WHERE row = ?", (_indexed(write), write.tokens, row)
        )
        _index(connection, write, row)


def _head(write: ReadyWrite) -> tuple[Any, ...]:
    after = write.after
    return (
        after.facts.access.compartment,
        after.type,
        after.id,
        after.version,
        after.mark,
        int(after.deleted),
        micros(after.last_updated),
        micros_or_none(after.marked_at),
        *write.facts,
        _indexed(write),
        write.tokens,
    )


def _indexed(write: ReadyWrite) -> bytes:
    return write.lookup + write.unlisted


def _index(connection: Connection, write: ReadyWrite, row: int | None) -> None:
    entries = [(hashed, row, 1) for hashed in _cut(write.lookup)]
    entries += [(hashed, row, 0) for hashed in _cut(write.unlisted)]
    if entries:
        connection.executemany(_INSERT_LOOKUP, entries)


def _unindex(connection: Connection, row: int, lookup: bytes) -> None:
    if lookup:
        connection.executemany(
            "DELETE FROM lookup WHERE hash = ? AND row = ?", [(hashed, row) for hashed in _cut(lookup)]
        )


def _cut(packed: bytes) -> frozenset[bytes]:
    return frozenset(packed[start : start + TOKEN_BYTES] for start in range(0, len(packed), TOKEN_BYTES))
