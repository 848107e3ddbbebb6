"""`habilis enrol` as an operator types it: what it says, what its report says, how it goes on after a kill -9."""

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client, ClientKind
from seed.many_patients import person
from tests.commands import beside, runner
from tests.insured import COMMAND, HEAD, line
from tests.live import until
from tests.world import World

KILLS = int(os.environ.get("HABILIS_TEST_ENROLMENT_KILLS", "3"))


@pytest.fixture
def told(world: World, settings, monkeypatch, capsys):
    """Run the command beside the world; return its status and what it printed."""
    clients.register(world.runtime, Client("keeper", "Keeper", ClientKind.BACKEND, scopes="system/*.cruds"))
    beside(settings, monkeypatch)
    run = runner(capsys)
    return lambda *words: run("enrol", *words, "--by", "Ada")


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "insured.csv"


def report(file: Path) -> list[str]:
    return file.with_name("insured.csv.report.csv").read_text("utf-8").splitlines()


def spaces(world: World) -> int:
    with world.runtime.ports.store.snapshot() as snapshot:
        return len(snapshot.patients("", 100_000))


def test_it_says_what_became_of_the_lines_and_names_nobody(told, world, file):
    before = spaces(world)
    lines = [line(1), "\n", line(2, birth="1931-13-01"), line(1), line(3), line(1, family="Durand")]
    file.write_text(HEAD + "".join(lines), "utf-8")
    status, said = told(str(file), "--client", "keeper")
    assert (status, spaces(world) - before) == (0, 2)
    assert "2 persons enrolled; 1 were enrolled before; 2 lines to look at" in said
    assert [row.partition(",")[0] for row in report(file)] == ["line", "4", "7"]
    assert "birth_date" in report(file)[1]
    everything = said + "".join(report(file))
    assert not any(secret in everything for secret in (person(1).ins_value, "Durand", person(3).family))


def test_a_second_run_enrols_nobody_twice_and_after_skips_lines(told, world, file):
    file.write_text(HEAD + line(1) + line(2) + line(3), "utf-8")
    assert "3 persons enrolled" in told(str(file), "--client", "keeper")[1]
    there = spaces(world)
    assert "0 persons enrolled; 3 were enrolled before" in told(str(file), "--client", "keeper")[1]
    assert "0 persons enrolled; 1 were enrolled before" in told(str(file), "--client", "keeper", "--after", "3")[1]
    assert spaces(world) == there


@pytest.mark.parametrize(
    ("head", "client", "said"),
    [
        (HEAD, "nobody", "--client: there is no such software"),
        ("name;first\n", "keeper", "the first line must name the columns"),
        ("", "keeper", "the first line must name the columns"),
    ],
)
def test_what_cannot_be_begun_is_told_and_leaves_no_report(told, file, head, client, said):
    file.write_text(head + line(1), "utf-8")
    status, printed = told(str(file), "--client", client)
    assert status != 0
    assert said in printed
    assert not file.with_name("insured.csv.report.csv").exists()


def test_a_file_that_is_one_endless_line_stays_out_of_memory(told, file):
    """The command reads a part of a line and skips the rest."""
    with file.open("wb") as out:
        out.write(HEAD.encode())
        for _ in range(64):
            out.write(b"x" * 1_000_000)
        out.write(b"\n" + line(1).encode())
    assert "1 persons enrolled" in told(str(file), "--client", "keeper")[1]
    assert report(file)[1].startswith("2,unreadable,")


def test_a_killed_run_is_run_again_and_nobody_is_lost_or_doubled(told, world, file):
    """HABILIS_TEST_ENROLMENT_KILLS says how often it is killed."""
    persons, before = 1500, spaces(world)
    file.write_text(HEAD + "".join(map(line, range(persons))), "utf-8")
    for death in range(KILLS):
        wanted = spaces(world) + 1 + 150 * (death % 3)
        process = subprocess.Popen([*COMMAND, str(file), "--client", "keeper"], stderr=subprocess.DEVNULL)
        until(partial(_has, world, wanted, process), 60)
        assert process.poll() is None, "it was killed in the middle"
        process.kill()
        process.wait()
    assert before < spaces(world) < before + persons
    assert told(str(file), "--client", "keeper")[0] == 0
    assert spaces(world) - before == persons


def _has(world: World, wanted: int, process: subprocess.Popen) -> bool:
    return spaces(world) >= wanted or process.poll() is not None
