"""Encrypted data keys in a MongoDB database of their own, so that restoring the data does not undo an erasure."""

from collections.abc import Iterable

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from fhir_server.adapters.mongo.client import BRIEF_SECONDS, Document, failures_named
from fhir_server.adapters.mongo.schema import keep_mark
from fhir_server.adapters.mongo.transactions import Transactions
from fhir_server.adapters.sealing import WrappedKey

_DUPLICATE = 11000


class MongoShelf:
    """Stores encrypted data keys."""

    def __init__(self, client: MongoClient[Document], database: Database[Document]) -> None:
        """Keep the parts; the shelf closes the client."""
        self._client = client
        self._transactions = Transactions(client, database)
        self._keys = database["keys"]

    def newest(self, name: str) -> WrappedKey | None:
        """Return the key that encrypts for a name."""
        with failures_named(BRIEF_SECONDS):
            return _key(self._keys.find_one({"name": name}, sort=[("number", -1)]))

    def by_id(self, id_: bytes) -> WrappedKey | None:
        """Return one key."""
        with failures_named(BRIEF_SECONDS):
            return _key(self._keys.find_one({"_id": id_}))

    def everything(self) -> tuple[WrappedKey, ...]:
        """Return all keys."""
        with failures_named():
            return tuple(key for row in self._keys.find() if (key := _key(row)))

    def add(self, keys: Iterable[WrappedKey]) -> None:
        """Store keys, except those whose (name, number) exists."""
        rows = [
            {"_id": k.id, "name": k.name, "number": k.number, "wrapped_by": k.wrapped_by, "wrapped": k.wrapped}
            for k in keys
        ]
        with failures_named(BRIEF_SECONDS):
            try:
                self._keys.insert_many(rows, ordered=False)
            except BulkWriteError as error:
                if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
                    raise

    def rewrap(self, keys: Iterable[WrappedKey]) -> None:
        """Replace the encryption of stored keys."""
        changes = [({"_id": key.id}, {"$set": {"wrapped_by": key.wrapped_by, "wrapped": key.wrapped}}) for key in keys]
        with failures_named():
            for where, fields in changes:
                self._keys.update_one(where, fields)

    def destroy(self, name: str) -> int:
        """Remove all keys of a name; MongoDB's own log forgets them when it is overwritten."""
        with failures_named():
            return self._transactions.run(
                lambda session: self._keys.delete_many({"name": name}, session=session).deleted_count
            )

    def keep_mark(self, mark: str) -> str:
        """Store the mark of the installation unless there is one; return the stored mark."""
        return keep_mark(self._keys.database, mark)

    def close(self) -> None:
        """Close the client."""
        self._transactions.close()
        self._client.close()


def _key(row: Document | None) -> WrappedKey | None:
    if row is None:
        return None
    return WrappedKey(row["_id"], row["name"], row["number"], row["wrapped_by"], row["wrapped"])
