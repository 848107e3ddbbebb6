"""Tables of the SQLite store, and the numbered steps that create and migrate them.

`heads` holds the current facts of every resource. Its row numbers start with a hash of (compartment, type), so that the
resources of one type of one patient are next to each other, and a search reads a few adjacent pages however many
patients there are. `bodies` has the same row numbers. `trail` holds the AuditEvents in the order of the ledger.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from sqlite3 import Connection

from fhir_server import telemetry
from fhir_server.adapters.sealing import ERASED
from fhir_server.adapters.sqlite.parts import META
from fhir_server.ports.store import StoreUnavailable

APPLICATION_ID = 0x48414249

ACCESS = "kind, category, marks, sealed_until, owner_person, owner_organization, owner_client, documents"

_FACTS = """
    kind TEXT NOT NULL, category TEXT NOT NULL, marks INTEGER NOT NULL, sealed_until INTEGER,
    owner_person TEXT NOT NULL, owner_organization TEXT NOT NULL, owner_client TEXT NOT NULL,
    documents TEXT, dates TEXT
"""

_NEVER_CHANGED = f"""
DROP TRIGGER IF EXISTS trail_is_never_changed;
CREATE TRIGGER trail_is_never_changed BEFORE UPDATE ON trail
    WHEN NEW.compartment IS NOT '{ERASED}' OR NEW.position IS NOT OLD.position OR NEW.leaf IS NOT OLD.leaf
        OR NEW.id IS NOT OLD.id OR NEW.updated IS NOT OLD.updated OR NEW.body IS NOT OLD.body
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;
"""
_FIRST = f"""
CREATE TABLE IF NOT EXISTS heads (
    row INTEGER PRIMARY KEY, compartment TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    version INTEGER NOT NULL, mark INTEGER NOT NULL, deleted INTEGER NOT NULL,
    updated INTEGER NOT NULL, marked INTEGER, {_FACTS}, lookup BLOB NOT NULL, tokens BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS heads_by_id ON heads (type, id);
CREATE INDEX IF NOT EXISTS directory_by_update ON heads (type, updated, id) WHERE compartment = '';

CREATE TABLE IF NOT EXISTS bodies (row INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS versions (
    row INTEGER NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (row, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lookup (
    hash BLOB NOT NULL, row INTEGER NOT NULL, listed INTEGER NOT NULL, PRIMARY KEY (hash, row)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS trail (
    position INTEGER PRIMARY KEY, leaf BLOB NOT NULL, compartment TEXT NOT NULL, id TEXT NOT NULL,
    updated INTEGER NOT NULL, {_FACTS}, tokens BLOB NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS trail_by_id ON trail (id);
CREATE INDEX IF NOT EXISTS trail_by_patient ON trail (compartment, updated, id, dates, {ACCESS});
CREATE TRIGGER IF NOT EXISTS trail_is_contiguous BEFORE INSERT ON trail
    WHEN NEW.position IS NOT (SELECT coalesce(max(position) + 1, 0) FROM trail)
    BEGIN SELECT RAISE(ABORT, 'the trail has no gaps'); END;
{_NEVER_CHANGED}
CREATE TRIGGER IF NOT EXISTS trail_is_never_cut BEFORE DELETE ON trail
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;

CREATE TABLE IF NOT EXISTS spaces (
    patient TEXT PRIMARY KEY, revision INTEGER NOT NULL, state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS claims (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS vault (
    kind TEXT NOT NULL, key BLOB NOT NULL, grouped BLOB, expires INTEGER, revision INTEGER NOT NULL,
    value BLOB NOT NULL, PRIMARY KEY (kind, key)
) STRICT;
CREATE INDEX IF NOT EXISTS vault_by_group ON vault (grouped) WHERE grouped IS NOT NULL;
CREATE INDEX IF NOT EXISTS vault_by_expiry ON vault (expires) WHERE expires IS NOT NULL;

CREATE TABLE IF NOT EXISTS probes (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_OUTBOX = """
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, key BLOB NOT NULL UNIQUE,
    compartment TEXT NOT NULL, at INTEGER NOT NULL, due INTEGER NOT NULL, puts INTEGER NOT NULL,
    attempts INTEGER NOT NULL, error TEXT, dead INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_by_due ON outbox (lane, dead, due, position);
CREATE INDEX outbox_by_space ON outbox (compartment) WHERE compartment <> '';
CREATE TABLE leases (
    lane TEXT PRIMARY KEY, holder TEXT, number INTEGER NOT NULL, beat INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_COUNTERS = """
CREATE TABLE counters (
    subject BLOB PRIMARY KEY, expires INTEGER NOT NULL, slots BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX counters_by_expiry ON counters (expires);
"""

_BY_TIME = """
CREATE INDEX IF NOT EXISTS trail_by_time ON trail (json_extract(dates, '$."date"[0]'), id) WHERE dates IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the schema. number: of the schema after it. what: for the log."""

    number: int
    what: str
    statements: str


STEPS: Sequence[Step] = (
    Step(1, "create the tables", _FIRST),
    Step(2, "add the table meta for the mark of the installation, renew a trigger", f"{META}; {_NEVER_CHANGED}"),
    Step(3, "add the outbox and the leases of its lanes", _OUTBOX),
    Step(4, "add the counters", _COUNTERS),
    Step(5, "find audit events of all spaces by their time", _BY_TIME),
)
"""In order, without gaps. A step is never changed after a release: a new one follows."""
VERSION = STEPS[-1].number


def apply_schema(connection: Connection, *, mends: bool = False) -> None:
    """Create the tables of a new file, or migrate a file of an earlier version; a second call does nothing.

    Each step is one transaction. The caller has the writer's turn, so that two processes never run a step at once.
    mends: whether to recreate missing indexes and triggers; a missing table is never recreated.
    Raises: StoreUnavailable when the file belongs to another program or a newer version of this one, or when a required
        part is missing.
    """
    found = _version(connection)
    _demand_whole(connection, found, mends=mends)
    for step in STEPS[found:]:
        _take(connection, step)
        if found:
            telemetry.migrated(step.number, step.what)


def is_current(connection: Connection) -> bool:
    """Tell whether the file has the schema of this program."""
    return _stamp(connection) == (APPLICATION_ID, VERSION)


def _version(connection: Connection) -> int:
    """Return the number of the file's schema, 0 for a new file. Raises: StoreUnavailable."""
    application, version = _stamp(connection)
    if application not in (0, APPLICATION_ID) or (application == 0 and version):
        raise StoreUnavailable(
            f"the SQLite file has schema {version} of another program: name another HABILIS_DATA_DIR"
        )
    if version > VERSION:
        raise StoreUnavailable(
            f"the SQLite file has schema {version}, this program knows no schema after {VERSION}:"
            " install the version that wrote the file, or restore a backup of this version"
        )
    return version


def _take(connection: Connection, step: Step) -> None:
    """Change the schema and its number in one transaction."""
    stamp = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {step.number}"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {step.statements}; {stamp}; COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _demand_whole(connection: Connection, version: int, *, mends: bool) -> None:
    """Refuse a file that lacks a table, index or trigger of its own version."""
    with closing(sqlite3.connect(":memory:")) as model:
        for step in STEPS[:version]:
            model.executescript(step.statements)
        parts = _parts_of(model)
    for kind, name in sorted(parts.keys() - _parts_of(connection).keys(), key=lambda one: (one[0] != "table", one)):
        if kind == "table":
            raise StoreUnavailable(f"table {name} is missing from the SQLite file: put back a backup")
        if not mends:
            raise StoreUnavailable(
                f"{kind} {name} is missing from the SQLite file: find out why, then `habilis schema`"
            )
        connection.execute(parts[kind, name])


def _parts_of(connection: Connection) -> dict[tuple[str, str], str]:
    """Return what this database has: the statement of each table, index and trigger, by kind and name."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
    return {(kind, name): statement for kind, name, statement in rows}


def _stamp(connection: Connection) -> tuple[int, int]:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"the SQLite file cannot be read: {error}") from error
    return application, version
