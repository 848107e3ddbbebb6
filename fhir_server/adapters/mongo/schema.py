"""Collections and indexes of the MongoDB store, what is there before a start, and the numbered migrations.

Every index is ascending, with its range or sort field last and at most one array. `habilis schema` migrates data while
no server runs; every step may be repeated, so an interrupted run starts its step again and adds what is missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymongo import ASCENDING, DeleteOne, IndexModel, InsertOne, MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, CollectionInvalid, DuplicateKeyError, OperationFailure

from fhir_server import telemetry
from fhir_server.adapters.installation import Part, Parts, contents_part
from fhir_server.adapters.mongo.client import Document, failures_named
from fhir_server.adapters.mongo.documents import locator_of, rows_of
from fhir_server.adapters.sealing import ERASED, INDEX
from fhir_server.ports.store import StoreUnavailable

_BATCH = 1000
_DUPLICATE = 11000
_BEFORE_LOCATORS = "a"
"""Types begin with a capital letter, the keys of locators with a small letter."""

_NAMESPACE_EXISTS, _INDEX_NOT_FOUND = 48, 27
_OLDEST_WIRE = 17
"""MongoDB 6.0."""
_HOLDS = ("heads", "trail", "vault", "spaces")
_MARK = {"_id": "installation"}


def from_first(database: Database[Document]) -> None:
    """Add what is new in version 2: locators, rows of lookup tokens, and the shard key of the decision states."""
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


def time_locators(database: Database[Document]) -> None:
    """Write the locators of the audit events again, with the date of the event."""
    for rows in _batches(database["trail"], _BEFORE_LOCATORS):
        locators = [locator_of(row) for row in rows if row["compartment"] != ERASED]
        if locators:
            names = [DeleteOne({"_id": one["_id"], "compartment": one["compartment"]}) for one in locators]
            database["trail"].bulk_write(names)
        _add(database["trail"], locators)


def drop_first_lookup(database: Database[Document]) -> None:
    """Drop the index over lookup tokens of schema 1: since schema 2 they have a collection of their own."""
    for name, index in database["heads"].index_information().items():
        if [field for field, _ in index["key"]] != ["type", "lookup"]:
            continue
        try:
            database["heads"].drop_index(name)
        except OperationFailure as error:
            if error.code != _INDEX_NOT_FOUND:  # another process was faster
                raise


def _batches(collection: Collection[Document], below: str | None) -> Iterator[list[Document]]:
    """Yield all documents in the order of their keys."""
    where: Document = {"_id": {"$gte": ""} | ({"$lt": below} if below else {})}
    while rows := list(collection.find(where, {"body": 0, "tokens": 0}).sort("_id", 1).limit(_BATCH)):
        yield rows
        where = {"_id": where["_id"] | {"$gt": rows[-1]["_id"]}}
        where["_id"].pop("$gte", None)


def _add(collection: Collection[Document], rows: Iterable[Document]) -> None:
    """Insert the missing documents."""
    writes = [InsertOne(row) for row in rows]
    if not writes:
        return
    try:
        collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
            raise


@dataclass(frozen=True, slots=True)
class Step:
    """One migration, which may be repeated. number: of the schema after it. what: for the log."""

    number: int
    what: str
    migrate: Callable[[Database[Document]], None]


STEPS: Sequence[Step] = (
    Step(2, "add locators, rows of lookup tokens and the shard key of the decision states", from_first),
    Step(3, "add the outbox and the leases of its lanes", lambda _database: None),
    Step(4, "add the counters", lambda _database: None),
    Step(5, "drop an index of schema 1 that no search uses", drop_first_lookup),
    Step(6, "find audit events of all spaces by their time", time_locators),
)
"""In order, without gaps, from schema 1 on. A step is never changed after a release: a new one follows."""
VERSION = STEPS[-1].number


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its fields in order, and whether it is unique."""

    fields: tuple[str, ...]
    unique: bool = False


