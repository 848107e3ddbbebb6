"""One application for each module of these tests: they read what the server says of itself, and change nothing."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from fhir_server.adapters import opening
from fhir_server.app import create_app
from tests.factories import settings_in


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    settings = settings_in(tmp_path_factory.mktemp("web"), "http://localhost:8080")
    opening.create_keys(settings.key_file)
    app = create_app(settings)
    yield app.test_client()
    app.extensions["habilis.runtime"].ports.store.close()
