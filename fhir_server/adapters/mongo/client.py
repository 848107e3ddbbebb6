"""The connection to MongoDB: every concern is set explicitly, and driver errors become errors of the ports.

A bulkhead lets only a few writers into each space at once, so that a space that hangs holds few threads. A third writer
waits for a place; while one of the two inside is slow, all others are refused at once.
Source: https://www.mongodb.com/docs/manual/core/transactions/ and /reference/write-concern/.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from fhir_server.ports.store import StoreUnavailable

Document = dict[str, Any]
Session = ClientSession

MAJORITY = ReadConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
DURABLE = WriteConcern("majority", j=True, wtimeout=10_000)
_PATIENCE = {"serverSelectionTimeoutMS": 2_000, "connectTimeoutMS": 2_000, "socketTimeoutMS": 20_000}
"""How long a request waits for a server that does not answer, unless the URI says otherwise."""
BRIEF_SECONDS = 2.0
"""How long a command outside a transaction may take: it may have to wait for an open transaction."""
READ_MS = 5_000
"""How long the server may work on one read."""

PLACES = 2
SLOW_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


def connect(uri: str, *, building: bool = False) -> MongoClient[Document]:
    """Open a client, without sending anything yet. building: wait as long as the building of an index takes.

    Raises: StoreUnavailable when the address is not a MongoDB address.
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
    """Return a database with concerns that the URI cannot weaken."""
    return client.get_database(
        name, read_concern=MAJORITY, write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
    )


@contextmanager
def failures_named(seconds: float | None = None) -> Iterator[None]:
    """Turn driver errors into StoreUnavailable. seconds: how long all commands of the block may take together."""
    try:
        if seconds is None:
            yield
        else:
            with pymongo.timeout(seconds):
                yield
    except PyMongoError as error:
        raise StoreUnavailable(f"MongoDB: {error}") from error


class Bulkhead:
    """Counts the writers in each place; a name is a compartment, or a single resource of the directory."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Start without writers. clock: in seconds."""
        self._clock = clock
        self._inside: dict[str, list[float]] = {}
        self._changed = Condition()

    @contextmanager
    def inside(self, names: frozenset[str]) -> Iterator[None]:
        """Take a place at every name for the time of the block.

        Raises: StoreUnavailable when a name is full and its writers are slow, or when no place becomes free in time.
        """
        with self._changed:
            self._await_places(names)
            since = self._clock()
            for name in names:
                self._inside.setdefault(name, []).append(since)
        try:
            yield
        finally:
            with self._changed:
                for name in names:
                    self._leave(name, since)
                self._changed.notify_all()

    def _await_places(self, names: frozenset[str]) -> None:
        deadline = self._clock() + PATIENCE_SECONDS
        while full := [self._inside[name] for name in names if len(self._inside.get(name, ())) >= PLACES]:
            slow_at = min(min(starts) for starts in full) + SLOW_SECONDS
            left = min(slow_at, deadline) - self._clock()
            if left <= 0:
                raise StoreUnavailable("MongoDB: other writers of this space have not come through")
            self._changed.wait(left)

    def _leave(self, name: str, since: float) -> None:
        self._inside[name].remove(since)
        if not self._inside[name]:
            del self._inside[name]
