"""Data of an earlier version brought up to date, by `habilis schema` while no server runs.

Every step may be done again: a run that was interrupted is repeated from the start and adds what is missing.
"""

from collections.abc import Iterable, Iterator

from pymongo import InsertOne, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from fhir_server.adapters.keyring import ERASED
from fhir_server.adapters.mongo.client import Document
from fhir_server.adapters.mongo.documents import locator_of
from fhir_server.adapters.mongo.lookups import rows_of

_BATCH = 1000
_DUPLICATE = 11000
_BEFORE_LOCATORS = "a"
"""Types begin with a capital letter, the keys of locators with a small one."""


def from_first(database: Database[Document]) -> None:
    """Add what version 2 has: locators, rows of lookup tokens, and the shard key of the decision states."""
    for name in ("heads", "trail"):
        for rows in _batches(database[name], _BEFORE_LOCATORS):
            kept = [row for row in rows if row["compartment"] != ERASED]
            _add(database[name], map(locator_of, kept))
            if name == "heads":
                _add(database["lookups"], (found for row in kept for found in rows_of(row)))
    for rows in _batches(database["spaces"], None):
        database["spaces"].bulk_write(
            [UpdateOne({"_id": row["_id"]}, {"$set": {"compartment": row["_id"]}}) for row in rows]
        )


def _batches(collection: Collection[Document], below: str | None) -> Iterator[list[Document]]:
    """Give all documents in the order of their keys."""
    where: Document = {"_id": {"$gte": ""} | ({"$lt": below} if below else {})}
    while rows := list(collection.find(where, {"body": 0, "tokens": 0}).sort("_id", 1).limit(_BATCH)):
        yield rows
        where = {"_id": where["_id"] | {"$gt": rows[-1]["_id"]}}
        where["_id"].pop("$gte", None)


def _add(collection: Collection[Document], rows: Iterable[Document]) -> None:
    """Insert what is missing."""
    writes = [InsertOne(row) for row in rows]
    if not writes:
        return
    try:
        collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
            raise
