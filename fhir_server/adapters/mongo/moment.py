"""One moment of the database: a transaction that only reads, and that outlives a change of the primary.

At the end it commits with the majority: only then is it promised that what it read cannot be rolled back.
When the primary goes away meanwhile, all its reads are made again from a new moment. They must give what they gave.

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
"""How long reads are made again: MongoDB elects a primary in a few seconds."""
_COMMIT_SECONDS = 5.0


class Moment:
    """Reads, and remembers what was read."""

    def __init__(self, session: Session) -> None:
        """Begin."""
        self._session = session
        self._asked: list[tuple[Question, list[Document]]] = []
        self._begin()

    def ask(self, question: Question) -> list[Document]:
        """Return the answer to a question.

        Raises: PyMongoError; StoreUnavailable when the primary changed and an earlier answer with it.
        """
        answer = self._answer(question)
        self._asked.append((question, answer))
        return answer

    def settle(self) -> None:
        """Have the majority confirm what was read.

        Raises: PyMongoError, StoreUnavailable: nothing that was read may be relied on.
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
        """End without a promise."""
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
        """Ask everything that was asked, from the new moment."""
        for question, answer in self._asked:
            with pymongo.timeout(READ_MS / 1000):
                if question(self._session) != answer:
                    raise StoreUnavailable("MongoDB: the primary changed while a request was reading")


def _may_repeat(error: PyMongoError) -> bool:
    """Tell whether to ask again; where no primary was found in time, another look would only hold the thread."""
    if isinstance(error, ServerSelectionTimeoutError):
        return False
    return error.has_error_label(TRANSIENT) or isinstance(error, ConnectionFailure)
