"""Schemas: applied twice is once, of another version refused; the trail only grows; MongoDB is refused when unfit."""

import sqlite3
from contextlib import closing

import pytest
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhir_server.adapters import opening
from fhir_server.adapters.mongo import client as mongo
from fhir_server.adapters.mongo import proofs, schema
from fhir_server.adapters.mongo.snapshot import MongoSnapshot
from fhir_server.adapters.sqlite.schema import APPLICATION_ID
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, StoreUnavailable
from tests.engines import MongoEngine, MongoServer
from tests.factories import a_trace, all_of, creating
from tests.holds import holds

FIELDS_WITH_MANY_VALUES = {"tokens", "lookup", "words", "owners", "marks", "documents"}
FIELDS_OF_RANGES = {"order", "number", "version", "expires", "when"}


@pytest.fixture
def file(sqlite_engine):
    with closing(sqlite3.connect(sqlite_engine.folder / "data" / "habilis.sqlite3")) as connection:
        yield connection


@pytest.fixture
def mongo_engine(tmp_path, mongo_server):
    engine = MongoEngine(tmp_path, mongo_server)
    yield engine
    engine.close()


def test_applying_the_schema_again_changes_nothing(fresh):
    fresh.ports.store.commit(Change((a_trace(),)))
    opening.apply_schema(fresh.place)
    opening.apply_schema(fresh.place)
    fresh.ports.store.check()
    with fresh.open().store.snapshot() as snapshot:
        assert snapshot.count(Search("AuditEvent"), all_of(""), 9) == 1


def test_a_file_of_another_version_is_refused(sqlite_engine, file):
    file.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="schema"):
        sqlite_engine.ports.store.check()
    with pytest.raises(StoreUnavailable, match="schema 99"):
        sqlite_engine.open()


def test_a_file_of_another_program_is_refused(sqlite_engine, file):
    assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    file.execute("PRAGMA application_id = 7")
    with pytest.raises(StoreUnavailable, match="another program"):
        sqlite_engine.open()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "habilis.sqlite3").write_bytes(b"no database" * 1000)
    opening.create_keys(tmp_path / "keys.json")
    with pytest.raises(StoreUnavailable, match="SQLite"):
        opening.open_sqlite(tmp_path / "data", tmp_path / "keys.json")


def test_the_file_is_synced_at_every_commit(sqlite_engine):
    connection = sqlite_engine.ports.store._database.writer._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


REST = (
    "leaf, compartment, id || 'x', updated, kind, category, marks, sealed_until, owner_person, owner_organization,"
    " owner_client, documents, dates, tokens, body"
)


@holds("H6")
@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trail SET compartment = 'x'",
        "DELETE FROM trail",
        f"INSERT INTO trail SELECT position + 2, {REST} FROM trail",  # noqa: S608 - constants
        f"INSERT OR REPLACE INTO trail SELECT position, {REST} FROM trail",  # noqa: S608 - constants
    ],
)
def test_the_trail_refuses_whatever_is_no_appending(sqlite_engine, file, tampering):
    sqlite_engine.ports.store.commit(Change((a_trace(),)))
    with pytest.raises(sqlite3.IntegrityError, match="trail"):
        file.execute(tampering)


def test_a_table_that_is_gone_makes_the_store_unavailable(sqlite_engine, file, patient):
    file.executescript("DROP TABLE claims; DROP TABLE spaces")
    with pytest.raises(StoreUnavailable, match="SQLite"):
        sqlite_engine.ports.store.commit(Change((a_trace(),), claims=("claim",)))
    with pytest.raises(StoreUnavailable, match="SQLite"), sqlite_engine.ports.store.snapshot() as snapshot:
        snapshot.load_space(patient)
    sqlite_engine.ports.store.commit(Change((a_trace(),)))


def test_a_full_disk_makes_the_store_unavailable_until_there_is_room(sqlite_engine, patient):
    store = sqlite_engine.ports.store
    store.commit(Change((a_trace(patient),)))
    writer = store._database.writer._connection
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    wide = Change(tuple(a_trace(patient) for _ in range(100)))
    with pytest.raises(StoreUnavailable, match="full"):
        store.commit(wide)
    writer.execute("PRAGMA max_page_count = 1000000")
    store.commit(Change((a_trace(patient),)))
    store.check()


