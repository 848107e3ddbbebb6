"""The cast, loaded once on each store and copied for each story."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from consent_rules.rule_profile import profile
from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.surroundings import Ports
from seed import book
from seed.book import Demonstration
from seed.loading import load_demonstration
from tests.conftest import FixedClock
from tests.engines import MongoServer
from tests.seed.conftest import copied, loaded, settings_in

__all__ = ["copied", "loaded"]  # fixtures of the seed's tests

Opened = tuple[Demonstration, Runtime]
Opener = Callable[[str], Opened]


@pytest.fixture
def on_sqlite(copied: Path) -> Iterator[Opener]:
    """Open the loaded cast on SQLite, under a rule profile."""
    opened: list[Runtime] = []

    def opener(rules: str) -> Opened:
        opened.append(build_runtime(settings_in(copied)))
        return _staged(copied, opened[-1], rules)

    yield opener
    for served in opened:
        served.ports.store.close()


@dataclass(frozen=True)
class Arena:
    """The cast on MongoDB: opened once, and put back to what was loaded before each story."""

    uri: str
    name: str
    folder: Path
    ports: Ports
    kept: dict[tuple[str, str], list[dict[str, Any]]]

    def reset(self) -> None:
        self.ports.store._keyring._remembered.clear()  # keys that were made in a story are not kept either
        with MongoClient(self.uri) as client:
            for database in _databases(self.name):
                for collection in client[database].list_collection_names():
                    client[database][collection].delete_many({})
                    rows = self.kept.get((database, collection))
                    if rows:
                        client[database][collection].insert_many(rows)


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Arena]:
    folder, name = tmp_path_factory.mktemp("scenarios"), f"habilis-story-{uuid4().hex}"
    opening.create_keys(folder / "keys.json")
    ports = opening.open_mongo(mongo_server.uri, name, folder, folder / "keys.json")
    load_demonstration(build_runtime(settings_in(folder), ports), folder)
    with MongoClient(mongo_server.uri) as client:
        kept = {
            (database, collection): list(client[database][collection].find())
            for database in _databases(name)
            for collection in client[database].list_collection_names()
        }
    yield Arena(mongo_server.uri, name, folder, ports, kept)
    ports.store.close()
    if mongo_server.outlives_the_tests:
        with MongoClient(mongo_server.uri) as client:
            for database in _databases(name):
                client.drop_database(database)


@pytest.fixture
def on_mongo(arena: Arena) -> Opener:
    """Open the loaded cast on MongoDB, under a rule profile."""

    def opener(rules: str) -> Opened:
        arena.reset()
        return _staged(arena.folder, build_runtime(settings_in(arena.folder), arena.ports), rules)

    return opener


def _databases(name: str) -> tuple[str, str]:
    return name, f"{name}-keys"


def _staged(folder: Path, served: Runtime, rules: str) -> Opened:
    demo = book.read(folder)
    assert demo is not None
    clock = FixedClock(datetime.now(UTC) + timedelta(seconds=1))
    return demo, replace(served, profile=profile(rules), ports=replace(served.ports, clock=clock))
