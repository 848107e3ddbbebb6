"""What a production start demands of its key file, and who may read the files of the data."""

import os
import stat

import pytest

from fhir_server.cli import main
from fhir_server.settings.server import Settings
from tests.holds import holds

HTTPS = {"HABILIS_BASE_URL": "https://sante.example"}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("HABILIS_")]:
        monkeypatch.delenv(name)
    given = {
        "HABILIS_DATA_DIR": str(tmp_path / "data"), "HABILIS_KEY_FILE": str(tmp_path / "secret" / "keys.json"),
        "HABILIS_ACCEPT_INFERRED_MATRIX": "yes", "HABILIS_DEMO": "no", "HABILIS_LOG_LEVEL": "error",
    }  # fmt: skip
    for name, value in (given | HTTPS).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def refused(capsys, *command: str) -> str:
    capsys.readouterr()
    assert main([*command]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.fixture
def no_server(monkeypatch):
    """Let a start get as far as the web server, and no further."""
    monkeypatch.setenv("HABILIS_TRUSTED_PROXIES", "127.0.0.1")
    monkeypatch.setenv("HABILIS_FORWARDED_HEADER", "Forwarded")
    monkeypatch.setattr("granian.Granian.serve", lambda _self: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("os.register_at_fork", lambda **_: None)


@pytest.mark.usefixtures("no_server")
def test_a_production_start_makes_no_key_file_and_says_what_to_do(home, capsys):
    assert "habilis keys create" in refused(capsys, "serve")
    assert not (home / "secret").exists()
    assert not (home / "data").exists()


@pytest.mark.usefixtures("no_server")
def test_a_production_start_refuses_a_key_file_that_others_read(home, capsys):
    assert main(["keys", "create"]) == 0
    key_file = home / "secret" / "keys.json"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    key_file.chmod(0o640)
    assert f"chmod 600 {key_file}" in refused(capsys, "serve")
    key_file.chmod(0o600)
    key_file.parent.chmod(0o755)
    assert f"chmod 700 {key_file.parent}" in refused(capsys, "serve")
    key_file.parent.chmod(0o700)
    assert main(["serve"]) == 0


def test_the_files_of_the_data_are_their_owner_s_alone(home):
    assert main(["keys", "create"]) == 0
    assert main(["users", "list"]) == 0
    files = [path for path in (home / "data").iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"habilis.sqlite3", "keys.sqlite3"}
    assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {path.name: 0 for path in files}
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700


def test_files_that_an_earlier_version_left_open_to_others_are_closed(home):
    assert main(["keys", "create"]) == 0
    assert main(["users", "list"]) == 0
    database = home / "data" / "habilis.sqlite3"
    database.chmod(0o644)
    assert main(["users", "list"]) == 0
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


@holds("AC54")
@pytest.mark.parametrize("more", [[], ["--patients", "1"]])
def test_no_invented_people_are_loaded_on_an_https_base(home, capsys, more):
    assert main(["keys", "create"]) == 0
    assert "habilis seed --demo" in refused(capsys, "seed", *more)
    assert not (home / "data").exists()


@pytest.mark.parametrize(
    ("more", "level"),
    [
        (HTTPS, "eidas2"),
        (HTTPS | {"HABILIS_PROFESSIONAL_LEVEL": "eidas1"}, "eidas1"),
        ({}, "eidas1"),
        ({"HABILIS_DEMO": "yes"}, "eidas1"),
    ],
)
def test_a_professional_shows_two_factors_on_a_production_server(more, level):
    assert Settings.from_environment(more).professional_level == level
