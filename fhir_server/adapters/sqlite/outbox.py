"""The outbox in the SQLite file. A position is the number of a row: it grows in the order of the commits."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import islice
from sqlite3 import Connection
from typing import Any

from consent_rules.visibility import micros
from fhir_server.adapters.messages import Bell, Row, SealedMessage, due_of, opened
from fhir_server.adapters.sealing import Keyring
from fhir_server.adapters.sqlite.connections import Readers
from fhir_server.adapters.sqlite.writer import Writer
from fhir_server.domain.stored import instant_or_none
from fhir_server.ports.outbox import Fate, Handled, LaneState, Lease, Pending
from fhir_server.ports.store import LeaseLost, MessageGone

_COLUMNS = "position, lane, key, compartment, at, due, body, puts, attempts, error, dead"
_PUT = """INSERT INTO outbox (lane, key, compartment, at, due, body, puts, attempts, dead)
    VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0) ON CONFLICT (key) DO UPDATE SET puts = puts + 1"""
_READY = f"SELECT {_COLUMNS} FROM outbox WHERE lane = ? AND dead = 0 AND due <= ? ORDER BY due, position"
_HAS_READY = "SELECT 1 FROM outbox WHERE lane = ? AND dead = 0 AND due <= ? LIMIT 1"
_DEAD = f"""SELECT {_COLUMNS} FROM outbox WHERE dead = 1 AND lane = coalesce(?, lane)
    ORDER BY lane, due, position LIMIT ?"""
_STATES = """SELECT lane, sum(is_ready), sum(NOT is_ready AND NOT dead), sum(dead), max(attempts),
    min(CASE WHEN is_ready THEN max(at, due) END)
    FROM (SELECT *, NOT dead AND due <= ? AS is_ready FROM outbox) GROUP BY lane ORDER BY lane"""
_AS_READ = "position = ? AND puts = ? AND dead = ?"
_LEASE = "SELECT holder, number, beat FROM leases WHERE lane = ?"
_HELD = "lane = ? AND number = ? AND holder IS NOT NULL"
_TAKE_FIRST = "INSERT INTO leases VALUES (?, ?, 1, 0) ON CONFLICT DO NOTHING"
_TAKE = """UPDATE leases SET holder = ?, number = number + 1, beat = 0
    WHERE lane = ? AND number = ? AND beat = ? AND holder IS ?"""


class SqliteOutbox:
    """Messages and leases. It keeps the promises of `ports.outbox.Outbox`."""

    def __init__(self, writer: Writer, readers: Readers, keyring: Keyring, bell: Bell) -> None:
        """Keep the parts; the store closes them."""
        self._writer = writer
        self._readers = readers
        self._keyring = keyring
        self._bell = bell

    def ready(self, lane: str, now: datetime, limit: int) -> tuple[Pending, ...]:
        """Return messages of a lane to be handled now."""
        return self._pending(_READY, (lane, micros(now)), limit)

    def lanes_with_ready(self, lanes: Iterable[str], now: datetime) -> frozenset[str]:
        """Return which of these lanes have a message to be handled now."""
        at = micros(now)
        with self._readers.lend() as connection:
            return frozenset(lane for lane in lanes if connection.execute(_HAS_READY, (lane, at)).fetchone())

    def states(self, now: datetime) -> tuple[LaneState, ...]:
        """Return what is in each lane that is not empty."""
        with self._readers.lend() as connection:
            rows = connection.execute(_STATES, (micros(now),)).fetchall()
        return tuple(replace(LaneState(*row), oldest=instant_or_none(row[-1])) for row in rows)

    def dead_letters(self, limit: int, lane: str | None = None) -> tuple[Pending, ...]:
        """Return dead letters."""
        return self._pending(_DEAD, (lane, limit), limit)

    def lease(self, lane: str) -> Lease:
        """Return the lease of a lane."""
        with self._readers.lend() as connection:
            row = connection.execute(_LEASE, (lane,)).fetchone()
        return Lease(lane, *(row or (None, 0, 0)))

    def take_over(self, seen: Lease, holder: str) -> Lease | None:
        """Make a holder the next one if the lease is still the one that was seen."""

        def take(connection: Connection) -> int:
            if not seen.number:
                return connection.execute(_TAKE_FIRST, (seen.lane, holder)).rowcount
            return connection.execute(_TAKE, (holder, seen.lane, seen.number, seen.beat, seen.holder)).rowcount

        return Lease(seen.lane, holder, seen.number + 1, 0) if self._writer.run(take) else None

    def beat(self, lease: Lease) -> Lease | None:
        """Show that the holder lives."""
        statement = f"UPDATE leases SET beat = beat + 1 WHERE {_HELD} RETURNING beat"
        rows = self._writer.run(lambda connection: connection.execute(statement, _held(lease)).fetchall())
        return Lease(lease.lane, lease.holder, lease.number, rows[0][0]) if rows else None

    def give_up(self, lease: Lease) -> None:
        """End a lease that is still held."""
        statement = f"UPDATE leases SET holder = NULL WHERE {_HELD}"
        self._writer.run(lambda connection: connection.execute(statement, _held(lease)).rowcount)

    def wait(self, seconds: float) -> bool:
        """Wait until a commit of this process has put a message."""
        return self._bell.wait(seconds)

    def wake(self) -> None:
        """End the present or the next wait."""
        self._bell.ring()

    def _pending(self, statement: str, values: tuple[Any, ...], limit: int) -> tuple[Pending, ...]:
        """Read until there are enough; messages that cannot be decrypted any more do not count."""
        with self._readers.lend() as connection, closing(connection.execute(statement, values)) as rows:
            return tuple(islice(opened(self._keyring, map(_row, rows)), limit))


def put(connection: Connection, messages: Sequence[SealedMessage]) -> None:
    """Put messages inside the current transaction; of one that is there already only the number of puts grows."""
    connection.executemany(_PUT, [(m.lane, m.key, m.compartment, m.at, m.due, m.body) for m in messages])


def settle(connection: Connection, handled: Sequence[Handled]) -> None:
    """Write what becomes of messages.

    Raises: LeaseLost, MessageGone.
    """
    for held in {_held(one.lease) for one in handled if one.lease}:
        if not connection.execute(f"UPDATE leases SET beat = beat + 1 WHERE {_HELD}", held).rowcount:
            raise LeaseLost(f"somebody else works the lane {held[0]}")
    for one in handled:
        _settle_one(connection, one)


def _settle_one(connection: Connection, one: Handled) -> None:
    as_read = (int(one.message.id), one.message.puts, int(one.message.dead))
    if one.fate is Fate.DONE:
        done = connection.execute(f"DELETE FROM outbox WHERE {_AS_READ}", as_read)
    else:
        due = due_of(one.message.due if one.fate is Fate.DEAD else one.due)
        statement = f"UPDATE outbox SET due = ?, attempts = ?, error = ?, dead = ? WHERE {_AS_READ}"
        done = connection.execute(statement, (due, one.attempts, one.error, int(one.fate is Fate.DEAD), *as_read))
    if not done.rowcount:
        raise MessageGone("the message is not in the outbox as it was read")


def _held(lease: Lease) -> tuple[str, int]:
    return lease.lane, lease.number


def _row(row: tuple[Any, ...]) -> Row:
    number, lane, key, compartment, at, due, body, puts, attempts, error, dead = row
    message, position = SealedMessage(lane, key, compartment, at, due, body), str(number)
    return Row(position, position, message, puts, attempts, error, bool(dead))
