"""A world on either store: a test marked with `BOTH` runs on SQLite and on MongoDB, any other on SQLite alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.app import build_runtime
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.surroundings import Ports
from fhir_server.settings.server import Settings
from tests.conftest import FixedClock
from tests.engines import ENGINES, Engine, make_engine

_OPEN: list[Engine] = []
BOTH = pytest.mark.parametrize("store", ENGINES, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def runtime(
    request: pytest.FixtureRequest, settings: Settings, clock: FixedClock, tmp_path: Path, store: str
) -> Iterator[Runtime]:
    engine = make_engine(store, request, tmp_path)
    _OPEN.append(engine)
    served = build_runtime(replace(settings, key_file=engine.key_file), engine.ports)
    yield replace(served, ports=replace(engine.ports, clock=clock))
    _OPEN.remove(engine)
    engine.close()


@pytest.fixture
def another(runtime: Runtime) -> Ports:
    """The same data, opened once more as another process would."""
    assert runtime.ports.store is _OPEN[-1].ports.store
    return _OPEN[-1].open()
