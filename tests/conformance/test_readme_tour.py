"""The tour of README.md, run as a reader would run it: against a fresh demonstration, command by command."""

import re
import subprocess

import pytest

from tests.conformance.project import text_of
from tests.live import Live, running

pytestmark = pytest.mark.live


def _tour():
    section = text_of("README.md").partition("## Five-minute tour")[2].partition("\n## ")[0]
    return re.findall(r"```(sh|text)\n(.*?)```", section, flags=re.DOTALL)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Return what each block of commands printed, in order."""
    folder = tmp_path_factory.mktemp("tour")
    server = Live(folder / "var" / "demo", settings={"HABILIS_DEMO": "yes"})
    server.data_dir.mkdir(parents=True)
    blocks = [text for kind, text in _tour() if kind == "sh"]
    script = "set -eu\n" + "\necho '=== next ==='\n".join(blocks)
    with running(server, "--demo"):
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.split("=== next ===\n")


def test_each_step_of_the_tour_prints_what_the_page_says(said):
    blocks = _tour()
    promised = [
        blocks[place + 1][1].split("\n")[:-1]
        if blocks[place + 1 : place + 2] and blocks[place + 1][0] == "text"
        else []
        for place, (kind, _) in enumerate(blocks)
        if kind == "sh"
    ]
    assert len(promised) == len(said)
    for lines, text in zip(promised, said, strict=True):
        for line in lines:
            assert line in text, text


def test_the_physiotherapist_finds_the_report_that_the_page_speaks_of(said):
    assert re.match(r"[0-9a-f-]{36}\n404\n", said[1])
