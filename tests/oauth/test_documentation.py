"""docs/smart.md, followed to the letter."""

import re
import shlex
from pathlib import Path

import pytest

from fhir_server.application.access_tokens import BACKEND_LIFETIME, EMERGENCY_LIFETIME
from fhir_server.application.clients import ClientKind
from fhir_server.cli import main
from fhir_server.oauth.tokens import REFRESH_IDLE
from tests.oauth.conftest import BASE

PAGE = (Path(__file__).parents[2] / "docs" / "smart.md").read_text()


def commands() -> list[list[str]]:
    """Return the commands of the page that register something."""
    blocks = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("habilis ")]


def test_the_registration_commands_of_the_page_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "public-keys.json").write_text(
        '{"keys": [{"kty": "EC", "crv": "P-384", "x": "eA", "y": "eQ", "kid": "k"}]}'
    )
    monkeypatch.setenv("HABILIS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HABILIS_BASE_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "yes")
    assert main(["keys", "create"]) == 0
    for command in commands():
        assert main(command) == 0
    assert main(["clients", "list"]) == 0
    printed = capsys.readouterr().out
    assert {"my-app", "my-ehr"} <= set(re.findall(r"my-\w+", printed))


@pytest.mark.parametrize("path", re.findall(r"^- `(/\S+)`$", PAGE, re.MULTILINE))
def test_the_discovery_documents_of_the_page_exist(web, path):
    assert web.get(path, base_url=BASE).status_code == 200


def test_the_lives_of_the_page_are_those_of_the_server():
    assert f"{int(BACKEND_LIFETIME.total_seconds() // 60)} minutes" in PAGE
    assert f"emergency grant | {int(EMERGENCY_LIFETIME.total_seconds() // 60)} minutes" in PAGE
    assert f"refresh token | {REFRESH_IDLE.days} days" in PAGE


def test_the_kinds_of_client_of_the_page_exist():
    assert set(re.findall(r"--kind (\S+)", PAGE)) <= {kind.value for kind in ClientKind}