_ORDERED = Index(("compartment", "type", "deleted", "order"))
INDEXES: Mapping[str, Sequence[Index]] = {
    "heads": (_ORDERED, Index(("type", "words"))),
    "lookups": (Index(("token", "type", "place")),),
    "trail": (_ORDERED, Index(("compartment", "when"))),
    "versions": (Index(("compartment", "head", "version"), unique=True),),
    "vault": (Index(("kind",)), Index(("grouped",)), Index(("expires",))),
    "outbox": (Index(("lane", "dead", "order")), Index(("compartment",))),
    "leases": (),
    "probes": (_ORDERED, Index(("word",), unique=True)),
    "spaces": (),
    "claims": (),
    "counters": (Index(("expires",)),),
    "processes": (),
    "meta": (),
}
KEY_INDEXES: Sequence[Index] = (Index(("name", "number"), unique=True),)


def apply_schema(database: Database[Document], keys: Database[Document]) -> None:
    """Create the missing collections and indexes; migrate data of an earlier version.

    A second call does nothing; several processes may call it at once, while no server runs.
    Raises: StoreUnavailable when the data belong to a later version.
    """
    found = _known(database)
    with failures_named():
        for name, indexes in INDEXES.items():
            _create(database, name, indexes)
        _create(keys, "keys", KEY_INDEXES)
        _create(keys, "processes", ())
        for step in STEPS:
            if 0 < found < step.number:
                step.migrate(database)
                _keep_version(database, step.number)
                telemetry.migrated(step.number, step.what)
        _keep_version(database, VERSION)


def is_laid_out(database: Database[Document]) -> bool:
    """Tell whether there are data of this version; then a start changes nothing, and needs no right to change anything.

    Raises: StoreUnavailable for data of another version, and then the text says what to do.
    """
    found = _known(database)
    if 0 < found < VERSION:
        raise StoreUnavailable(
            f"database {database.name} has schema {found}, this program needs {VERSION}: "
            "stop all servers, back the database up, and run `habilis schema`"
        )
    return found == VERSION


def version_of(database: Database[Document]) -> int:
    """Return the version of the schema, 0 when there is none."""
    with failures_named():
        found = database["meta"].find_one({"_id": "schema"})
    return found["version"] if found else 0


def _known(database: Database[Document]) -> int:
    """Return the version of the schema. Raises: StoreUnavailable when this program does not know it."""
    found = version_of(database)
    if found > VERSION:
        raise StoreUnavailable(
            f"database {database.name} has schema {found}, this program knows no schema after {VERSION}:"
            " install the version that wrote the data, or restore a backup of this version"
        )
    return found


def _keep_version(database: Database[Document], number: int) -> None:
    """Store the number of the schema unless it is higher already."""
    try:
        database["meta"].update_one({"_id": "schema"}, {"$max": {"version": number}}, upsert=True)
    except DuplicateKeyError:  # another process creates the same database
        return


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


def _create(database: Database[Document], name: str, indexes: Sequence[Index]) -> None:
    """Create a collection before any transaction, because not every version can create one inside a transaction."""
    if name not in database.list_collection_names(filter={"name": name}):
        try:
            database.create_collection(name)
        except CollectionInvalid:  # another process was faster
            pass
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise
    models = [IndexModel([(field, ASCENDING) for field in index.fields], unique=index.unique) for index in indexes]
    if models:
        database[name].create_indexes(models)


def look(data: Database[Document], keys: Database[Document], contents: Path) -> Parts:
    """Inspect the parts of an installation without creating any of them.

    Raises: StoreUnavailable, also when a database with a mark lacks a collection.
    """
    with failures_named():
        names = frozenset(data.list_collection_names())
        mark = _mark(data)
        for name in _HOLDS if mark else ():
            if name not in names:
                raise StoreUnavailable(f"collection {name} of database {data.name} is missing: put back a backup")
        held = [name for name in _HOLDS if not mark and data[name].estimated_document_count()]
        filed = "heads" in held and data["heads"].find_one({"type": "Binary"}, ["_id"]) is not None
        used = keys["keys"].find_one({"name": {"$ne": INDEX}}, ["_id"]) is not None
        return Parts(
            Part(f"database {data.name}", mark, bool(held)),
            Part(f"database {keys.name}", _mark(keys), used),
            contents_part(contents),
            filed,
        )


def keep_mark(database: Database[Document], mark: str) -> str:
    """Store a mark unless there is one; return the stored mark."""
    with failures_named():
        database["meta"].update_one(_MARK, {"$setOnInsert": {"mark": mark}}, upsert=True)
        return _mark(database)


def _mark(database: Database[Document]) -> str:
    found = database["meta"].find_one(_MARK)
    return str(found["mark"]) if found else ""
