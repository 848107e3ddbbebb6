"""The world in which documents are published, hidden and read."""

import pytest
from flask.testing import FlaskClient

from fhir_server.application.runtime import Runtime
from tests.world import World


@pytest.fixture
def world(runtime: Runtime, web: FlaskClient) -> World:
    return World(runtime, web).open()
