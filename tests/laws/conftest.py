"""The world of the laws that only a server can keep: deletion, and the same answer for list and read."""

import pytest

from fhir_server.application.runtime import Runtime
from fhir_server.settings import Settings
from tests.world import World, client_of


@pytest.fixture
def world(settings: Settings, runtime: Runtime) -> World:
    return World(runtime, client_of(settings, runtime)).open()
