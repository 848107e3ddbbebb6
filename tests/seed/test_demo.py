"""The story that `make demo` plays: every step holds against a real server, and a step that does not is told."""

import os
import subprocess
import sys

import pytest

from seed import book, demo
from tests.live import Live, running

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("story") / "data"
    folder.mkdir()
    with running(Live(folder, settings={"HABILIS_DEMO": "yes"})) as live:
        yield live


def told(server, **changes):
    environment = {**os.environ, "HABILIS_DATA_DIR": str(server.data_dir), **changes}
    return subprocess.run(
        [sys.executable, "-m", "seed.demo"], env=environment, capture_output=True, text=True, check=False
    )


def test_every_step_holds_and_each_decision_is_explained_twice_in_a_row(server):
    for _ in range(2):
        result = told(server)
        assert result.returncode == 0, result.stderr
        assert f"All {len(demo.STEPS)} steps hold" in result.stdout
        assert "C2 member of a care team" in result.stdout
        assert "F3 a block beats every agreement" in result.stdout
        assert "refused (no-consent)" in result.stdout
        assert "Paul Morel (Cabinet de kinésithérapie des Lilas)" in result.stdout


def test_a_step_that_does_not_hold_ends_the_story_with_status_1(server, tmp_path):
    wrong = book.read(server.data_dir)
    wrong.tokens["stern"] = wrong.tokens["martin"]  # the stranger is no stranger
    wrong.save(tmp_path)
    result = told(server, HABILIS_DATA_DIR=str(tmp_path))
    assert result.returncode == 1
    assert "This step does not hold" in result.stderr


def test_without_a_demonstration_it_says_how_to_start_one(server, tmp_path):
    result = told(server, HABILIS_DATA_DIR=str(tmp_path))
    assert result.returncode == 2
    assert "make run" in result.stderr


def test_without_a_server_it_says_how_to_start_one(server, tmp_path):
    away = book.read(server.data_dir)
    away.fhir = "http://127.0.0.1:9/fhir"
    away.save(tmp_path)
    result = told(server, HABILIS_DATA_DIR=str(tmp_path))
    assert result.returncode == 2
    assert "make run" in result.stderr
