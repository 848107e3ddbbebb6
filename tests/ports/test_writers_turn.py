"""The embedded store's log: nobody checkpoints out of turn, and what was erased does not linger in it."""

import fcntl
from contextlib import closing
from threading import Thread
from time import sleep

import pytest

from fhir_server.adapters.sqlite.connections import connect
from fhir_server.adapters.sqlite.writer import Writer
from fhir_server.ports.store import Change, SpaceWrite, Write
from tests.engines import SqliteEngine
from tests.factories import a_document, a_trace, an_id, following, next_version

ROUNDS = 30


@pytest.fixture
def writer(tmp_path):
    with closing(Writer(tmp_path / "habilis.sqlite3")) as made:
        made.run(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)").close())
        yield made


def is_taken(path):
    """Tell whether another process would have to wait for the turn."""
    with path.with_name(f"{path.name}-writer").open("ab") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_work_outside_the_queue_keeps_other_processes_waiting(writer, tmp_path):
    seen = []
    writer.outside(lambda _: seen.append(is_taken(tmp_path / "habilis.sqlite3")))
    assert seen == [True]
    assert not is_taken(tmp_path / "habilis.sqlite3")


def test_the_schema_is_laid_out_in_the_writers_turn(tmp_path, monkeypatch):
    seen = []
    outside = Writer.outside

    def watched(self, work):
        def looking(connection):
            seen.append(is_taken(self._path))
            work(connection)

        outside(self, looking)

    monkeypatch.setattr(Writer, "outside", watched)
    with closing(SqliteEngine(tmp_path)):
        assert seen
        assert all(seen)


def test_work_outside_the_queue_keeps_the_threads_of_this_process_waiting(writer):
    order = []
    commit = Thread(target=lambda: writer.run(lambda _: order.append("commit")))

    def checkpoint(_connection):
        commit.start()
        sleep(0.05)  # room for a commit that does not wait
        order.append("checkpoint")

    writer.outside(checkpoint)
    commit.join()
    assert order == ["checkpoint", "commit"]


def test_pages_are_never_mapped(tmp_path):
    for durable in (True, False):
        with closing(connect(tmp_path / "habilis.sqlite3", durable=durable)) as connection:
            assert connection.execute("PRAGMA mmap_size").fetchone() in {None, (0,)}


def fill(ports, patient):
    """Give a space a document that changes often, and many traces."""
    document = a_document(patient)
    ports.store.commit(Change((a_trace(patient),), (Write(document, (0, 0)),), (SpaceWrite(patient, 0, b"state"),)))
    for _ in range(ROUNDS):
        after = next_version(document)
        ports.store.commit(Change((a_trace(patient),), (following(document, after),)))
        document = after


def erase(ports, patient):
    ports.store.erase(patient, Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"gone"),)))


def mentions(engine, patient):
    return {
        path.name: path.read_bytes().count(patient.encode()) for path in (engine.folder / "data").glob("*.sqlite3*")
    }


def test_after_an_erasure_only_what_it_wrote_itself_names_the_patient(sqlite_engine):
    patient = an_id()
    fill(sqlite_engine.ports, patient)
    erase(sqlite_engine.ports, patient)
    named = mentions(sqlite_engine, patient)
    assert named["habilis.sqlite3-wal"] == 0
    assert named["habilis.sqlite3"] == 3  # the new state, the trace of the erasure and its place in an index
    assert named["keys.sqlite3"] + named["keys.sqlite3-wal"] == 2  # the key that sealed them and its place in an index


def test_a_read_that_goes_on_hinders_nobody_and_the_log_is_emptied_after_it(sqlite_engine):
    ports, patient = sqlite_engine.ports, an_id()
    fill(ports, patient)
    with ports.store.snapshot() as snapshot:
        assert snapshot.load_space(patient)
        erase(ports, patient)
        assert mentions(sqlite_engine, patient)["habilis.sqlite3-wal"] > 0
    ports.store.check()
    assert mentions(sqlite_engine, patient)["habilis.sqlite3-wal"] == 0
