"""What the files of the embedded store contain before a start opens them, and the mark in them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection

from fhir_server.adapters.installation import Part, Parts, contents_part
from fhir_server.adapters.sealing import INDEX
from fhir_server.adapters.sqlite.connections import connect
from fhir_server.ports.store import StoreUnavailable

DATA, KEYS, CONTENTS = "habilis.sqlite3", "keys.sqlite3", "contents"
META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
_MARK = "SELECT value FROM meta WHERE name = 'installation'"
_HOLDS = ("heads", "trail", "vault", "spaces")


def look(data_dir: Path) -> Parts:
    """Inspect the parts of an installation without creating any of them.

    Raises: StoreUnavailable when a file is not a database.
    """
    data, filed = Part(str(data_dir / DATA)), False
    with _opened(data_dir / DATA) as connection:
        if connection:
            held = [name for name in _HOLDS if _has(connection, name, f"SELECT 1 FROM {name} LIMIT 1")]
            data = Part(data.name, _mark(connection), bool(held))
            filed = _has(connection, "heads", "SELECT 1 FROM heads WHERE type = 'Binary' LIMIT 1")
    keys = Part(str(data_dir / KEYS))
    with _opened(data_dir / KEYS) as connection:
        if connection:
            used = _has(connection, "keys", f"SELECT 1 FROM keys WHERE name <> '{INDEX}' LIMIT 1")
            keys = Part(keys.name, _mark(connection), used)
    return Parts(data, keys, contents_part(data_dir / CONTENTS), filed)


def keep_mark(connection: Connection, mark: str) -> str:
    """Store a mark inside the current transaction unless there is one; return the stored mark."""
    connection.execute(META)
    connection.execute("INSERT INTO meta VALUES ('installation', ?) ON CONFLICT DO NOTHING", (mark,))
    return _mark(connection)


@contextmanager
def _opened(path: Path) -> Iterator[Connection | None]:
    """Open a file if it exists."""
    try:
        if not path.exists():
            yield None
            return
        with closing(connect(path, durable=False)) as connection:
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{path} cannot be read: SQLite: {error}") from error


def _mark(connection: Connection) -> str:
    if not _has(connection, "meta", _MARK):
        return ""
    found: str = connection.execute(_MARK).fetchone()[0]
    return found


def _has(connection: Connection, table: str, statement: str) -> bool:
    """Tell whether a table exists and a statement finds a row in it."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return bool(there and connection.execute(statement).fetchone())
