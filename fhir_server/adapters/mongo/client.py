"""The connection to MongoDB, with every concern said aloud, and errors turned into those of the ports.

Source: https://www.mongodb.com/docs/manual/core/transactions/ and /reference/write-concern/.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from fhir_server.ports import StoreUnavailable

Document = dict[str, Any]
Session = ClientSession

MAJORITY = ReadConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
DURABLE = WriteConcern("majority", j=True, wtimeout=10_000)
_PATIENCE = {"serverSelectionTimeoutMS": 2_000, "connectTimeoutMS": 2_000, "socketTimeoutMS": 20_000}
"""How long a request waits for a server that is away, unless the URI says otherwise."""
BRIEF_SECONDS = 2.0
"""How long a command outside a transaction may take: it may have to wait for one that is open."""
READ_MS = 5_000
"""How long the server may work on one read."""


def connect(uri: str, *, building: bool = False) -> MongoClient[Document]:
    """Open a client; nothing is sent yet. building: wait as long as the building of an index takes.

    Raises: StoreUnavailable when the address cannot be one of MongoDB.
    """
    said = uri.lower()
    patience: Document = {name: value for name, value in _PATIENCE.items() if name.lower() not in said}
    if building:
        patience["socketTimeoutMS"] = 0
    try:
        return MongoClient(uri, None, appname="habilis", **patience)
    except (PyMongoError, ValueError, TypeError) as error:
        raise StoreUnavailable(f"HABILIS_MONGODB_URI is no address of MongoDB: {error}") from error


def database_of(client: MongoClient[Document], name: str) -> Database[Document]:
    """Return a database whose concerns no URI can weaken."""
    return client.get_database(
        name, read_concern=MAJORITY, write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
    )


@contextmanager
def failures_named(seconds: float | None = None) -> Iterator[None]:
    """Turn errors of the driver into StoreUnavailable. seconds: how long all commands of the block may take."""
    try:
        if seconds is None:
            yield
        else:
            with pymongo.timeout(seconds):
                yield
    except PyMongoError as error:
        raise StoreUnavailable(f"MongoDB: {error}") from error
