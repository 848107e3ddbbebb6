"""Processes that plan an export, or send its files, are killed: the plan has each space once, and each byte its trace.

HABILIS_TEST_EXPORT_KILLS says how many steps of a plan are killed.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from http.client import IncompleteRead
from pathlib import Path

import pytest

from fhir_server.application.exports import jobs
from seed import book
from tests.faults.crash import Client
from tests.faults.export_process import SPACES_OF_A_FILE
from tests.http import stores
from tests.http.exports import ask, files, lines, place_of
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.live import Live, until

KILLS = int(os.environ.get("HABILIS_TEST_EXPORT_KILLS", "6"))
ROOT = Path(__file__).parents[2]
SPACES = 10


def process():
    """Start a process that plans exports on the store of the test."""
    code = stores._OPEN[-1].opening_code()
    command = [sys.executable, "-m", "tests.faults.export_process", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@BOTH
def test_a_plan_has_each_space_once_however_often_its_process_was_killed(world):
    mine = {world.publish()}
    for number in range(SPACES - 1):
        world.patient(f"leo{number}", f"1710275999001{number:02}")
        mine.add(world.publish(patient=f"leo{number}"))
    place = place_of(ask(world, "chu-ehr", "/$export?_type=DocumentReference"))
    for death in range(KILLS):
        dying = process()
        try:
            for _ in range(1 + death % 2):  # before the work of a step, and before its commit
                dying.stdout.readline()
        finally:
            end(dying)
    living = process()
    try:
        until(lambda: jobs.find(world.runtime, place.rpartition("/")[2]).is_planned, 120)
    finally:
        end(living)
    found = files(world, "chu-ehr", place)["DocumentReference"]
    held = [one["id"] for file in found for one in lines(world.get("chu-ehr", file))]
    assert len(found) == -(-SPACES // SPACES_OF_A_FILE)
    assert (len(held), set(held)) == (SPACES, mine)


def end(one):
    one.kill()
    one.stdout.close()
    one.wait()


@pytest.fixture
def server(tmp_path):
    live = Live(tmp_path / "data")
    live.data_dir.mkdir()
    live.command("seed", "--patients", "50", "--documents", "100")
    yield live
    live.kill()


@pytest.mark.live
def test_what_left_before_the_server_was_killed_is_traced_and_the_export_goes_on(server):
    server.start()
    demo = book.read(server.data_dir)
    place, path = began(server, demo.tokens["publisher"])
    with closing(Client(server, demo.tokens["publisher"])) as client:
        client._connection.request("GET", path, headers=client._headers)
        answer = client._connection.getresponse()
        received = [json.loads(answer.readline()) for _ in range(110)]  # of two spaces
        server.kill()
    server.start()
    by_space: dict[str, list[str]] = {}
    for one in received:
        by_space.setdefault(one["subject"]["reference"].rpartition("Patient/")[2], []).append(one["id"])
    assert len(by_space) > 1
    with closing(Client(server, demo.tokens["publisher"])) as client:
        for patient, documents in by_space.items():
            events = client.json(f"/fhir/AuditEvent?patient={patient}&_count=200")["entry"]
            told = json.dumps([event for event in events if "export" in event["resource"]["text"]["div"]])
            assert [id_ for id_ in documents if id_ not in told] == []
        status, body = client.ask("GET", path)
        assert (status, body.count(b"\n")) == (200, 50 * 100)
        assert client.ask("DELETE", place)[0] == 202


@pytest.mark.live
def test_a_file_whose_token_ends_breaks_off_so_that_a_client_notices(server):
    server.start()
    demo = book.read(server.data_dir)
    _, path = began(server, demo.tokens["publisher"])
    with closing(Client(server, demo.tokens["publisher"])) as client:
        client._connection.request("GET", path, headers=client._headers)
        answer = client._connection.getresponse()
        assert answer.readline()
        server.command("emergencies-only", "on", "--reason", "a drill")  # while most of it waits to be read
        with pytest.raises((IncompleteRead, ConnectionError)):
            answer.read()
    server.command("emergencies-only", "off")
    with closing(Client(server, demo.tokens["publisher"])) as client:
        assert client.ask("GET", path)[0] == 200


def began(server, token):
    """Ask for an export; return the path of its state, and of its only file."""
    with closing(Client(server, token)) as client:
        client._connection.request(
            "GET", "/fhir/$export?_type=DocumentReference", headers=client._headers | {"Prefer": "respond-async"}
        )
        answer = client._connection.getresponse()
        answer.read()
        place = "/fhir" + answer.headers["Content-Location"].partition("/fhir")[2]
        deadline = time.monotonic() + 60
        status, body = client.ask("GET", place)
        while status != 200 and time.monotonic() < deadline:
            time.sleep(jobs.POLL_SECONDS)
            status, body = client.ask("GET", place)
        (file,) = json.loads(body)["output"]
        return place, "/fhir" + file["url"].partition("/fhir")[2]
