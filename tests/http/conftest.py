"""A world that the tests of a module share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from tests.conftest import FixedClock
from tests.factories import settings_in
from tests.http.subscriptions import endpoint, notified  # noqa: F401 - fixtures
from tests.world import World


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_world(folder: Path) -> Iterator[World]:
    """Return a world that all tests of a module share: for requests that change nothing."""
    settings = settings_in(folder)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    served = replace(served, ports=replace(served.ports, clock=FixedClock()))
    yield World(served, create_app(settings, served).test_client()).open()
    served.ports.store.close()
