"""Connections to SQLite files: durable ones for writing, a pool of them for reading.

Source: https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html#pragma_synchronous.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection

from fhir_server.ports.store import StoreUnavailable

BUSY_SECONDS = 30.0
_OWNER_ONLY, _OTHERS = 0o600, 0o077
_STATEMENTS = 512
_CACHE_KIB = 512
"""A reader forgets its pages at the next commit of anybody, so that much more than one request needs is of no use."""
_WRITER_CACHE_KIB = 8 * 1024
"""A trace goes to a random place of two indexes: their upper pages and many leaves should be at hand."""
_LOG_PAGES = 4000
"""Pages of the write-ahead log at which they are moved into the file (16 MB): each page once, however often it
changed meanwhile. SQLite's own 1,000 makes a writer spend most of its time there."""


def connect(path: Path, *, durable: bool) -> Connection:
    """Open a connection in autocommit mode that any one thread at a time may use.

    Raises: sqlite3.Error.
    """
    if durable:
        _keep_private(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA mmap_size = 0")  # a page that is mapped may be read from a log that was just reset
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA secure_delete = ON" if durable else "PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB if durable else _CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    return connection


def _keep_private(path: Path) -> None:
    """Make the file, or what an earlier version made, readable by its owner only; SQLite's log takes the mode over.

    A file that is there is never opened here: closing it would drop the locks that this process holds on it
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(OSError):  # a file of another owner: SQLite says what it may not do
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
        elif path.stat().st_mode & _OTHERS:
            path.chmod(_OWNER_ONLY)


@contextmanager
def failures_named() -> Iterator[None]:
    """Turn errors of SQLite into StoreUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise failure(error) from error


def failure(error: sqlite3.Error) -> StoreUnavailable:
    """Name an error of SQLite."""
    return StoreUnavailable(f"SQLite: {error}")


class Readers:
    """Read connections, lent to one block at a time; as many as there are blocks at once."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self._path = path
        self._idle: deque[Connection] = deque()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """Lend a connection.

        Raises: StoreUnavailable, also when an error of SQLite ends the block.
        """
        with failures_named():
            connection = self._take()
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def _take(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._path, durable=False)

    def _give_back(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)
