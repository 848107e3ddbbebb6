"""Processes that put and work messages are killed at random moments: no message is lost, none is handled twice.

`make faults` kills a hundred on each store; HABILIS_TEST_WORKER_KILLS says how often otherwise.
"""

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engines import ENGINES, make_engine
from tests.faults.outbox_process import LANE, token_of
from tests.live import until

KILLS = int(os.environ.get("HABILIS_TEST_WORKER_KILLS", "2"))
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=ENGINES)
def engine(request, tmp_path):
    made = make_engine(request.param, request, tmp_path)
    yield made
    made.close()


@pytest.fixture
def process(engine):
    """Return a function that starts a process, from the number of its first message on."""
    started = []

    def start(first):
        command = [sys.executable, "-m", "tests.faults.outbox_process", engine.opening_code(), str(first)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        end(one)


def end(process):
    """Kill a process; return the numbers that it has printed, apart from what was read before."""
    process.kill()
    numbers = [] if process.stdout.closed else [int(line) for line in process.stdout.read().splitlines()]
    process.stdout.close()
    process.wait()
    return numbers


def documents(engine, number):
    with engine.ports.store.snapshot() as snapshot:
        return len(snapshot.compartments_with("DocumentReference", frozenset({token_of(number)}), 10))


def states(engine):
    return [state for state in engine.ports.outbox.states(datetime.now(UTC)) if state.lane == LANE]


def ready(engine):
    """Return how many messages wait to be handled."""
    return sum(state.ready for state in states(engine))


def drain(engine):
    """Wait until the lane is empty; it must go on becoming emptier."""
    while waiting := ready(engine):
        until(lambda limit=waiting: ready(engine) < limit, 120)
    until(lambda: states(engine) == [], 120)


def test_no_message_is_lost_or_handled_twice_when_processes_are_killed(engine, process):
    chance, acknowledged = random.Random(os.environ.get("HABILIS_TEST_SEED", "outbox")), []
    beside = process(-1)
    for death in range(KILLS):
        dying = process(1_000_000 * (death + 1))
        acknowledged.append(int(dying.stdout.readline()))
        time.sleep(chance.uniform(0.0, 1.0))  # after the first commit of this life
        victims = [dying] if death % 2 else [dying, beside]
        for victim in victims:
            acknowledged += end(victim)
        if beside in victims:
            beside = process(-1)
    drain(engine)
    counts = {number: documents(engine, number) for number in acknowledged}
    print(f"{KILLS} deaths, {len(counts)} messages acknowledged")
    assert {number: count for number, count in counts.items() if count != 1} == {}
