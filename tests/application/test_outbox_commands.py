"""`habilis outbox` and `habilis work`: the operator sees the lanes, and tries dead letters again or drops them."""

import os
import signal
import subprocess
import sys

import orjson
import pytest

from fhir_server.app import build_runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.cli import main
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change
from tests.commands import beside, runner
from tests.factories import all_of, settings_in
from tests.live import until


def _fail(_runtime, _message):
    raise OSError


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A store with a dead letter, a waiting message, and its settings in the environment."""
    settings = settings_in(tmp_path)
    beside(settings, monkeypatch)
    assert main(["keys", "create"]) == 0
    runtime = build_runtime(settings)
    now = runtime.now()
    messages = tuple(Message(lane, "key", b"Patient/secret", now) for lane in ("mail", "terms"))
    runtime.ports.store.commit(Change((), outbox=messages))
    Worker(runtime, (Lane("mail", _fail, tries=1),)).work_once()
    yield runtime
    runtime.ports.store.close()


def told_by(capsys, *words):
    return runner(capsys)("outbox", *words)


def position(runtime):
    return runtime.ports.outbox.dead_letters(1)[0].position


def events(runtime):
    with runtime.ports.store.snapshot() as snapshot:
        page = snapshot.find(Search("AuditEvent", limit=100), all_of(""))
    return [orjson.loads(row.body) for row in page.rows]


def test_the_list_tells_lanes_and_dead_letters_and_no_identity(service, capsys):
    status, said = told_by(capsys, "list")
    assert status == 0
    assert [line.split()[:4] for line in said.splitlines()[1:3]] == [["mail", "0", "0", "1"], ["terms", "1", "0", "0"]]
    assert f"dead letter mail {position(service)}: 1 tries, OSError" in said
    assert "secret" not in said


@pytest.mark.parametrize(("command", "left"), [("retry", 2), ("drop", 1)])
def test_a_dead_letter_is_tried_again_or_dropped_and_the_act_is_audited(service, capsys, command, left):
    where = position(service)
    assert told_by(capsys, command, "mail", where, "--by", "Alix")[0] == 0
    states = service.ports.outbox.states(service.now())
    assert (sum(state.ready for state in states), sum(state.dead for state in states)) == (left, 0)
    (event,) = [event for event in events(service) if event["subtype"][-1]["code"] == f"{command}-message"]
    assert f"mail {where}" in event["outcomeDesc"]
    assert "Alix" in str(event["agent"])
    status, said = told_by(capsys, command, "mail", where)
    assert status == 2
    assert "there is no dead letter" in said


def test_an_empty_outbox_says_so(service, capsys):
    Worker(service, (Lane("terms", lambda *_: NOTHING),)).work_once()
    told_by(capsys, "drop", "mail", position(service))
    assert told_by(capsys, "list") == (0, "the outbox is empty\n")


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_process_works_until_it_is_asked_to_stop(service, number):
    code = "import sys; from fhir_server.cli import main; sys.exit(main(['work']))"
    process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ), stderr=subprocess.DEVNULL)
    until(lambda: any(one.lane == "tidying" and one.later for one in service.ports.outbox.states(service.now())))
    process.send_signal(number)
    assert process.wait(60) == 0
    assert service.ports.outbox.lease("tidying").holder is None
