"""One writer per process: a thread that joins what callers want into shared transactions, each with one sync.

Several processes take turns by a lock on a file beside the database, which hands over quicker than SQLite's waiting.
"""

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from threading import Lock, Thread
from traceback import clear_frames
from typing import Generic, TypeVar

from fhir_server.adapters.sqlite.connections import connect, failures_named
from fhir_server.ports import StoreUnavailable

T = TypeVar("T")
_BATCH = 256


class _Job(Generic[T]):
    """One piece of work, and how it ended."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        """Keep the work; `wait` returns after `finish`."""
        self.work = work
        self.result: T | None = None
        self.error: Exception | None = None
        self._done = Lock()  # held until finished: lighter than an Event, and there is one waiter
        self._done.acquire()

    def finish(self) -> None:
        """Wake the waiter."""
        self._done.release()

    def wait(self) -> T:
        """Return the result when it is durable, or raise what went wrong."""
        self._done.acquire()
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value] # set by the work, which may well return None


class Writer:
    """Runs work on the one write connection. Work of several callers shares a transaction, each in its savepoint."""

    def __init__(self, path: Path) -> None:
        """Open the connection and start the thread.

        Raises: StoreUnavailable.
        """
        self._path = path
        with failures_named():
            self._connection = connect(path, durable=True)
        self._turn = path.with_name(f"{path.name}-writer").open("ab")
        self._queue: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        self.batches = 0
        self._thread = Thread(target=self._serve, name="habilis-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work inside a transaction; return its result once that is durable.

        The result is never a cursor: the caller's thread would reset its statement while this one binds it anew.
        What the work raises undoes the work alone, and is raised here.
        Raises: StoreUnavailable when it cannot be made durable.
        """
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._queue.put(job)  # type: ignore[arg-type] # the queue does not look at results
        return job.wait()

    def outside(self, work: Callable[[Connection], object]) -> None:
        """Do work that brings its own transaction, on a connection of its own.

        Raises: StoreUnavailable.
        """
        with failures_named(), closing(connect(self._path, durable=True)) as connection:
            work(connection)

    def truncate_log(self) -> None:
        """Move the write-ahead log into the file and empty it, so that deleted bytes do not linger there.

        Raises: StoreUnavailable.
        """
        self.outside(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))

    def close(self) -> None:
        """Finish accepted work, then release thread and files."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()
        self._turn.close()

    def _serve(self) -> None:
        while True:
            jobs = [self._queue.get()]
            with suppress(Empty):
                while len(jobs) < _BATCH:
                    jobs.append(self._queue.get_nowait())
            batch = [job for job in jobs if job is not None]
            self._transact(batch)
            for job in batch:
                job.finish()
            if len(batch) < len(jobs):
                return

    def _transact(self, batch: list[_Job[object]]) -> None:
        if not batch:
            return
        self.batches += 1
        try:
            with self._my_turn():
                self._connection.execute("BEGIN IMMEDIATE")
                for job in batch:
                    self._do(job)
                self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._give_up(batch, error)

    def _do(self, job: _Job[object]) -> None:
        """Do one piece of work; a failure undoes it and leaves the others."""
        self._connection.execute("SAVEPOINT one")
        try:
            job.result = _without_cursor(job.work(self._connection))
        except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
            clear_frames(error.__traceback__)  # a cursor in one of them would be let go by the caller's thread
            job.error = StoreUnavailable(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error
            self._connection.execute("ROLLBACK TO one")
        self._connection.execute("RELEASE one")

    def _give_up(self, batch: list[_Job[object]], error: Exception) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        for job in batch:
            job.error = job.error or StoreUnavailable(f"SQLite: {error}")

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)


def _without_cursor(result: object) -> object:
    if isinstance(result, sqlite3.Cursor):
        raise TypeError("the work returned a cursor, which must not leave the writer's thread")
    return result
