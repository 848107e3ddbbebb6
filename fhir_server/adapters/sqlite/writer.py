"""One writer per process: the changes of concurrent callers are written in one transaction with one sync.

The writer has no thread of its own. The first caller leads: it does its own work and the work of the callers who queue
behind it, while these wait; then it appoints the next leader. A caller who is alone writes at once, without waking
another thread. Several processes take turns by a lock on a file beside the database, which changes hands faster than
SQLite's own lock. Checkpoints and changes of the schema take the same turn: before 3.51.3 SQLite can corrupt a
write-ahead log that a commit resets while another process checkpoints (https://www.sqlite.org/wal.html#walresetbug).
"""

import fcntl
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from threading import Lock
from time import perf_counter
from traceback import clear_frames
from typing import Generic, TypeVar

from fhir_server.adapters.sqlite.connections import connect, failures_named
from fhir_server.metrics import counting
from fhir_server.ports.store import StoreUnavailable

T = TypeVar("T")
_BATCH = 256
_EMPTYING_MILLISECONDS = 100
"""How long emptying the log waits for readers; all writers wait as long."""


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner can use."""
    return os.open(path, flags, 0o600)


class _Job(Generic[T]):
    """One piece of work, and how it ended."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        """Keep the work."""
        self.work = work
        self.result: T | None = None
        self.error: Exception | None = None
        self.is_done = False
        self._turn: Lock | None = None

    def queue(self) -> None:
        """Make `wait` block, because another caller leads."""
        self._turn = Lock()  # held until woken: lighter than an Event, and only one thread waits
        self._turn.acquire()

    def wait(self) -> None:
        """Wait until the work is done, or until this caller's turn to lead."""
        if self._turn:
            self._turn.acquire()

    def wake(self) -> None:
        """Wake the waiting caller."""
        if self._turn:
            self._turn.release()

    def outcome(self) -> T:
        """Return the result, which is durable, or raise the failure."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value] # set by the work, which may well return None


class Writer:
    """Runs work on the only write connection; a failure undoes one piece of work and keeps the others."""

    def __init__(self, path: Path) -> None:
        """Open the connection.

        Raises: StoreUnavailable.
        """
        self._path = path
        try:
            turn = path.with_name(f"{path.name}-writer")
            self._turn = open(turn, "ab", opener=_private)  # noqa: SIM115 - the opener sets the mode
        except OSError as error:
            raise StoreUnavailable(f"{path.parent} cannot be written: {error.strerror}") from error
        try:
            self._connection = connect(path, durable=True)
        except sqlite3.Error as error:
            self._turn.close()
            raise StoreUnavailable(f"{path}: SQLite: {error}") from error
        self._turn_here = Lock()  # the lock on the file is between processes, not between the threads of one
        self._owes_emptying = False
        self._queue: deque[_Job[object]] = deque()
        self._gate = Lock()
        self._is_led = False
        self._closed = False
        self._sync_seconds = 0.0
        self.batches = 0

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work inside a transaction; return its result when it is durable.

        The work may only use the connection, because it may be undone and done again. The result must not be a cursor:
        one thread would reset the cursor's statement while another thread binds it. An exception of the work undoes
        only this work, and is raised here.
        Raises: StoreUnavailable when the work cannot be made durable.
        """
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._enter(job)
        return self._carried_out(job)

    def outside(self, work: Callable[[Connection], object]) -> None:
        """Do work with a transaction of its own, on a connection of its own, while nobody else writes.

        Raises: StoreUnavailable.
        """
        with failures_named(), self._my_turn(), closing(connect(self._path, durable=True)) as connection:
            work(connection)

    def empty_log(self) -> None:
        """Move the write-ahead log into the file and empty it, so that deleted bytes do not stay in the log.

        A read that began earlier prevents this; then `pay_debts` tries again.
        Raises: StoreUnavailable.
        """
        self._owes_emptying = True
        self.pay_debts()

    def pay_debts(self) -> None:
        """Empty the log if a read prevented it before.

        Raises: StoreUnavailable.
        """
        if self._owes_emptying:
            self.outside(self._empty)

    def _empty(self, connection: Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_EMPTYING_MILLISECONDS}")
        hindered, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._owes_emptying = bool(hindered)

    def close(self) -> None:
        """Finish accepted work, then close the files."""
        last = _Job(lambda _connection: None)
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._enter(last)
        with suppress(StoreUnavailable):
            self._carried_out(last)
        self._connection.close()
        self._turn.close()

    def _enter(self, job: _Job[T]) -> None:
        """Join the queue, behind the leader if there is one; the caller holds the gate."""
        if self._is_led:
            job.queue()
            counting.queued(len(self._queue) + 1)
        self._is_led = True
        self._queue.append(job)  # type: ignore[arg-type] # the queue does not look at results

    def _carried_out(self, job: _Job[T]) -> T:
        try:
            job.wait()
        except BaseException:
            self._carried_out(job)  # others wait behind this caller: an interrupt must not take their leader away
            raise
        if not job.is_done:
            self._lead(job)
        return job.outcome()

    def _lead(self, own: _Job[T]) -> None:
        """Do all queued work, one's own first, and appoint the next leader."""
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
        counting.queued(len(self._queue))
        try:
            self._transact(batch)
        finally:
            with self._gate:
                following = self._queue[0] if self._queue else None
                self._is_led = following is not None
            if following:
                following.wake()
            for job in batch:
                job.is_done = True
                if job is not own:
                    job.wake()

    def _transact(self, batch: list[_Job[object]]) -> None:
        self.batches += 1
        began = perf_counter()
        try:
            with self._my_turn():
                if not self._is_done_together(batch):
                    self._do_each(batch)
        except BaseException as error:
            counting.not_committed()
            self._give_up(batch, error)
            if not isinstance(error, (sqlite3.Error, OSError)):
                raise
        else:
            written = [job.error for job in batch].count(None)
            counting.committed(written, perf_counter() - began, self._sync_seconds)

    def _is_done_together(self, batch: list[_Job[object]]) -> bool:
        """Do all work in one transaction; return False, with nothing done, when some of it fails."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for job in batch:
                job.result = _without_cursor(job.work(self._connection))
        except Exception as error:  # noqa: BLE001 - it occurs again when each piece of work is done alone
            clear_frames(error.__traceback__)
            self._connection.execute("ROLLBACK")
            return False
        self._commit()
        return True

    def _do_each(self, batch: list[_Job[object]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            self._do(job)
        self._commit()

    def _commit(self) -> None:
        """End the transaction, and note how long the sync took."""
        began = perf_counter()
        self._connection.execute("COMMIT")
        self._sync_seconds = perf_counter() - began

    def _do(self, job: _Job[object]) -> None:
        """Do one piece of work; a failure undoes it and keeps the others."""
        self._connection.execute("SAVEPOINT one")
        try:
            job.result = _without_cursor(job.work(self._connection))
        except Exception as error:  # noqa: BLE001 - raised again by the caller who waits for it
            clear_frames(error.__traceback__)  # else the caller's thread would release their cursors
            job.error = StoreUnavailable(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error
            self._connection.execute("ROLLBACK TO one")
        self._connection.execute("RELEASE one")

    def _give_up(self, batch: list[_Job[object]], error: BaseException) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        for job in batch:
            job.error = job.error or StoreUnavailable(f"SQLite: {error}")

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        with self._turn_here:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._turn, fcntl.LOCK_UN)


def _without_cursor(result: object) -> object:
    if isinstance(result, sqlite3.Cursor):
        raise TypeError("the work returned a cursor, which must not leave the writer's thread")
    return result
