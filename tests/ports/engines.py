"""What the contract suite needs of an engine beside its ports: opening again, and looking behind the ports."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from fhir_server.adapters import opening
from fhir_server.ports import Ports


class Engine(Protocol):
    """One store on one engine."""

    ports: Ports
    folder: Path
    key_file: Path
    framing: int
    """Statements that open and close a snapshot."""
    statements_of_a_trace: int

    def open(self, key_file: Path | None = None) -> Ports:
        """Open the same data once more, as another process would."""

    def rotate(self) -> int:
        """Rotate the keys."""

    def opening_code(self) -> str:
        """Return Python code that opens the same data as `ports`."""

    def at_rest(self) -> bytes:
        """Return all bytes that the database keeps."""

    def trail_positions(self) -> list[int]:
        """Return the positions of all traces, in order."""

    def statements(self) -> AbstractContextManager[list[str]]:
        """Collect what is sent to the database."""

    def close(self) -> None:
        """Close what was opened."""


class SqliteEngine:
    """The embedded store."""

    framing = 3  # BEGIN, the read that fixes the moment, ROLLBACK
    statements_of_a_trace = 7  # BEGIN, SAVEPOINT, the insert with its two triggers' conditions, RELEASE, COMMIT

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key_file = folder / "keys.json"
        opening.create_keys(self.key_file)
        self._opened: list[Ports] = []
        self.ports = self.open()

    def open(self, key_file: Path | None = None) -> Ports:
        ports = opening.open_sqlite(self.folder / "data", key_file or self.key_file)
        self._opened.append(ports)
        return ports

    def rotate(self) -> int:
        return opening.rotate_keys(opening.SqlitePlace(self.folder / "data", self.key_file))

    def opening_code(self) -> str:
        return (
            "from pathlib import Path\nfrom fhir_server.adapters.opening import open_sqlite\n"
            f"ports = open_sqlite(Path({str(self.folder / 'data')!r}), Path({str(self.key_file)!r}))\n"
        )

    def at_rest(self) -> bytes:
        return b"".join(path.read_bytes() for path in (self.folder / "data").rglob("*") if path.is_file())

    def trail_positions(self) -> list[int]:
        with closing(sqlite3.connect(self.folder / "data" / "habilis.sqlite3")) as connection:
            return [row[0] for row in connection.execute("SELECT position FROM trail ORDER BY position")]

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the statements of the next reader and of the writer."""
        database = self.ports.store._database
        sent: list[str] = []
        with database.readers.lend() as reader:
            reader.set_trace_callback(sent.append)
        database.writer._connection.set_trace_callback(sent.append)
        yield sent
        reader.set_trace_callback(None)
        database.writer._connection.set_trace_callback(None)

    def close(self) -> None:
        for ports in self._opened:
            ports.store.close()
