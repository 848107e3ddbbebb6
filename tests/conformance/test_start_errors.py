"""A start that cannot serve says so in one line, before it says that it serves; a stop that was asked for succeeds."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from fhir_server.settings.server import Settings, SettingsError
from tests.conformance.project import text_of
from tests.live import Live, running

pytestmark = pytest.mark.live
_COMMAND = "import sys; from fhir_server.cli import main; sys.exit(main())"


@pytest.fixture
def server(tmp_path):
    return Live(tmp_path / "data", settings={"HABILIS_KEY_FILE": str(tmp_path / "keys.json")})


def run(server, *arguments, **settings):
    """Run a command that must end by itself; return its status and what it said."""
    environment = {**server.environment, **settings}
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def refused(server, **settings):
    """Return the one line with which a start is refused."""
    status, said = run(server, "serve", **settings)
    assert status == 2, said
    lines = said.strip().split("\n")
    assert len(lines) == 1, said
    assert lines[0].startswith("habilis: ")
    assert "serving" not in said
    return lines[0]


WRONG = {
    "the matrix has inferred grants": ({"HABILIS_ACCEPT_INFERRED_MATRIX": "no"}, "HABILIS_ACCEPT_INFERRED_MATRIX=yes"),
    "the folder cannot be made": ({"HABILIS_DATA_DIR": "/proc/habilis"}, "/proc/habilis cannot be made"),
    "the folder cannot be written": ({"HABILIS_DATA_DIR": "/proc"}, "/proc cannot be written"),
    "the address of MongoDB is wrong": (
        {"HABILIS_STORE": "mongodb", "HABILIS_MONGODB_URI": "mongodb:/localhost"},
        "HABILIS_MONGODB_URI is no address of MongoDB",
    ),
    "MongoDB is down": (
        {
            "HABILIS_STORE": "mongodb",
            "HABILIS_MONGODB_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200&connectTimeoutMS=200",
        },
        "MongoDB",
    ),
    "a setting is wrong": ({"HABILIS_THREADS": "many"}, "HABILIS_THREADS"),
    "an https address without a word about proxies": (
        {"HABILIS_BASE_URL": "https://sante.example"},
        "HABILIS_TRUSTED_PROXIES must name the proxies that end TLS in front of this server, or be none",
    ),
    "a proxy's header could be spelt in two ways": (
        {"HABILIS_TRUSTED_PROXIES": "10.0.0.7", "HABILIS_FORWARDED_HEADER": "X-Forwarded-For"},
        "HABILIS_PROXIES_DROP_UNDERSCORES",
    ),
    "a setting is misspelt": ({"HABILIS_TRUSTED_PROXY": "10.0.0.1"}, "did you mean HABILIS_TRUSTED_PROXIES?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_start_is_refused_in_one_line_that_says_what_is_wrong(server, case):
    settings, told = WRONG[case]
    run(server, "keys", "create")
    assert told in refused(server, **settings)


@pytest.mark.parametrize("content", [b"[1", b'{"format": 1, "keys": [{"id": "x", "key": "AAAA"}]}'])
def test_a_damaged_key_file_is_named(server, tmp_path, content):
    (tmp_path / "keys.json").write_bytes(content)
    assert str(tmp_path / "keys.json") in refused(server)


def test_a_key_file_that_is_a_folder_is_named(server, tmp_path):
    (tmp_path / "keys.json").mkdir()
    assert str(tmp_path / "keys.json") in refused(server)


def test_an_address_that_is_taken_is_named(server):
    with socket.socket() as held:
        held.bind(("127.0.0.1", server.port))
        held.listen()
        assert "HABILIS_PORT" in refused(server)


def test_an_address_of_the_metrics_that_is_taken_is_named(server):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert "HABILIS_METRICS_PORT" in refused(server, HABILIS_METRICS_PORT=str(held.getsockname()[1]))


def test_the_recipe_of_the_readme_starts_a_server(tmp_path):
    recipe = text_of("README.md").partition("## Running it in earnest")[2].partition("```sh\n")[2].partition("```")[0]
    recipe = recipe.replace("/srv/habilis", str(tmp_path / "data")).replace("/etc/habilis", str(tmp_path / "keys"))
    said = dict(re.findall(r"(HABILIS_\w+)=(\S+)", recipe))
    server = Live(tmp_path / "data", settings=said)
    status, told = run(server, "keys", "create")
    assert status == 0, told
    with running(server):
        assert server.process.poll() is None


def test_the_version_is_told(server):
    status, said = run(server, "--version")
    assert status == 0
    assert said.startswith("habilis 0.")


def test_every_misspelt_name_finds_the_one_that_was_meant():
    for wrong, meant in (
        ("HABILIS_TRUSTED_PROXYS", "HABILIS_TRUSTED_PROXIES"),
        ("HABILIS_KEYFILE", "HABILIS_KEY_FILE"),
        ("HABILIS_PROFESIONAL_LEVEL", "HABILIS_PROFESSIONAL_LEVEL"),
    ):
        with pytest.raises(SettingsError, match=f"{wrong} .*{meant}"):
            Settings.from_environment({wrong: "x"})


def test_variables_of_the_tests_and_of_others_are_no_settings():
    assert Settings.from_environment({"HABILIS_TEST_KILLS": "3", "HABILISX": "y", "PATH": "/bin"})


@pytest.mark.parametrize("to_group", [True, False], ids=["the group", "the first process"])
def test_a_stop_that_is_asked_for_ends_with_success(server, to_group):
    server.settings["HABILIS_WORKERS"] = "2"
    for _ in range(2):
        with running(server):
            process = server.process
            os.killpg(process.pid, signal.SIGTERM) if to_group else process.terminate()
            assert process.wait(timeout=120) == 0
