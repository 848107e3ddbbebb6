"""What docs/smart.md says of numbers, names and addresses is so; tests/oauth/test_examples.py follows its commands."""

import re
from pathlib import Path

import pytest

from fhir_server.application.identity.access_tokens import BACKEND_LIFETIME, EMERGENCY_LIFETIME
from fhir_server.application.identity.clients import ClientKind
from fhir_server.oauth.granted.tokens import REFRESH_IDLE
from tests.oauth.conftest import BASE

PAGE = (Path(__file__).parents[2] / "docs" / "smart.md").read_text()


@pytest.mark.parametrize("path", re.findall(r"^- `(/\S+)`$", PAGE, re.MULTILINE))
def test_the_discovery_documents_of_the_page_exist(web, path):
    assert web.get(path, base_url=BASE).status_code == 200


def test_the_lives_of_the_page_are_those_of_the_server():
    assert f"{int(BACKEND_LIFETIME.total_seconds() // 60)} minutes" in PAGE
    assert f"emergency grant | {int(EMERGENCY_LIFETIME.total_seconds() // 60)} minutes" in PAGE
    assert f"refresh token | {REFRESH_IDLE.days} days" in PAGE


def test_the_kinds_of_client_of_the_page_exist():
    assert set(re.findall(r"--kind (\S+)", PAGE)) <= {kind.value for kind in ClientKind}
