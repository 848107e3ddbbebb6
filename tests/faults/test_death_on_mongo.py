"""A writer of MongoDB's store is killed at random moments: its space is soon written again, others do not notice.

`make faults` kills it 40 times and prints the figures; HABILIS_TEST_MONGO_KILLS says how often otherwise.
"""

import os
import random
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, sleep

import pytest

from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, StoreUnavailable, Write
from tests.engines import MongoEngine
from tests.factories import a_document, a_trace, an_id

KILLS = int(os.environ.get("HABILIS_TEST_MONGO_KILLS", "2"))
OTHERS = 4
RIVALS = 12
REFUSALS = 1
"""Answers of 503, each within some two seconds, before the first client writes the touched space again."""

pytestmark = pytest.mark.mongo

WORK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, Write
from tests.factories import a_document, a_trace
patient = sys.argv[1]

def work(number):
    while True:
        with ports.store.snapshot() as snapshot:
            revision = snapshot.load_space(patient).revision
        document = Write(a_document(patient), (0, 0))
        try:
            ports.store.commit(Change((a_trace(patient),), (document,), (SpaceWrite(patient, revision, b"state"),)))
        except StoreConflict:
            continue
        print("written", flush=True)

with ThreadPoolExecutor(4) as pool:
    list(pool.map(work, range(4)))
"""


@dataclass
class Figures:
    """Seconds: from a kill to the first write of its space; of each write of another space meanwhile."""

    first: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    refused: int = 0
    attempts: list[int] = field(default_factory=list)

    def told(self) -> str:
        """Return the figures in one line."""
        late = sum(seconds > 1 for seconds in self.first)
        return (
            f"{len(self.first)} kills, {late} left the space locked; first write after"
            f" {statistics.median(self.first):.2f} s (median), {max(self.first):.2f} s (longest);"
            f" other spaces: {len(self.others)} writes, p99 {_percentile(self.others, 0.99):.3f} s,"
            f" longest {max(self.others):.3f} s, {self.refused} refused"
        )


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[int(part * (len(values) - 1))]


@pytest.fixture
def mongo(tmp_path, mongo_server):
    engine = MongoEngine(tmp_path, mongo_server)
    yield engine
    engine.close()


def test_a_killed_writer_costs_its_space_little_and_others_nothing(mongo):
    figures, chance = Figures(), random.Random(os.environ.get("HABILIS_TEST_SEED", "habilis"))
    for _ in range(KILLS):
        one_death(mongo, figures, chance.uniform(0.1, 0.6))
    print(figures.told())
    assert figures.refused == 0
    assert max(figures.attempts) <= REFUSALS


def one_death(mongo, figures, seconds):
    """Kill a writer; let many write its space, and some write spaces of their own."""
    store = mongo.ports.store
    touched, *others = (opened(store) for _ in range(1 + OTHERS))
    process = subprocess.Popen([sys.executable, "-c", mongo.opening_code() + WORK, touched], stdout=subprocess.PIPE)
    process.stdout.readline()
    sleep(seconds)
    process.kill()
    process.wait()
    process.stdout.close()
    killed, free = monotonic(), Event()
    with ThreadPoolExecutor(RIVALS + OTHERS) as pool:
        rivals = [pool.submit(write_at_last, store, touched, free) for _ in range(RIVALS)]
        writers = [pool.submit(write_until, store, patient, free, figures) for patient in others]
        try:
            outcomes = [rival.result() for rival in rivals]
        finally:
            free.set()  # the writers end also when a rival fails
        figures.first.append(min(at for at, _ in outcomes) - killed)
        figures.attempts.append(min(refused for _, refused in outcomes))
        for writer in writers:
            writer.result()


def opened(store):
    patient = an_id()
    store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    return patient


def deposit(store, patient):
    """Write a document and the state of its space, as a request would: read, decide, write."""
    while True:
        with store.snapshot() as snapshot:
            revision = snapshot.load_space(patient).revision
        change = Change(
            (a_trace(patient),), (Write(a_document(patient), (0, 0)),), (SpaceWrite(patient, revision, b"state"),)
        )
        try:
            store.commit(change)
        except StoreConflict:
            continue
        return


def write_at_last(store, patient, free):
    """Write as a client does that tries again after 503; return when it succeeded and how often it was refused."""
    refused = 0
    while True:
        try:
            deposit(store, patient)
        except StoreUnavailable:
            refused += 1
            free.wait(0.2)
            continue
        free.set()
        return monotonic(), refused


def write_until(store, patient, free, figures):
    """Write a space of one's own until the touched one is free, twenty times at least."""
    written = 0
    while written < 20 or not free.is_set():
        since = monotonic()
        try:
            deposit(store, patient)
        except StoreUnavailable:
            figures.refused += 1
        figures.others.append(monotonic() - since)
        written += 1
