"""The people and apps of these tests on either engine."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fhir_server.ports.surroundings import Ports
from tests.engines import ENGINES, make_engine
from tests.oauth.conftest import furnish


@pytest.fixture(scope="module", params=ENGINES)
def furnished_engine(request, tmp_path_factory) -> Iterator[Ports]:
    engine = make_engine(request.param, request, tmp_path_factory.mktemp(request.param))
    furnish(engine.ports)
    yield engine.ports
    engine.close()


@pytest.fixture
def ports(furnished_engine, clock) -> Ports:
    opened = furnished_engine
    return replace(opened, clock=clock)
