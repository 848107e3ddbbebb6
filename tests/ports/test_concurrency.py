"""Many writers: nothing lost, nothing torn, the trail whole; threads of one process, and several processes."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier, Event, Thread
from time import sleep

import pytest

from fhir_server.adapters.sqlite.writer import Writer
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import AlreadyClaimed, Change, SpaceWrite, StoreConflict, StoreUnavailable
from tests.engines import SqliteEngine
from tests.factories import a_document, a_trace, all_of, an_id, creating, following, next_version

THREADS = 16


def race(task, threads=THREADS):
    barrier = Barrier(threads)

    def start(number):
        barrier.wait(120)
        return task(number)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(start, number) for number in range(threads)]]


def succeeds(store, change):
    try:
        store.commit(change)
    except (StoreConflict, AlreadyClaimed):
        return False
    return True


def test_of_many_updates_of_one_version_one_succeeds(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    second = next_version(document)
    done = race(lambda _: succeeds(store, Change((a_trace(patient),), (following(document, second),))))
    assert done.count(True) == 1
    with store.snapshot() as snapshot:
        assert snapshot.count(Search("AuditEvent"), all_of(patient), 99) == 1
        assert len(snapshot.history(document.type, document.id, all_of(patient))) == 2


def test_of_many_creators_with_one_claim_one_succeeds(store, patient):
    claim = an_id()
    assert race(lambda _: succeeds(store, creating(a_document(patient), claims=(claim,)))).count(True) == 1
    with store.snapshot() as snapshot:
        assert snapshot.count(Search("DocumentReference"), all_of(patient), 99) == 1


def test_increments_of_one_space_are_not_lost(store, patient):
    def increment(_):
        while True:
            with store.snapshot() as snapshot:
                space = snapshot.load_space(patient)
            expected, value = (space.revision, int(space.state)) if space else (0, 0)
            if succeeds(store, Change((), spaces=(SpaceWrite(patient, expected, str(value + 1).encode()),))):
                return

    race(increment, 8)
    with store.snapshot() as snapshot:
        assert snapshot.load_space(patient).state == b"8"


def test_a_reader_never_sees_half_a_change(store, patient):
    first, second = a_document(patient), a_document(patient)
    store.commit(creating(first, second))

    def write(_):
        heads = [first, second]
        for _ in range(15):
            following_heads = [next_version(head) for head in heads]
            writes = tuple(following(old, new) for old, new in zip(heads, following_heads, strict=True))
            store.commit(Change((a_trace(),), writes))
            heads = following_heads

    def observe(_):
        seen = set()
        for _ in range(30):
            with store.snapshot() as snapshot:
                versions = [snapshot.read(one.type, one.id, all_of(patient)).version for one in (first, second)]
            seen.add(versions[0] - versions[1])
        return seen

    results = race(lambda number: write(number) if number == 0 else observe(number), 4)
    assert set().union(*results[1:]) == {0}


def test_one_failing_change_does_not_harm_those_that_share_its_sync(store, patient):
    known = a_document(patient)
    store.commit(creating(known))
    fresh_ones = [a_document(patient) for _ in range(THREADS)]
    done = race(
        lambda n: (
            succeeds(store, creating(known if n % 2 else fresh_ones[n], fresh_ones[n]))
            if n % 2
            else succeeds(store, creating(fresh_ones[n]))
        )
    )
    assert done == [number % 2 == 0 for number in range(THREADS)]
    with store.snapshot() as snapshot:
        assert snapshot.count(Search("DocumentReference"), all_of(patient), 99) == 1 + THREADS // 2


WORK = """
import sys
from dataclasses import replace
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict
from tests.factories import a_trace
patient, times = sys.argv[1], int(sys.argv[2])
for _ in range(times):
    while True:
        with ports.store.snapshot() as snapshot:
            space = snapshot.load_space(patient)
        revision, value = (space.revision, int(space.state)) if space else (0, 0)
        try:
            write = SpaceWrite(patient, revision, str(value + 1).encode())
            ports.store.commit(Change((a_trace(patient),), spaces=(write,)))
            break
        except StoreConflict:
            pass
