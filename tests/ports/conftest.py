"""The stores under contract, each on its real engine. Most tests share one open store and use fresh patients."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fhir_server.ports import Ports, Store
from tests.factories import an_id
from tests.ports.engines import Engine, SqliteEngine

ENGINES: dict[str, Callable[[Path], Engine]] = {"sqlite": SqliteEngine}


@pytest.fixture(scope="session")
def shared_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    engines = {name: make(tmp_path_factory.mktemp(name)) for name, make in ENGINES.items()}
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest, shared_engines: dict[str, Engine]) -> Engine:
    return shared_engines[request.param]


@pytest.fixture
def ports(engine: Engine) -> Ports:
    return engine.ports


@pytest.fixture
def store(ports: Ports) -> Store:
    return ports.store


@pytest.fixture(params=list(ENGINES))
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A store of one's own, to be broken or opened again."""
    made = ENGINES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def patient() -> str:
    return an_id()
