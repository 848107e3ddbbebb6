"""Transactions with two time limits: a short one for conflicts, a longer one after the commit was sent.

A conflict is retried for about two seconds; nothing was written then, and the caller may know that soon. A commit
without an answer may have been applied. It is sent again, which MongoDB applies only once, and at last the store looks
for the change's own audit event. A caller who is blocked for over a second ends the sessions of dead processes.

Source: https://www.mongodb.com/docs/manual/core/transactions-in-applications/.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Generic, TypeVar

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from fhir_server.adapters.mongo.client import SNAPSHOT, Document, Session
from fhir_server.adapters.mongo.processes import DEAD_SECONDS, Processes
from fhir_server.ports.counters import CeilingReached
from fhir_server.ports.store import AlreadyClaimed, OutcomeUnknown, StoreConflict

T = TypeVar("T")
Landed = Callable[[], bool]

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
CONFLICT_SECONDS = 2.0
"""How long a change that meets locked documents is retried."""
WAIT_SECONDS = 0.8
"""How long one statement may wait for a lock, on services that wait instead of reporting a conflict."""
COMMIT_SECONDS = 10.0
STATEMENTS_SECONDS = 10.0
"""How long all statements of one attempt may take."""
_INTERRUPTED = 11601
_LOOK_SECONDS = 0.1
_BLOCKED_SECONDS = 1.0


@contextmanager
def bounded_wait() -> Iterator[None]:
    """Limit the time of a statement on documents that other transactions may have locked."""
    with pymongo.timeout(WAIT_SECONDS):
        yield


class Transactions:
    """Runs work in transactions of one process."""

    def __init__(self, client: MongoClient[Document], database: Database[Document]) -> None:
        """Prepare; call `close` at the end."""
        self.processes = Processes(client, database)
        self.commit_seconds = COMMIT_SECONDS

    def run(self, work: Callable[[Session], T], landed: Landed | None = None) -> T:
        """Do work in one transaction, repeat it after a conflict, and return when it is durable.

        landed: tells whether the work is stored; it is called when the outcome of a commit is unknown.
        Raises: whatever the work raises, after the work is undone; PyMongoError when nothing was written;
        OutcomeUnknown.
        """
        attempts = _Attempts(self, work, landed or (lambda: False))
        while True:
            try:
                return attempts.once()
            except PyMongoError as error:
                if attempts.may_go_on(error):
                    continue
                if attempts.doubtful:
                    raise OutcomeUnknown(f"MongoDB: {error}") from error
                raise

    def close(self) -> None:
        """Remove the record of this process."""
        self.processes.close()


class _Attempts(Generic[T]):
    """One piece of work, retried until it is durable or its time is up."""

    def __init__(self, transactions: Transactions, work: Callable[[Session], T], landed: Landed) -> None:
        self._processes = transactions.processes
        self._commit_seconds = transactions.commit_seconds
        self._work = work
        self._landed = landed
        self._since = monotonic()
        self._tries = 0
        self.doubtful: list[T] = []
        self._beats: tuple[float, Mapping[str, int]] | None = None

    def once(self) -> T:
        """Try once. Raises: as `Transactions.run`; PyMongoError with the label TRANSIENT after a conflict."""
        with self._processes.lend() as session:
            try:
                result = self._statements(session)
                self._commit(session, result)
            except (StoreConflict, AlreadyClaimed, CeilingReached, OutcomeUnknown, PyMongoError):
                if self.doubtful and self._landed():  # the obstacle is what an earlier commit of this work wrote
                    return self.doubtful[-1]
                raise
        return result

    def may_go_on(self, error: PyMongoError) -> bool:
        """Tell whether to retry after a failure; wait a little first."""
        blocked = monotonic() - self._since
        if not (error.has_error_label(TRANSIENT) or error.timeout) or blocked > CONFLICT_SECONDS:
            return False
        self._look_for_the_dead(blocked)
        self._tries += 1
        sleep(random.uniform(0.5, 1) * min(0.1, 0.004 * 2 ** min(self._tries, 5)))  # noqa: S311 - no secret
        return True

    def _look_for_the_dead(self, blocked: float) -> None:
        """Read the counts of other processes once; later, end the sessions of those whose count has not grown."""
        if blocked < _LOOK_SECONDS:
            return
        with suppress(PyMongoError):
            if self._beats is None:
                self._beats = (monotonic(), self._processes.beats())
            elif blocked > _BLOCKED_SECONDS and monotonic() - self._beats[0] > DEAD_SECONDS:
                self._processes.end_dead(self._beats[1])
                self._beats = None

    def _statements(self, session: Session) -> T:
        durable = WriteConcern("majority", j=True)
        session.start_transaction(read_concern=SNAPSHOT, write_concern=durable, read_preference=ReadPreference.PRIMARY)
        try:
            with pymongo.timeout(STATEMENTS_SECONDS):
                return self._work(session)
        except BaseException as error:
            self._undo(session, error)
            raise

    def _undo(self, session: Session, error: BaseException) -> None:
        """Abort; when no answer told how a statement or the abort ended, end the session itself."""
        if isinstance(error, ConnectionFailure):
            self._processes.discard(session)
        ends = monotonic() + WAIT_SECONDS
        with pymongo.timeout(WAIT_SECONDS):
            session.abort_transaction()  # the driver keeps its failure to itself
        if monotonic() >= ends:
            self._processes.discard(session)

    def _commit(self, session: Session, result: T) -> None:
        ends = monotonic() + self._commit_seconds
        while True:
            try:
                with pymongo.timeout(max(_LOOK_SECONDS, ends - monotonic())):
                    session.commit_transaction()
            except PyMongoError as error:
                if error.has_error_label(TRANSIENT):
                    raise
                self.doubtful.append(result)
                if not _may_send_again(error) or monotonic() > ends:
                    self._processes.discard(session)
                    raise OutcomeUnknown(f"MongoDB: {error}") from error
                sleep(_LOOK_SECONDS)
            else:
                return


def _may_send_again(error: PyMongoError) -> bool:
    """Tell whether to send a commit again: its outcome is unknown, or another process ended its session."""
    return error.has_error_label(UNKNOWN_COMMIT) or getattr(error, "code", None) == _INTERRUPTED