ports.store.close()
"""


def test_several_processes_lose_no_increment_and_no_trace(engine, store, patient):
    code = engine.opening_code() + textwrap.dedent(WORK)
    processes = [subprocess.Popen([sys.executable, "-c", code, patient, "20"]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    with store.snapshot() as snapshot:
        assert snapshot.load_space(patient).state == b"60"
        assert snapshot.count(Search("AuditEvent"), all_of(patient), 99) == 60


def test_the_positions_of_the_trail_have_no_gap(tmp_path, patient):
    engine = SqliteEngine(tmp_path)
    store = engine.ports.store
    document = a_document(patient)
    store.commit(creating(document))
    race(
        lambda n: succeeds(
            store, replace(creating(document if n % 3 else a_document(patient)), traces=(a_trace(),) * (n % 2 + 1))
        )
    )
    engine.close()
    positions = engine.trail_positions()
    assert positions == list(range(len(positions)))


@pytest.mark.parametrize("threads", [1, THREADS])
def test_every_acknowledged_trace_is_there(store, patient, threads):
    race(lambda _: [store.commit(Change((a_trace(patient),))) for _ in range(10)], threads)
    with store.snapshot() as snapshot:
        assert snapshot.count(Search("AuditEvent"), all_of(patient), 999) == 10 * threads


def test_the_first_keys_of_many_spaces_may_be_made_at_once(store):
    patients = [an_id() for _ in range(THREADS * 20)]
    race(lambda n: [store.commit(Change((a_trace(patient),))) for patient in patients[n::THREADS]])
    with store.snapshot() as snapshot:
        assert {snapshot.count(Search("AuditEvent"), all_of(patient), 99) for patient in patients} == {1}


def test_no_cursor_leaves_the_thread_of_the_writer(tmp_path):
    writer = Writer(tmp_path / "some.db")
    with pytest.raises(TypeError, match="cursor"):
        writer.run(lambda connection: connection.execute("SELECT 1"))
    assert writer.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    writer.close()


def test_no_cursor_leaves_the_thread_of_the_writer_with_a_failure(tmp_path):
    """The frames of what a job raises are emptied before its caller gets it."""
    writer = Writer(tmp_path / "some.db")

    def work(connection):
        cursor = connection.execute("SELECT 1")
        raise StoreConflict(str(cursor.rowcount))

    with pytest.raises(StoreConflict) as raised:
        writer.run(work)
    assert raised.traceback[-1].name == "work"
    assert raised.traceback[-1].frame.f_locals == {}
    writer.close()


def queued_behind_a_leader(writer, works):
    """Do the works as those do who come while somebody writes; return the futures of their outcomes."""
    entered, leave = Event(), Event()

    def lead(_connection):
        entered.set()
        leave.wait(10)

    with ThreadPoolExecutor(len(works) + 1) as pool:
        leading = pool.submit(writer.run, lead)
        entered.wait(10)
        following = [pool.submit(writer.run, work) for work in works]
        while len(writer._queue) < len(works):
            sleep(0.001)
        leave.set()
        leading.result(10)
    return following


def insertion(number):
    def insert(connection):
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        if number % 2:
            raise StoreConflict(str(number))
        return number

    return insert


def test_who_comes_while_somebody_writes_shares_one_sync(tmp_path):
    writer = Writer(tmp_path / "some.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE numbers (number)") and None)
    before = writer.batches
    outcomes = queued_behind_a_leader(writer, [insertion(number) for number in (2, 4, 6)])
    assert [outcome.result() for outcome in outcomes] == [2, 4, 6]
    assert writer.batches == before + 2
    writer.close()


def test_a_failure_undoes_its_own_work_and_no_other(tmp_path):
    writer = Writer(tmp_path / "some.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE numbers (number)") and None)
    outcomes = queued_behind_a_leader(writer, [insertion(number) for number in range(6)])
    assert [outcome.exception() is None for outcome in outcomes] == [True, False] * 3
    assert [str(outcome.exception()) for outcome in outcomes[1::2]] == ["1", "3", "5"]
    rows = writer.run(lambda connection: connection.execute("SELECT number FROM numbers ORDER BY 1").fetchall())
    assert rows == [(0,), (2,), (4,)]
    writer.close()


def test_closing_finishes_what_was_accepted_and_takes_nothing_more(tmp_path):
    writer = Writer(tmp_path / "some.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE numbers (number)") and None)
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = [pool.submit(writer.run, insertion(2 * number)) for number in range(100)]
        outcomes[50].exception(10)
        writer.close()
    refused = sum(outcome.exception() is not None for outcome in outcomes)
    assert all(isinstance(outcome.exception(), StoreUnavailable | None) for outcome in outcomes)
    with closing(sqlite3.connect(tmp_path / "some.db")) as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (100 - refused,)


class Interrupted(BaseException):
    """What Ctrl-C raises in the main thread."""


@pytest.fixture
def interrupting():
    """Return what lets the main thread be interrupted a moment later, after some deed."""

    def after(audited):
        def handle(_number, _frame):
            audited()
            raise Interrupted

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    before = signal.getsignal(signal.SIGALRM)
    yield after
    signal.signal(signal.SIGALRM, before)


def test_an_interrupt_of_who_would_lead_next_keeps_nobody_waiting(tmp_path, interrupting):
    writer = Writer(tmp_path / "some.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE numbers (number)") and None)
    entered, leave = Event(), Event()
    leader = Thread(target=lambda: writer.run(lambda _: entered.set() or (leave.wait(10) and None)), daemon=True)
    leader.start()
    entered.wait(10)
    behind = Thread(target=lambda: writer.run(insertion(4)), daemon=True)

    def queue_behind_and_let_go():
        behind.start()
        while len(writer._queue) < 2:
            sleep(0.001)
        leave.set()

    interrupting(queue_behind_and_let_go)
    with pytest.raises(Interrupted):
        writer.run(insertion(2))
    behind.join(10)
    assert not behind.is_alive()
    rows = writer.run(lambda connection: connection.execute("SELECT number FROM numbers ORDER BY 1").fetchall())
    assert rows == [(2,), (4,)]
    writer.close()
