"""Encrypted data keys in an SQLite file of their own, so that restoring the data does not undo an erasure."""

from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection

from fhir_server.adapters.sealing import WrappedKey
from fhir_server.adapters.sqlite.connections import Readers
from fhir_server.adapters.sqlite.parts import keep_mark
from fhir_server.adapters.sqlite.writer import Writer

_COLUMNS = "id, name, number, wrapped_by, wrapped"
_TABLE = """CREATE TABLE IF NOT EXISTS keys (
    id BLOB PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL, wrapped_by TEXT NOT NULL, wrapped BLOB NOT NULL,
    UNIQUE (name, number)
) STRICT"""


class SqliteShelf:
    """Stores encrypted data keys."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises: StoreUnavailable.
        """
        self._writer = Writer(path)
        self._readers = Readers(path)
        self._writer.run(_create)

    def newest(self, name: str) -> WrappedKey | None:
        """Return the key that encrypts for a name."""
        return self._one(f"SELECT {_COLUMNS} FROM keys WHERE name = ? ORDER BY number DESC LIMIT 1", name)

    def by_id(self, id_: bytes) -> WrappedKey | None:
        """Return one key."""
        return self._one(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", id_)

    def everything(self) -> tuple[WrappedKey, ...]:
        """Return all keys."""
        with self._readers.lend() as connection:
            return tuple(WrappedKey(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM keys"))

    def add(self, keys: Iterable[WrappedKey]) -> None:
        """Store keys, except those whose (name, number) exists."""
        rows: list[tuple[object, ...]] = [(key.id, key.name, key.number, key.wrapped_by, key.wrapped) for key in keys]
        self._write("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?)", rows)

    def rewrap(self, keys: Iterable[WrappedKey]) -> None:
        """Replace the encryption of stored keys."""
        rows: list[tuple[object, ...]] = [(key.wrapped_by, key.wrapped, key.id) for key in keys]
        self._write("UPDATE keys SET wrapped_by = ?, wrapped = ? WHERE id = ?", rows)

    def destroy(self, name: str) -> int:
        """Remove all keys of a name beyond recovery; return how many."""

        def remove(connection: Connection) -> int:
            return connection.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount

        gone = self._writer.run(remove)
        self._writer.empty_log()
        return gone

    def keep_mark(self, mark: str) -> str:
        """Store the mark of the installation unless there is one; return the stored mark."""
        return self._writer.run(lambda connection: keep_mark(connection, mark))

    def close(self) -> None:
        """Release files and threads."""
        self._writer.close()
        self._readers.close()

    def _write(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        def write(connection: Connection) -> None:
            connection.executemany(statement, rows)

        self._writer.run(write)

    def _one(self, statement: str, value: str | bytes) -> WrappedKey | None:
        with self._readers.lend() as connection:
            row = connection.execute(statement, (value,)).fetchone()
        return WrappedKey(*row) if row else None


def _create(connection: Connection) -> None:
    connection.execute(_TABLE)