@pytest.mark.mongo
def test_the_indexes_keep_to_what_every_engine_does_right():
    for index in (*(index for indexes in schema.INDEXES.values() for index in indexes), *schema.KEY_INDEXES):
        assert len(FIELDS_WITH_MANY_VALUES & set(index.fields)) <= 1
        assert not FIELDS_OF_RANGES & set(index.fields[:-1])


@pytest.mark.mongo
def test_the_indexes_are_there(mongo_engine, mongo_server):
    with MongoClient(mongo_server.uri) as client:
        for name, indexes in schema.INDEXES.items():
            found = client[mongo_engine.database][name].index_information()
            kept = {tuple(field for field, _ in one["key"]): one for one in found.values()}
            for index in indexes:
                assert all(direction == 1 for _, direction in kept[index.fields]["key"])
                assert bool(kept[index.fields].get("unique")) == index.unique


@pytest.mark.mongo
def test_no_address_weakens_the_concerns(mongo_server):
    weak = mongo_server.uri + "&w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"
    with mongo.connect(weak) as client:
        database = mongo.database_of(client, "habilis-test-concerns")
        assert database.write_concern == WriteConcern("majority", j=True, wtimeout=10_000)
        assert database.read_concern == ReadConcern("majority")
        assert database.read_preference.mode == 0


@pytest.mark.mongo
def test_a_transaction_says_its_concerns(mongo_engine, mongo_server):
    with mongo_server.recording() as commands:
        with mongo_engine.ports.store.snapshot() as snapshot:
            assert isinstance(snapshot, MongoSnapshot)
            snapshot.load_space("nobody")
        mongo_engine.ports.store.commit(creating())
        mongo_engine.ports.store.commit(Change((), claims=("claim",)))
    first, *_ = [command for name, command in commands if name == "find"]
    assert first["readConcern"]["level"] == "snapshot"
    durable = {"w": "majority", "j": True}
    for name in ("insert", "commitTransaction"):
        concerns = [command["writeConcern"] for sent, command in commands if sent == name and "writeConcern" in command]
        assert concerns
        assert all(durable.items() <= concern.items() for concern in concerns)


@pytest.mark.mongo
def test_a_database_of_another_version_is_refused(mongo_engine, mongo_server):
    with MongoClient(mongo_server.uri) as client:
        client[mongo_engine.database]["meta"].update_one({"_id": "schema"}, {"$set": {"version": 99}})
    with pytest.raises(StoreUnavailable, match="schema"):
        mongo_engine.ports.store.check()
    with pytest.raises(StoreUnavailable, match="schema 99"):
        mongo_engine.open()


@pytest.mark.mongo
def test_a_standalone_server_is_refused(tmp_path):
    server = MongoServer(tmp_path, "--standalone")
    opening.create_keys(tmp_path / "keys.json")
    try:
        with pytest.raises(StoreUnavailable, match="standalone"):
            opening.open_mongo(server.uri, "habilis", tmp_path / "contents", tmp_path / "keys.json")
    finally:
        server.close()


@pytest.mark.mongo
def test_a_server_that_goes_away_makes_the_store_unavailable(tmp_path):
    server = MongoServer(tmp_path, "--noop-heartbeat-seconds", "10")  # an option: it is one of our own
    opening.create_keys(tmp_path / "keys.json")
    ports = opening.open_mongo(server.impatient_uri, "habilis", tmp_path / "contents", tmp_path / "keys.json")
    store, vault = ports.store, ports.vault
    server.close()
    for use in (lambda: store.commit(Change((a_trace(""),))), store.check, lambda: vault.drop("kind", "key")):
        with pytest.raises(StoreUnavailable, match="MongoDB"):
            use()
    store.close()


@pytest.mark.mongo
def test_each_proof_holds_on_the_server_and_its_failure_is_named(mongo_engine, mongo_server):
    with mongo.connect(mongo_server.uri) as client:
        database = mongo.database_of(client, mongo_engine.database)
        proofs.prove(client, database)
        assert database["probes"].count_documents({}) == 0
        database["probes"].drop_indexes()
        with pytest.raises(StoreUnavailable, match="unique index"):
            proofs.prove(client, database)
