"""The stores under contract, each on its real engine. Most tests share one open store and use fresh patients."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fhir_server.adapters import opening
from fhir_server.ports.outbox import Outbox
from fhir_server.ports.store import Store
from fhir_server.ports.surroundings import Ports
from tests.engines import ENGINES, Engine, MongoEngine, MongoServer, SqliteEngine, make_engine
from tests.factories import an_id
from tests.ports.relay import Relay


@pytest.fixture(scope="session")
def shared_engines(mongo_server: MongoServer) -> Iterator[dict[str, Engine]]:
    """Engines that are open already: pytest would close a parametrised one whenever the parameter changes."""
    assert mongo_server  # it is to outlive the engines
    engines: dict[str, Engine] = {}
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(autouse=True)
def shard_keys(mongo_server: MongoServer) -> Iterator[None]:
    """Fail the test that sends MongoDB a filter without its shard key, or what the advised role does not allow."""
    mongo_server.strays.found.clear()
    yield
    assert mongo_server.strays.found == []


@pytest.fixture(params=ENGINES)
def engine(
    request: pytest.FixtureRequest, shared_engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    if request.param not in shared_engines:
        shared_engines[request.param] = make_engine(request.param, request, tmp_path_factory.mktemp(request.param))
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
    made = make_engine(request.param, request, tmp_path)
    yield made
    made.close()


@pytest.fixture
def outbox(ports: Ports) -> Outbox:
    return ports.outbox


@pytest.fixture
def lane() -> str:
    """A lane of one test alone."""
    return f"lane-{an_id()}"


@pytest.fixture
def patient() -> str:
    return an_id()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[SqliteEngine]:
    engine = SqliteEngine(tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def mongo(tmp_path: Path, mongo_server: MongoServer) -> Iterator[MongoEngine]:
    engine = MongoEngine(tmp_path, mongo_server)
    yield engine
    engine.close()


@dataclass
class Relayed:
    """The data of an engine, opened through a relay that can lose or delay answers."""

    store: Store
    relay: Relay


@pytest.fixture
def relayed(mongo: MongoEngine, mongo_server: MongoServer) -> Iterator[Relayed]:
    relay = Relay(mongo_server.impatient_uri)
    store = opening.open_mongo(relay.uri, mongo.database, mongo.folder / "data", mongo.key_file).store
    yield Relayed(store, relay)
    store.close()
    relay.close()
