"""Tests at the start that MongoDB keeps its promises: if a test fails, the server names it and does not start."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pymongo
from pymongo import ASCENDING, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from fhir_server.adapters.mongo.client import DURABLE, SNAPSHOT, Document, Session, failures_named
from fhir_server.adapters.mongo.transactions import TRANSIENT, WAIT_SECONDS
from fhir_server.ports.store import StoreUnavailable


def prove(client: MongoClient[Document], database: Database[Document]) -> None:
    """Test on the real server everything that the store relies on.

    Raises: StoreUnavailable, naming what is wrong.
    """
    run = Proofs(client, database["probes"], str(uuid4()))
    with failures_named():
        try:
            for wrong, holds in (
                ("an aborted transaction leaves something behind", run.aborts),
                ("a committed transaction is not whole", run.commits),
                ("two transactions write one document, and no conflict is told", run.conflicts),
                ("a transaction writes over a later commit, and no conflict is told", run.notices_later_commits),
                ("a unique index lets a second value in", run.is_unique),
                ("a range on an index loses its bounds", run.bounds),
            ):
                if not holds():
                    raise StoreUnavailable(f"this MongoDB cannot be relied on: {wrong}")
        finally:
            run.tidy()


@dataclass(frozen=True, slots=True)
class Proofs:
    """One run of the tests; all its rows have its name as their compartment."""

    client: MongoClient[Document]
    probes: Collection[Document]
    name: str

    def aborts(self) -> bool:
        """Tell whether an aborted transaction leaves nothing behind."""
        key = str(uuid4())
        with self._transaction() as session:
            self.probes.insert_one(self._row(key), session=session)
            session.abort_transaction()
        return self.probes.find_one({"_id": key}) is None

    def commits(self) -> bool:
        """Tell whether a committed transaction is stored whole."""
        keys = [str(uuid4()) for _ in range(2)]
        with self._transaction() as session:
            for key in keys:
                self.probes.insert_one(self._row(key), session=session)
            session.commit_transaction()
        return self.probes.count_documents({"_id": {"$in": keys}}) == len(keys)

    def conflicts(self) -> bool:
        """Write one document in two transactions; tell whether the second is refused, or waits for the first."""
        key = self._kept()
        with self._transaction() as one, self._transaction() as two:
            self._touch(key, one)
            return self._is_refused(key, two, waiting=True)

    def notices_later_commits(self) -> bool:
        """Tell whether a transaction is refused to overwrite what was committed after its snapshot."""
        key = self._kept()
        with self._transaction() as session:
            self.probes.find_one({"_id": key}, session=session)
            self._touch(key, None)
            return self._is_refused(key, session, waiting=False)

    def is_unique(self) -> bool:
        """Tell whether a unique index refuses a second value."""
        word = self._kept()
        try:
            self.probes.insert_one(self._row(str(uuid4())) | {"word": word})
        except DuplicateKeyError:
            return True
        return False

    def bounds(self) -> bool:
        """Tell whether a range on an index is exact."""
        orders = ("1", "11", "2", "21")
        of_range = {"compartment": self.name, "type": "t", "deleted": False}
        self.probes.insert_many(self._row(str(uuid4())) | of_range | {"order": order} for order in orders)
        return all(self._between(of_range, orders, number) for number in range(len(orders)))

    def tidy(self) -> None:
        """Remove the rows of this run."""
        self.probes.delete_many({"compartment": self.name})

    def _between(self, of_range: Document, orders: Sequence[str], number: int) -> bool:
        found = {
            operator: [
                row["order"]
                for row in self.probes.find(of_range | {"order": {operator: orders[number]}}).sort("order", ASCENDING)
            ]
            for operator in ("$lt", "$gt")
        }
        return found == {"$lt": list(orders[:number]), "$gt": list(orders[number + 1 :])}

    def _is_refused(self, key: str, session: Session, *, waiting: bool) -> bool:
        """Tell whether a write is refused with the label that asks for a retry. waiting: it may also wait."""
        try:
            self._touch(key, session)
        except PyMongoError as error:
            if error.has_error_label(TRANSIENT) or (waiting and error.timeout):
                return True
            raise StoreUnavailable(
                f"this MongoDB cannot be relied on: it does not label a conflict as {TRANSIENT} ({error})"
            ) from error
        return False

    def _touch(self, key: str, session: Session | None) -> None:
        with pymongo.timeout(WAIT_SECONDS):
            self.probes.update_one({"_id": key}, {"$inc": {"count": 1}}, session=session)

    def _kept(self) -> str:
        key = str(uuid4())
        self.probes.insert_one(self._row(key))
        return key

    def _row(self, key: str) -> Document:
        return {"_id": key, "word": key, "compartment": self.name}

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """Open a transaction; it is aborted at the end unless it has ended before."""
        with ExitStack() as stack:
            session = stack.enter_context(self.client.start_session())
            session.start_transaction(read_concern=SNAPSHOT, write_concern=DURABLE)
            yield session
