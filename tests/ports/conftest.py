"""The stores under contract, each on its real engine. Most tests share one open store and use fresh patients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_server.ports import Ports, Store
from tests.factories import an_id
from tests.ports.engines import Engine, MongoEngine, MongoServer, SqliteEngine

ENGINES = ["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)]


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


def make(name: str, request: pytest.FixtureRequest, folder: Path) -> Engine:
    if name == "sqlite":
        return SqliteEngine(folder)
    return MongoEngine(folder, request.getfixturevalue("mongo_server"))


@pytest.fixture(scope="session")
def shared_engines(mongo_server: MongoServer) -> Iterator[dict[str, Engine]]:
    """Engines that are open already: pytest would close a parametrised one whenever the parameter changes."""
    assert mongo_server  # it is to outlive the engines
    engines: dict[str, Engine] = {}
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(params=ENGINES)
def engine(
    request: pytest.FixtureRequest, shared_engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    if request.param not in shared_engines:
        shared_engines[request.param] = make(request.param, request, tmp_path_factory.mktemp(request.param))
    return shared_engines[request.param]


@pytest.fixture
def ports(engine: Engine) -> Ports:
    return engine.ports


@pytest.fixture
def store(ports: Ports) -> Store:
    return ports.store


@pytest.fixture(params=ENGINES)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A store of one's own, to be broken or opened again."""
    made = make(request.param, request, tmp_path)
    yield made
    made.close()


@pytest.fixture
def patient() -> str:
    return an_id()
