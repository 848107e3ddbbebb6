"""What happens when the disk, a row or a file is not what it was: nothing is given out, and it is named."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from fhir_server.adapters.keys import KeyFile, KeyProblem
from fhir_server.adapters.sealing import Keyring, Sealed, seal, unseal
from fhir_server.adapters.sqlite.connections import BUSY_SECONDS
from fhir_server.ports.store import Change, StoreConflict, StoreUnavailable
from tests.engines import SqliteEngine
from tests.factories import a_document, a_trace, all_of, creating
from tests.holds import holds


def change_file(engine, name, *statements):
    with closing(sqlite3.connect(engine.folder / "data" / name)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def read(engine, document):
    with engine.ports.store.snapshot() as snapshot:
        return snapshot.read(document.type, document.id, all_of(document.facts.access.compartment))


@pytest.fixture
def document(sqlite_engine, patient):
    kept = a_document(patient)
    sqlite_engine.ports.store.commit(creating(kept, a_document(patient)))
    return kept


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        ("UPDATE bodies SET body = substr(body, 1, length(body) - 1)", "damaged"),
        ("UPDATE bodies SET body = zeroblob(40)", "unknown seal"),
        ("UPDATE bodies SET body = x''", "unknown seal"),
        ("UPDATE bodies SET body = (SELECT max(body) FROM bodies AS other WHERE other.row <> bodies.row)", "damaged"),
        ("UPDATE heads SET version = version + 1", "damaged"),
    ],
)
def test_a_body_that_was_changed_or_moved_is_not_given_out(sqlite_engine, document, harm, text):
    change_file(sqlite_engine, "habilis.sqlite3", harm)
    with pytest.raises(StoreUnavailable, match=text):
        read(sqlite_engine, document)


def test_a_damaged_wrapped_key_is_named(sqlite_engine, document):
    change_file(sqlite_engine, "keys.sqlite3", "UPDATE keys SET wrapped = zeroblob(60)")
    with pytest.raises(KeyProblem, match="damaged"):
        sqlite_engine.open()
    sqlite_engine.ports.store._keyring._remembered.clear()
    with pytest.raises(StoreUnavailable, match="damaged"):
        read(sqlite_engine, document)


def test_a_sealed_value_opens_under_its_own_name_only(sqlite_engine):
    keyring = sqlite_engine.ports.store._keyring
    sealed = seal(keyring.sealing("p"), Sealed("Consent", "1", 2), b"content")
    assert unseal(keyring.by_id, Sealed("Consent", "1", 2), sealed) == b"content"
    for other in (Sealed("Consent", "1", 3), Sealed("Consent", "2", 2), Sealed("List", "1", 2)):
        with pytest.raises(StoreUnavailable):
            unseal(keyring.by_id, other, sealed)


def test_many_keys_are_remembered_and_none_is_mixed_up(sqlite_engine):
    keyring = sqlite_engine.ports.store._keyring
    names = [f"patient-{number}" for number in range(4200)]
    keyring.make(names)
    keys = {name: keyring.sealing(name).raw for name in names}
    assert len(set(keys.values())) == len(names)
    again = Keyring(keyring.shelf, KeyFile(sqlite_engine.key_file))
    assert all(again.sealing(name).raw == keys[name] for name in names[::100])


def test_an_error_in_the_work_of_one_is_raised_to_that_one(sqlite_engine):
    writer = sqlite_engine.ports.store._database.writer
    with pytest.raises(ZeroDivisionError):
        writer.run(lambda _: 1 // 0)
    assert writer.run(lambda _: "done") == "done"


def test_a_lost_transaction_is_told_to_all_who_shared_it(sqlite_engine, patient):
    writer = sqlite_engine.ports.store._database.writer
    with pytest.raises(StoreUnavailable, match="SQLite"):
        writer.run(lambda connection: connection.execute("ROLLBACK").close())
    sqlite_engine.ports.store.commit(Change((a_trace(patient),)))
    sqlite_engine.ports.store.check()


def test_a_reader_that_is_lent_when_the_store_closes_is_closed_when_it_comes_back(tmp_path, patient):
    engine = SqliteEngine(tmp_path)
    with engine.ports.store.snapshot() as snapshot:
        assert snapshot.load_space(patient) is None
        engine.ports.store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        snapshot._connection.execute("SELECT 1")


def test_a_conflict_in_a_bulk_load_leaves_what_was_before(sqlite_engine, document, patient):
    good = creating(a_document(patient))
    with pytest.raises(StoreConflict):
        sqlite_engine.ports.store.commit_many([good, creating(document)])
    assert read(sqlite_engine, good.writes[0].after) is not None


def test_writers_wait_for_a_turn_longer_than_a_backup_takes():
    assert BUSY_SECONDS >= 10


@holds("AC14")
def test_the_clock_and_the_names_are_those_of_the_machine(sqlite_engine):
    clock, ids = sqlite_engine.ports.clock, sqlite_engine.ports.ids
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    assert clock.now().utcoffset().total_seconds() == 0
    name = ids.new()
    assert UUID(name).version == 4
    assert name == name.lower() == str(UUID(name))
    assert len({ids.new() for _ in range(100)} | {ids.secret() for _ in range(100)}) == 200
    assert len(ids.secret()) == 43


def test_a_trace_with_a_body_that_is_not_its_own_leaf_would_show(sqlite_engine, patient):
    trace = a_trace(patient)
    other = replace(trace, event=replace(a_trace(patient).event, body=trace.event.body))
    sqlite_engine.ports.store.commit(Change((trace, other, a_trace(patient))))
    with closing(sqlite3.connect(sqlite_engine.folder / "data" / "habilis.sqlite3")) as connection:
        leaves = [row[0] for row in connection.execute("SELECT leaf FROM trail ORDER BY position")]
    assert leaves[0] == leaves[1] != leaves[2]
    assert {len(leaf) for leaf in leaves} == {32}
