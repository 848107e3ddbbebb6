"""Opening the stores: the only adapter module that the composition root and the command line need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from fhir_server.adapters import installation
from fhir_server.adapters.blobs import FileBlobs
from fhir_server.adapters.keys import KeyFile, KeyProblem, add_key, create_keys, cursor_key
from fhir_server.adapters.sealing import Keyring, KeyShelf
from fhir_server.adapters.sqlite import parts as sqlite_parts
from fhir_server.adapters.sqlite.shelf import SqliteShelf
from fhir_server.adapters.sqlite.store import Database, SqliteStore
from fhir_server.adapters.sqlite.vault import SqliteVault
from fhir_server.adapters.system import SystemClock, SystemIds
from fhir_server.ports.store import StoreUnavailable
from fhir_server.ports.surroundings import Ports

__all__ = [
    "KeyProblem",
    "MongoPlace",
    "Place",
    "SqlitePlace",
    "apply_schema",
    "create_keys",
    "cursor_key",
    "open_mongo",
    "open_sqlite",
    "rotate_keys",
]


class Place(Protocol):
    """Where a store is, and which key file opens it."""

    @property
    def key_file(self) -> Path:
        """The key file."""

    def apply_schema(self) -> None:
        """Create the missing tables and indexes, and migrate earlier data. Raises: StoreUnavailable."""

    def open_shelf(self) -> KeyShelf:
        """Open the store of encrypted keys. Raises: StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """The embedded store: habilis.sqlite3, keys.sqlite3 and contents in one folder."""

    data_dir: Path
    key_file: Path

    @property
    def contents(self) -> Path:
        """Folder of the contents."""
        return self.data_dir / sqlite_parts.CONTENTS

    def open_database(self, *, mends: bool = False) -> Database:
        """Open the file; create its tables when it is new. mends: as in sqlite.schema.apply_schema."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Database.open(self.data_dir / sqlite_parts.DATA, mends=mends)

    def apply_schema(self) -> None:
        """Create the missing tables and indexes, and migrate earlier data."""
        installation.mark_of(sqlite_parts.look(self.data_dir))
        self.open_database(mends=True).close()

    def open_shelf(self) -> SqliteShelf:
        """Open the store of encrypted keys."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteShelf(self.data_dir / sqlite_parts.KEYS)


@dataclass(frozen=True, slots=True)
class MongoPlace:
    """The MongoDB store; encrypted keys are in the database whose name ends with "-keys"."""

    uri: str
    database: str
    key_file: Path

    def apply_schema(self) -> None:
        """Create the missing collections and indexes."""
        from fhir_server.adapters.mongo import client as mongo  # noqa: PLC0415 - as in open_mongo
        from fhir_server.adapters.mongo import schema as mongo_schema  # noqa: PLC0415

        client = mongo.connect(self.uri, building=True)
        try:
            mongo_schema.check_server(client)
            names = (self.database, self.keys_database)
            mongo_schema.apply_schema(*(mongo.database_of(client, name) for name in names))
        finally:
            client.close()

    def lay_out(self) -> None:
        """Create the collections in a new database. Raises: StoreUnavailable, also for data of another version."""
        from fhir_server.adapters.mongo import client as mongo  # noqa: PLC0415 - as in open_mongo
        from fhir_server.adapters.mongo import schema as mongo_schema  # noqa: PLC0415

        with mongo.connect(self.uri) as client:
            ready = mongo_schema.is_laid_out(mongo.database_of(client, self.database))
        if not ready:
            self.apply_schema()

    def open_shelf(self) -> KeyShelf:
        """Open the store of encrypted keys."""
        from fhir_server.adapters.mongo import client as mongo  # noqa: PLC0415 - as in open_mongo
        from fhir_server.adapters.mongo.shelf import MongoShelf  # noqa: PLC0415

        client = mongo.connect(self.uri)
        return MongoShelf(client, mongo.database_of(client, self.keys_database))

    @property
    def keys_database(self) -> str:
        """Name of the database with the encrypted keys."""
        return f"{self.database}-keys"


def open_sqlite(data_dir: Path, key_file: Path) -> Ports:
    """Open the embedded store; create it when the folder is empty.

    Raises: KeyProblem when the key file is missing or belongs to other data; StoreUnavailable.
    """
    place = SqlitePlace(data_dir, key_file)
    parts = sqlite_parts.look(data_dir)
    _demand_key_file(place, parts)
    mark = installation.mark_of(parts)
    keyring = _open_keyring(place)
    with _closing_unless_opened(keyring):
        database = place.open_database()
        installation.carry(mark, keyring.shelf.keep_mark, place.contents, database.keep_mark)
    store = SqliteStore(database, keyring)
    return Ports(
        store=store,
        vault=SqliteVault(database, keyring),
        outbox=store.outbox,
        blobs=FileBlobs(place.contents, keyring),
        clock=SystemClock(),
        ids=SystemIds(),
    )


