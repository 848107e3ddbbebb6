"""The stores on their real engines, and what a test may ask beside the ports: to open again, to look behind them."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import bson
import pytest
from pymongo import MongoClient, monitoring

from fhir_server.adapters import opening
from fhir_server.ports.surroundings import Ports

ENGINES = ["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)]


SHARD_KEYS: Mapping[str, tuple[str, ...]] = {
    "heads": ("compartment", "_id"),
    "versions": ("compartment", "_id"),
    "trail": ("compartment", "_id"),
    "spaces": ("compartment", "_id"),
    "lookups": ("token", "_id"),
    "outbox": ("compartment", "_id"),
    "claims": ("_id",),
    "counters": ("_id",),
}
"""What docs/storage.md advises: a test compares the two."""


class Engine(Protocol):
    """One store on one engine."""

    ports: Ports
    folder: Path
    key_file: Path
    framing: int
    """Statements that open and close a snapshot."""
    statements_of_a_trace: int
    statements_of_a_read: int
    """Of locating a resource, loading the state of its space, and reading it."""

    def open(self, key_file: Path | None = None) -> Ports:
        """Open the same data once more, as another process would."""

    @property
    def place(self) -> opening.Place:
        """Where the data are."""

    def rotate(self) -> int:
        """Rotate the keys."""

    def opening_code(self) -> str:
        """Return Python code that opens the same data as `ports`."""

    def at_rest(self) -> bytes:
        """Return all bytes that the database keeps."""

    def statements(self) -> AbstractContextManager[list[str]]:
        """Collect what is sent to the database."""

    def close(self) -> None:
        """Close what was opened."""


class MongoServer:
    """A server of the MongoDB protocol: the one that HABILIS_TEST_MONGODB_URI names, else a process of our own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._options = options
        self._folder = folder
        self.commands, self.strays = Commands(), Strays()
        monitoring.register(self.commands)
        monitoring.register(self.strays)

    @cached_property
    def uri(self) -> str:
        """The address; asking for it starts the process."""
        named = "" if self._options else os.environ.get("HABILIS_TEST_MONGODB_URI", "")
        return named or self._start(self._folder)

    @property
    def impatient_uri(self) -> str:
        """The address for who does not wait for a server that is away."""
        return f"{self.uri}&serverSelectionTimeoutMS=200&connectTimeoutMS=200"

    def _start(self, folder: Path) -> str:
        program = Path(sys.executable).with_name("secantusd-py")
        log = folder / "server.log"
        options = [*self._options, "--host", "127.0.0.1", "--port", "0", "--storage-path", str(folder / "data")]
        options += ["--sync-on-commit", "--cache-size", "256M", "--log-level", "INFO"]
        with log.open("w") as output:
            self._process = subprocess.Popen([program, *options], stdout=output, stderr=output, cwd=folder)
        deadline = time.monotonic() + 60
        while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        return f"mongodb://127.0.0.1:{found[1]}/?directConnection=true&retryWrites=false"

    @contextmanager
    def recording(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        """Collect every command that is sent."""
        self.commands.sent.clear()
        yield self.commands.sent

    @property
    def outlives_the_tests(self) -> bool:
        return self._process is None

    def close(self) -> None:
        if self._process:
            self._process.kill()  # its data are thrown away
            self._process.wait()


class Commands(monitoring.CommandListener):
    """Hears every command that is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command.get(event.command_name) != "processes":  # the heartbeat of another thread
            self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def advised_role() -> Mapping[str, Sequence[str]]:
    """Return what docs/storage.md has the account of a server do, by collection."""
    page = (Path(__file__).parents[1] / "docs" / "storage.md").read_text()
    block = re.search(r"```json\n(.*?)```", page.partition("### The account of the server")[2], re.DOTALL)
    return json.loads(block[1]) if block else {"trail": ["find", "insert"]}


class Strays(monitoring.CommandListener):
    """Keeps what a cluster or the advised role would not bear.

    A filter that does not name the shard key asks all shards, or is refused. judged: how many filters were seen.
    """

    def __init__(self) -> None:
        self.judged = 0
        self._role = advised_role()
        self.found: list[str] = []
        self._silent = threading.local()

    @contextmanager
    def not_judging(self) -> Iterator[None]:
        """Leave out what a test itself asks, or what goes through everything on purpose."""
        self._silent.on = True
        yield
        self._silent.on = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        name = str(event.command.get(event.command_name))
        key = SHARD_KEYS.get(name, ())
        if getattr(self._silent, "on", False) or not event.database_name.startswith("habilis"):
            return
        for action in actions_of(event.command_name, event.command):
            if action not in self._role.get(name, (action,)):
                self.found.append(f"{event.command_name} on {name}: the role of docs/storage.md has no {action}")
        for where, needed in filters_of(event.command_name, event.command, key):
            self.judged += 1
            if not all(_is_named(where, field, event.command_name) for field in needed):
                self.found.append(f"{event.command_name} on {name}: {sorted(where)}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def actions_of(name: str, command: Mapping[str, Any]) -> Iterator[str]:
    """Give the privileges that a command needs."""
    match name:
        case "find" | "aggregate" | "count":
            yield "find"
        case "insert":
            yield "insert"
        case "delete":
            yield "remove"
        case "update":
            yield "update"
            if any(one.get("upsert") for one in command["updates"]):
                yield "insert"
        case "findAndModify":
            yield from ("find", "remove" if command.get("remove") else "update")


def filters_of(
    name: str, command: Mapping[str, Any], key: tuple[str, ...]
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """Give each filter of a command with the fields of the shard key that it must name.

    Reads and removals of many need the first field, to be sent to few shards; MongoDB 6.0 refuses a change of one
    document without the whole key.
    """
    if not key:
        return
    match name:
        case "find":
            yield command["filter"], key[:1]
        case "aggregate":
            yield command["pipeline"][0].get("$match", {}), key[:1]
        case "findAndModify":
            yield command["query"], key
        case "update":
            yield from ((one["q"], key[:1] if one.get("multi") else key) for one in command["updates"])
        case "delete":
            yield from ((one["q"], key if one["limit"] else key[:1]) for one in command["deletes"])


def _is_named(where: Mapping[str, Any], field: str, command: str) -> bool:
    """Tell whether a filter names one value of a field, or a list of them; a read may also name a range."""
    if field not in where:
        return False
    ways = {"$in", "$gt", "$gte", "$lt", "$lte"} if command in {"find", "aggregate"} else {"$in"}
    return not isinstance(where[field], Mapping) or set(where[field]) <= ways


class MongoEngine:
    """The store to grow on, over the wire."""

    framing = 1  # the abort that ends a transaction that only read
    statements_of_a_trace = 1
    statements_of_a_read = 3

    def __init__(self, folder: Path, server: MongoServer) -> None:
        self.folder = folder
        self.key_file = folder / "keys.json"
        self.database = f"habilis-test-{uuid4().hex}"
        self._server = server
        self._opened: list[Ports] = []
        opening.create_keys(self.key_file)
        self.ports = self.open()

    def open(self, key_file: Path | None = None) -> Ports:
        data = self.folder / "data"
        ports = opening.open_mongo(self._server.uri, self.database, data, key_file or self.key_file)
        self._opened.append(ports)
        return ports

    def rotate(self) -> int:
        return opening.rotate_keys(self.place)

    @property
    def place(self) -> opening.MongoPlace:
        return opening.MongoPlace(self._server.uri, self.database, self.key_file)

    def opening_code(self) -> str:
        named = f"{self._server.uri!r}, {self.database!r}, Path({str(self.folder / 'data')!r})"
        return (
            "from pathlib import Path\nfrom fhir_server.adapters.opening import open_mongo\n"
            f"ports = open_mongo({named}, Path({str(self.key_file)!r}))\n"
        )

    def at_rest(self) -> bytes:
        with MongoClient(self._server.uri) as client, self._server.strays.not_judging():
            kept = [
                bson.encode(row)
                for name in (self.database, self.place.keys_database)
                for collection in client[name].list_collection_names()
                for row in client[name][collection].find()
            ]
        contents = (path.read_bytes() for path in (self.folder / "data").rglob("*") if path.is_file())
        return b"".join((*kept, *contents))

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        sent: list[str] = []
        with self._server.recording() as commands:
            yield sent
            sent.extend(name for name, _ in commands)

    def close(self) -> None:
        for ports in self._opened:
            ports.store.close()
        if self._server.outlives_the_tests:
            with MongoClient(self._server.uri) as client:
                for name in (self.database, self.place.keys_database):
                    client.drop_database(name)


class SqliteEngine:
    """The embedded store."""

    framing = 2  # BEGIN and ROLLBACK
    statements_of_a_trace = 5  # BEGIN, the insert with its two triggers' conditions, COMMIT
    statements_of_a_read = 2

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key_file = folder / "keys.json"
        opening.create_keys(self.key_file)
        self._opened: list[Ports] = []
        self.ports = self.open()

    def open(self, key_file: Path | None = None) -> Ports:
        ports = opening.open_sqlite(self.folder / "data", key_file or self.key_file)
        self._opened.append(ports)
        return ports

    @property
    def place(self) -> opening.SqlitePlace:
        return opening.SqlitePlace(self.folder / "data", self.key_file)

    def rotate(self) -> int:
        return opening.rotate_keys(self.place)

    def opening_code(self) -> str:
        return (
            "from pathlib import Path\nfrom fhir_server.adapters.opening import open_sqlite\n"
            f"ports = open_sqlite(Path({str(self.folder / 'data')!r}), Path({str(self.key_file)!r}))\n"
        )

    def at_rest(self) -> bytes:
        return b"".join(path.read_bytes() for path in (self.folder / "data").rglob("*") if path.is_file())

    def trail_positions(self) -> list[int]:
        with closing(sqlite3.connect(self.folder / "data" / "habilis.sqlite3")) as connection:
            return [row[0] for row in connection.execute("SELECT position FROM trail ORDER BY position")]

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the statements of the next reader and of the writer."""
        database = self.ports.store._database
        sent: list[str] = []
        with database.readers.lend() as reader:
            reader.set_trace_callback(sent.append)
        database.writer._connection.set_trace_callback(sent.append)
        yield sent
        reader.set_trace_callback(None)
        database.writer._connection.set_trace_callback(None)

    def close(self) -> None:
        for ports in self._opened:
            ports.store.close()


def make_engine(name: str, request: pytest.FixtureRequest, folder: Path) -> Engine:
    """Make an engine in a folder; MongoDB's server is started when it is needed first."""
    if name == "sqlite":
        return SqliteEngine(folder)
    return MongoEngine(folder, request.getfixturevalue("mongo_server"))
