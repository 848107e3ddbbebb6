"""A writing process is killed at random moments: what it acknowledged is there, and nothing is half there."""

import random
import subprocess
import sys
import textwrap
import time

from fhir_server.domain.search.criteria import Search
from tests.factories import all_of, an_id
from tests.holds import holds

ROUNDS = 6
THREADS = 4
WORK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from fhir_server.adapters.system import SystemIds
from fhir_server.ports.store import Change, SpaceWrite, Write
from fhir_server.ports.vault import Secret
from tests.factories import a_document, a_trace
patient = sys.argv[1]

def work(number):
    while True:
        one, two = a_document(patient), a_document(patient)
        content = ports.blobs.put(patient, one.id.encode())
        change = Change((a_trace(patient),), (Write(one, (0, 0)), Write(two, (0, 0))), claims=(one.id,))
        ports.store.commit(change)
        ports.vault.add(Secret("code", one.id, b"value"))
        sys.stdout.write(f"{one.id} {two.id} {change.traces[0].event.id} {content}\\n")
        sys.stdout.flush()

with ThreadPoolExecutor(THREADS) as pool:
    list(pool.map(work, range(THREADS)))
"""


def killed_writer(engine, patient, seconds):
    """Let a process write for a while, kill it, and return the lines that it acknowledged."""
    code = engine.opening_code() + textwrap.dedent(WORK).replace("THREADS", str(THREADS))
    process = subprocess.Popen([sys.executable, "-c", code, patient], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    lines = (first + rest).splitlines(keepends=True)
    return [line.split() for line in lines if line.endswith("\n")]


@holds("AC50")
def test_acknowledged_writes_survive_kill_9_and_none_is_torn(fresh):
    chance = random.Random(7)
    for _ in range(ROUNDS):
        patient = an_id()
        acknowledged = killed_writer(fresh, patient, chance.uniform(0.0, 0.25))
        assert acknowledged
        ports = fresh.open()
        with ports.store.snapshot() as snapshot:
            documents = snapshot.count(Search("DocumentReference"), all_of(patient), 100_000)
            traces = snapshot.count(Search("AuditEvent"), all_of(patient), 100_000)
            assert documents == 2 * traces
            assert traces >= len(acknowledged)
            for one, two, trace, content in acknowledged:
                assert snapshot.read("DocumentReference", one, all_of(patient)) is not None
                assert snapshot.read("DocumentReference", two, all_of(patient)) is not None
                assert snapshot.read("AuditEvent", trace, all_of(patient)) is not None
                assert ports.blobs.get(patient, content) == one.encode()
        for one, *_ in acknowledged:
            assert ports.vault.drop("code", one)
        ports.store.check()
