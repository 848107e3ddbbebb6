"""Collections and indexes of the MongoDB store.

Every index is ascending, its range or sort field last, with at most one array.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pymongo import ASCENDING, IndexModel, MongoClient
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from fhir_server.adapters.mongo import upgrading
from fhir_server.adapters.mongo.client import Document, failures_named
from fhir_server.ports import StoreUnavailable

VERSION = 2
_NAMESPACE_EXISTS = 48
_OLDEST_WIRE = 17
"""MongoDB 6.0."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its fields in order, and whether it is unique."""

    fields: tuple[str, ...]
    unique: bool = False


_ORDERED = Index(("compartment", "type", "deleted", "order"))
INDEXES: Mapping[str, Sequence[Index]] = {
    "heads": (_ORDERED, Index(("type", "words"))),
    "lookups": (Index(("token", "type", "place")),),
    "trail": (_ORDERED,),
    "versions": (Index(("compartment", "head", "version"), unique=True),),
    "vault": (Index(("kind",)), Index(("grouped",)), Index(("expires",))),
    "probes": (_ORDERED, Index(("word",), unique=True)),
    "spaces": (),
    "claims": (),
    "processes": (),
    "meta": (),
}
KEY_INDEXES: Sequence[Index] = (Index(("name", "number"), unique=True),)


def apply_schema(database: Database[Document], keys: Database[Document]) -> None:
    """Create the collections and indexes that are missing; bring data of an earlier version up to date.

    A second time it does nothing; several processes may do it at once.
    Raises: StoreUnavailable when the data belong to a later version.
    """
    found = version_of(database)
    if found > VERSION:
        raise StoreUnavailable(f"database {database.name} has schema {found}, this program needs {VERSION}")
    with failures_named():
        for name, indexes in INDEXES.items():
            _create(database, name, indexes)
        _create(keys, "keys", KEY_INDEXES)
        _create(keys, "processes", ())
        if found == 1:
            upgrading.from_first(database)
        try:
            database["meta"].update_one({"_id": "schema"}, {"$set": {"version": VERSION}}, upsert=True)
        except DuplicateKeyError:  # another process lays out the same database
            return


def is_laid_out(database: Database[Document]) -> bool:
    """Tell whether there are data of this version; a start changes nothing then, and needs no right to.

    Raises: StoreUnavailable for data of an earlier version, naming the command that brings them up to date.
    """
    found = version_of(database)
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
    """Create a collection first: inside a transaction not every version may."""
    if name not in database.list_collection_names(filter={"name": name}):
        try:
            database.create_collection(name)
        except CollectionInvalid:  # another process was quicker
            pass
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise
    models = [IndexModel([(field, ASCENDING) for field in index.fields], unique=index.unique) for index in indexes]
    if models:
        database[name].create_indexes(models)
