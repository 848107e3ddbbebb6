"""Collections and indexes of the MongoDB store, and the proofs at start that the server keeps its word.

Every index is ascending, its range or sort field last, with at most one array.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from pymongo import ASCENDING, IndexModel, MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fhir_server.adapters.mongo.client import Document, Session, failures_named, in_transaction
from fhir_server.ports import StoreUnavailable

VERSION = 1
_OLDEST_WIRE = 17
"""MongoDB 6.0."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its fields in order, and whether it is unique."""

    fields: tuple[str, ...]
    unique: bool = False


_ORDERED = Index(("compartment", "type", "deleted", "order"))
INDEXES: Mapping[str, Sequence[Index]] = {
    "heads": (_ORDERED, Index(("type", "lookup")), Index(("type", "words"))),
    "trail": (_ORDERED,),
    "versions": (Index(("compartment", "head", "version"), unique=True),),
    "vault": (Index(("kind",)), Index(("grouped",)), Index(("expires",))),
    "probes": (_ORDERED, Index(("word",), unique=True)),
    "spaces": (),
    "claims": (),
    "meta": (),
}
KEY_INDEXES: Sequence[Index] = (Index(("name", "number"), unique=True),)


def apply_schema(database: Database[Document], keys: Database[Document]) -> None:
    """Create the collections and indexes that are missing; a second time it does nothing.

    Raises: StoreUnavailable when the data belong to another version.
    """
    found = version_of(database)
    if found not in (0, VERSION):
        raise StoreUnavailable(f"database {database.name} has schema {found}, this program needs {VERSION}")
    with failures_named():
        for name, indexes in INDEXES.items():
            _create(database, name, indexes)
        _create(keys, "keys", KEY_INDEXES)
        database["meta"].update_one({"_id": "schema"}, {"$set": {"version": VERSION}}, upsert=True)


def version_of(database: Database[Document]) -> int:
    """Return the version of the schema, 0 when there is none."""
    with failures_named():
        found = database["meta"].find_one({"_id": "schema"})
    return found["version"] if found else 0


def check_server(client: MongoClient[Document]) -> None:
    """Refuse a server that cannot keep the promises of the store.

    Raises: StoreUnavailable, naming what is wrong.
    """
    with failures_named():
        hello = client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable("this MongoDB is standalone: transactions need a replica set or a sharded cluster")
    if hello.get("maxWireVersion", 0) < _OLDEST_WIRE:
        raise StoreUnavailable("this MongoDB is older than version 6.0")
    if not hello.get("isWritablePrimary"):
        raise StoreUnavailable("this MongoDB is not the primary of its replica set")


def prove(client: MongoClient[Document], database: Database[Document]) -> None:
    """Prove on the real server what everything rests on.

    Raises: StoreUnavailable, naming what is wrong.
    """
    with failures_named():
        for wrong, holds in (
            ("an aborted transaction leaves something behind", _aborts),
            ("a committed transaction is not whole", _commits),
            ("a unique index lets a second value in", _is_unique),
            ("a range on an index loses its bounds", _bounds),
        ):
            if not holds(client, database):
                raise StoreUnavailable(f"this MongoDB cannot be relied on: {wrong}")


class _Undone(Exception):
    """Ends a transaction on purpose."""


def _aborts(client: MongoClient[Document], database: Database[Document]) -> bool:
    key = str(uuid4())

    def work(session: Session) -> None:
        database["probes"].insert_one({"_id": key, "word": key}, session=session)
        raise _Undone

    try:
        in_transaction(client, work)
    except _Undone:
        return database["probes"].find_one({"_id": key}) is None
    return False


def _commits(client: MongoClient[Document], database: Database[Document]) -> bool:
    keys = [str(uuid4()) for _ in range(2)]

    def work(session: Session) -> None:
        for key in keys:
            database["probes"].insert_one({"_id": key, "word": key}, session=session)

    in_transaction(client, work)
    return database["probes"].delete_many({"_id": {"$in": keys}}).deleted_count == len(keys)


def _is_unique(_client: MongoClient[Document], database: Database[Document]) -> bool:
    word = str(uuid4())
    database["probes"].insert_one({"_id": word, "word": word})
    try:
        database["probes"].insert_one({"_id": str(uuid4()), "word": word})
    except DuplicateKeyError:
        return True
    finally:
        database["probes"].delete_many({"word": word})
    return False


def _bounds(_client: MongoClient[Document], database: Database[Document]) -> bool:
    run = str(uuid4())
    orders = ("1", "11", "2", "21")
    rows = [
        {"word": f"{run}{order}", "compartment": run, "type": "t", "deleted": False, "order": order} for order in orders
    ]
    database["probes"].insert_many(rows)
    try:
        return all(_between(database, run, orders, number) for number in range(len(orders)))
    finally:
        database["probes"].delete_many({"compartment": run})


def _between(database: Database[Document], run: str, orders: Sequence[str], number: int) -> bool:
    where = {"compartment": run, "type": "t", "deleted": False}
    found = {
        operator: [
            row["order"]
            for row in database["probes"].find(where | {"order": {operator: orders[number]}}).sort("order", ASCENDING)
        ]
        for operator in ("$lt", "$gt")
    }
    return found == {"$lt": list(orders[:number]), "$gt": list(orders[number + 1 :])}


def _create(database: Database[Document], name: str, indexes: Sequence[Index]) -> None:
    """Create a collection first: inside a transaction not every version may."""
    if name not in database.list_collection_names(filter={"name": name}):
        database.create_collection(name)
    models = [IndexModel([(field, ASCENDING) for field in index.fields], unique=index.unique) for index in indexes]
    if models:
        database[name].create_indexes(models)
