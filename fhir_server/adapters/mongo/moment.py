"""One moment of the database: a read-only transaction that survives a change of the primary.

At the end it commits with the majority: only then is it certain that what it read cannot be rolled back. When the
    primary changes meanwhile, all its reads are repeated at a new moment, and must give the same answers.

Source: https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/.
"""

import random
from collections.abc import Callable
from time import monotonic, sleep

import pymongo
from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from fhir_server.adapters.mongo.client import DURABLE, READ_MS, SNAPSHOT, Document, Session
from fhir_server.adapters.mongo.transactions import TRANSIENT
from fhir_server.ports.store import StoreUnavailable

Question = Callable[[Session], list[Document]]

AGAIN_SECONDS = 5.0
"""How long reads are repeated: MongoDB elects a primary in a few seconds."""
_COMMIT_SECONDS = 5.0


class Moment:
    """Reads, and remembers the answers."""

    def __init__(self, session: Session) -> None:
        """Start the transaction."""
        self._session = session
        self._asked: list[tuple[Question, list[Document]]] = []
        self._begin()

    def ask(self, question: Question) -> list[Document]:
        """Return the answer to a query.

        Raises: PyMongoError; StoreUnavailable when the primary changed and an earlier answer is now different.
        """
        answer = self._answer(question)
        self._asked.append((question, answer))
        return answer

    def settle(self) -> None:
        """Let the majority confirm what was read.

        Raises: PyMongoError, StoreUnavailable: no answer may be relied on then.
        """
        try:
            with pymongo.timeout(_COMMIT_SECONDS):
                self._session.commit_transaction()
        except PyMongoError as error:
            if not _may_repeat(error):
                raise
            self._begin()
            self._again()
            with pymongo.timeout(_COMMIT_SECONDS):
                self._session.commit_transaction()

    def give_up(self) -> None:
        """End the transaction without confirmation."""
        with pymongo.timeout(_COMMIT_SECONDS):
            self._session.abort_transaction()

    def _begin(self) -> None:
        self._session.start_transaction(read_concern=SNAPSHOT, write_concern=DURABLE)

    def _answer(self, question: Question) -> list[Document]:
        ends = monotonic() + AGAIN_SECONDS
        anew = False
        while True:
            try:
                if anew:
                    self._again()
                with pymongo.timeout(READ_MS / 1000):
                    return question(self._session)
            except PyMongoError as error:
                if not _may_repeat(error) or monotonic() > ends:
                    raise
            self.give_up()
            sleep(random.uniform(0.05, 0.15))  # noqa: S311 - no secret
            self._begin()
            anew = True

    def _again(self) -> None:
        """Repeat all queries at the new moment."""
        for question, answer in self._asked:
            with pymongo.timeout(READ_MS / 1000):
                if question(self._session) != answer:
                    raise StoreUnavailable("MongoDB: the primary changed while a request was reading")


def _may_repeat(error: PyMongoError) -> bool:
    """Tell whether to repeat; not when no primary was found in time, because a new search would hold the thread."""
    if isinstance(error, ServerSelectionTimeoutError):
        return False
    return error.has_error_label(TRANSIENT) or isinstance(error, ConnectionFailure)
