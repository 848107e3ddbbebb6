"""docs/smart.md from beginning to end on a server of its own: register by its commands, run its examples."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from seed import book
from tests.live import Live, running
from tests.oauth.test_documentation import PAGE, commands

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Live]:
    """The demonstration, whose hospital has published documents."""
    folder = tmp_path_factory.mktemp("examples") / "data"
    folder.mkdir()
    live = Live(folder, settings={"HABILIS_DEMO": "yes"})
    with running(live):
        yield live


@pytest.fixture(scope="module")
def demo(server) -> book.Demonstration:
    found = book.read(server.data_dir)
    assert found is not None
    return found


def run_page_command(server: Live, name: str, place: Path, **known: str) -> None:
    """Run the command of the page that registers a client, with what the page leaves open filled in."""
    command = next(found for found in commands() if name in found)
    filled = [known.get(word, word) for word in command]
    program = "import sys; from fhir_server.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", program, *filled], env=server.environment, check=True, cwd=place)


def test_the_backend_of_the_page_finds_what_its_hospital_has_published(server, demo, tmp_path):
    key = ECKey.generate_key("P-384", {"kid": "my-key"})
    public = {"keys": [key.as_dict(private=False)]}
    (tmp_path / "public-keys.json").write_text(json.dumps(public))
    (tmp_path / "private-key.json").write_text(json.dumps(key.as_dict(private=True)))
    hospital = demo.organizations["chu-a"]
    run_page_command(server, "my-ehr", tmp_path, **{"ORGANIZATION-ID": hospital})
    line = next(line for line in PAGE.splitlines() if line.startswith("python docs/examples/backend.py"))
    words = shlex.split(line)[1:]
    known = {"http://127.0.0.1:8080/fhir": demo.fhir, "PATIENT-ID": demo.patients["camille"]}
    arguments = [known.get(word, word) for word in words[1:]]
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *arguments], check=True, capture_output=True, text=True, timeout=60,
        cwd=tmp_path,
    )  # fmt: skip
    assert re.fullmatch(r"200 Bundle [1-9]\d* documents", done.stdout.strip())
