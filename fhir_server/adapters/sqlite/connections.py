"""Connections to SQLite files: durable ones for writing, and a pool for reading.

Source: https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html#pragma_synchronous.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Generic, TypeVar

from fhir_server.adapters.sqlite import joins
from fhir_server.ports.store import StoreUnavailable

T = TypeVar("T")

BUSY_SECONDS = 30.0
_OWNER_ONLY, _OTHERS = 0o600, 0o077
_STATEMENTS = 512
_CACHE_KIB = 512
"""Size of a reader's cache. A commit of any process empties the cache, so more than one request needs is useless."""
_WRITER_CACHE_KIB = 8 * 1024
"""Size of the writer's cache. An audit event goes to random places of two indexes, whose pages should be in memory."""
_LOG_PAGES = 4000
"""Pages in the write-ahead log at which SQLite moves them into the file (16 MB): each page once, however often it
changed. With the default of 1,000 pages, a writer spends most of its time there.
"""


def connect(path: Path, *, durable: bool) -> Connection:
    """Open a connection in autocommit mode, which any one thread at a time may use.

    Raises: sqlite3.Error.
    """
    if durable:
        _keep_private(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    joins.register(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA mmap_size = 0")  # a mapped page may be read from a log that was just reset
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA secure_delete = ON" if durable else "PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB if durable else _CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    return connection


def _keep_private(path: Path) -> None:
    """Let only the owner read the file, also one of an earlier version; SQLite's log gets the same mode.

    An existing file is never opened here: closing it would drop the locks that this process holds on it
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(OSError):  # another user owns the file: SQLite will report what it may not do
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
    """Return the error of the ports for an error of SQLite."""
    return StoreUnavailable(f"SQLite: {error}")


class Readers:
    """Read connections, lent to one block at a time; there are as many as there are blocks at once."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self._path = path
        self._idle: deque[Connection] = deque()
        self._closed = False

    def lend(self) -> "Loan[Connection]":
        """Lend a connection.

        Raises: StoreUnavailable, also when an error of SQLite ends the block.
        """
        return Loan(self, _as_it_is)

    def lend_as(self, made: Callable[[Connection], T]) -> "Loan[T]":
        """Lend what a function makes of a connection. Raises: as `lend`."""
        return Loan(self, made)

    def close(self) -> None:
        """Close the idle connections; a lent connection is closed when it comes back."""
        self._closed = True
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def take(self) -> Connection:
        """Return a connection that nobody uses."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._path, durable=False)

    def give_back(self, connection: Connection) -> None:
        """End what a connection was doing, and keep it for the next block."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)


class Loan(Generic[T]):
    """One block with a read connection: a class, because a generator would cost several times as much."""

    __slots__ = ("_connection", "_made", "_readers")

    def __init__(self, readers: Readers, made: Callable[[Connection], T]) -> None:
        """Keep what the block needs. made: makes of the connection what the block uses."""
        self._readers = readers
        self._made = made

    def __enter__(self) -> T:
        """Take a connection.

        Raises: StoreUnavailable.
        """
        try:
            self._connection = self._readers.take()
            return self._made(self._connection)
        except sqlite3.Error as error:
            raise failure(error) from error

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        """Give the connection back.

        Raises: StoreUnavailable when SQLite failed.
        """
        try:
            self._readers.give_back(self._connection)
        except sqlite3.Error as problem:
            raise failure(problem) from problem
        if isinstance(error, sqlite3.Error):
            raise failure(error) from error


def _as_it_is(connection: Connection) -> Connection:
    return connection