def open_mongo(uri: str, database: str, data_dir: Path, key_file: Path) -> Ports:
    """Open the MongoDB store after testing that the server keeps its promises; create it when the database is new.

    data_dir: folder of the contents, shared by all servers of one database.
    Raises: KeyProblem as open_sqlite does; StoreUnavailable, naming what is wrong with the server or the schema.
    """
    # importing pymongo takes a tenth of a start that does not need it
    from fhir_server.adapters.mongo import client as mongo  # noqa: PLC0415
    from fhir_server.adapters.mongo import proofs  # noqa: PLC0415
    from fhir_server.adapters.mongo import schema as mongo_schema  # noqa: PLC0415
    from fhir_server.adapters.mongo.store import MongoStore  # noqa: PLC0415
    from fhir_server.adapters.mongo.vault import MongoVault  # noqa: PLC0415

    place = MongoPlace(uri, database, key_file)
    contents = data_dir / "contents"
    mark = _mark_on_mongo(place, contents)
    KeyFile(key_file)  # reports a missing key file before anything is created
    place.lay_out()
    keyring = _open_keyring(place)
    client = mongo.connect(uri)
    kept = mongo.database_of(client, database)
    store = MongoStore(client, kept, keyring)
    try:
        proofs.prove(client, kept)
        installation.carry(mark, keyring.shelf.keep_mark, contents, partial(mongo_schema.keep_mark, kept))
    except StoreUnavailable:
        store.close()
        raise
    return Ports(
        store=store,
        vault=MongoVault(store.transactions, kept, keyring),
        outbox=store.outbox,
        blobs=FileBlobs(contents, keyring),
        clock=SystemClock(),
        ids=SystemIds(),
    )


def apply_schema(place: Place) -> None:
    """Create the missing tables, collections and indexes, and migrate data of an earlier version.

    A second call does nothing.
    Raises: StoreUnavailable when the data belong to a later version or to another program, or when a part is missing.
    """
    place.apply_schema()


def rotate_keys(place: Place) -> int:
    """Add a new key-encryption key to the key file and encrypt all data keys with it; return how many.

    Running servers need no restart. The older keys stay in the file, because they open backups of the encrypted keys.
    Raises: KeyProblem, StoreUnavailable.
    """
    keyring = _open_keyring(place)
    with _closing(keyring):
        add_key(place.key_file)
        keyring.reload()
        return keyring.rewrap()


def _mark_on_mongo(place: MongoPlace, contents: Path) -> str:
    """Return the mark that all parts shall have. Raises: KeyProblem, StoreUnavailable when something is lost."""
    from fhir_server.adapters.mongo import client as mongo  # noqa: PLC0415 - as in open_mongo
    from fhir_server.adapters.mongo import schema as mongo_schema  # noqa: PLC0415

    client = mongo.connect(place.uri)
    try:
        mongo_schema.check_server(client)
        keys = mongo.database_of(client, place.keys_database)
        parts = mongo_schema.look(mongo.database_of(client, place.database), keys, contents)
    finally:
        client.close()
    _demand_key_file(place, parts)
    return installation.mark_of(parts)


def _demand_key_file(place: Place, parts: installation.Parts) -> None:
    """Refuse a missing key file with a text that says what to do: a new key file could not open existing data."""
    if (parts.data.used or parts.keys.used) and not place.key_file.exists():
        raise KeyProblem(
            f"the key file {place.key_file} is missing, although {parts.data.name} is sealed with it:"
            " put it back from where it is kept apart, or name it by HABILIS_KEY_FILE; a new one cannot open the data"
        )


def _open_keyring(place: Place) -> Keyring:
    keys = KeyFile(place.key_file)
    shelf = place.open_shelf()
    try:
        return Keyring(shelf, keys)
    except (KeyProblem, StoreUnavailable):
        shelf.close()
        raise


@contextmanager
def _closing(keyring: Keyring) -> Iterator[None]:
    try:
        yield
    finally:
        keyring.shelf.close()


@contextmanager
def _closing_unless_opened(keyring: Keyring) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable:
        keyring.shelf.close()
        raise
