"""Starts on MongoDB: engines that do not keep their word, slow indexes, two starts at once, data of version 1."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from pymongo import MongoClient

from fhir_server.adapters import opening
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.ports.store import Change, SpaceWrite, StoreUnavailable, Write
from tests.factories import a_document, a_resource, a_trace, all_of, an_id, creating, deleted, following
from tests.ports.relay import Relay

pytestmark = pytest.mark.mongo

PRETENDED = {
    "startTransaction": "startTransactioX",
    "autocommit": "autocommiX",
    "txnNumber": "txnNumbeX",
    "snapshot": "majority",
}
"""What an engine takes for something else that does each command of a transaction at once."""


@pytest.mark.parametrize(
    ("renamed", "named"),
    [
        ({"errorLabels": "errorLabelX"}, "does not label a conflict"),
        (PRETENDED, "an aborted transaction leaves something behind"),
    ],
)
def test_an_engine_that_does_not_keep_its_word_is_refused(mongo, mongo_server, renamed, named):
    relay = Relay(mongo_server.uri, **renamed)
    with pytest.raises(StoreUnavailable, match=named):
        opening.open_mongo(relay.uri, mongo.database, mongo.folder / "data", mongo.key_file)
    relay.close()


def test_an_engine_that_tells_no_conflict_is_noticed_by_both_proofs(mongo, mongo_server):
    from fhir_server.adapters.mongo import proofs  # noqa: PLC0415

    relay = Relay(mongo_server.uri, **PRETENDED)
    with MongoClient(relay.uri) as client:
        run = proofs.Proofs(client, client[mongo.database]["probes"], "a run")
        assert [run.conflicts(), run.notices_later_commits()] == [False, False]
        run.tidy()
    relay.close()


def test_the_building_of_an_index_may_take_longer_than_an_answer(tmp_path, mongo_server):
    relay = Relay(f"{mongo_server.uri}&socketTimeoutMS=300")
    relay.delay_answer_to(b"createIndexes", 0.5)
    opening.create_keys(tmp_path / "keys.json")
    place = opening.MongoPlace(relay.uri, f"habilis-test-{uuid4().hex}", tmp_path / "keys.json")
    opening.apply_schema(place)
    relay.close()
    drop(mongo_server, place)


def test_two_first_starts_at_once_lay_out_one_database(tmp_path, mongo_server):
    opening.create_keys(tmp_path / "keys.json")
    place = opening.MongoPlace(mongo_server.uri, f"habilis-test-{uuid4().hex}", tmp_path / "keys.json")
    barrier = Barrier(4)

    def start(_):
        barrier.wait(120)
        opening.apply_schema(place)
        return opening.open_mongo(place.uri, place.database, tmp_path / "data", place.key_file)

    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(start, range(4)))
    for number, ports in enumerate(servers):
        ports.store.commit(Change((a_trace(),), claims=(f"of server {number}",)))
    with servers[0].store.snapshot() as snapshot:
        assert snapshot.count(Search("AuditEvent"), all_of(""), 9) == 4
    for ports in servers:
        ports.store.close()
    drop(mongo_server, place)


def drop(server, place):
    with MongoClient(server.uri) as client:
        for name in (place.database, place.keys_database):
            client.drop_database(name)


@pytest.fixture
def first_version(mongo, mongo_server):
    """A database with some data, as version 1 kept it: no locators, no rows of tokens, spaces without their key."""
    patient, store = an_id(), mongo.ports.store
    listed = frozenset({"review|s|waiting"})
    task = a_resource("Task", a_document(patient).facts.access, lookup=listed, dates={"due": (5, 6)})
    gone = a_document(patient, lookup=listed)
    change = creating(task, gone, a_document(patient))
    store.commit(Change((a_trace(patient),), change.writes, (SpaceWrite(patient, 0, b"state"),)))
    store.commit(Change((a_trace(patient),), (following(gone, deleted(gone)),)))
    with MongoClient(mongo_server.uri) as client, mongo_server.strays.not_judging():
        data = client[mongo.database]
        for name in ("heads", "trail"):
            data[name].delete_many({"compartment": "#at"})
        data["lookups"].drop()
        data["spaces"].update_many({}, {"$unset": {"compartment": ""}})
        data["meta"].update_one({"_id": "schema"}, {"$set": {"version": 1}})
    return patient, task


def test_data_of_version_1_are_refused_with_the_command_that_brings_them_up_to_date(mongo, first_version):
    assert first_version
    with pytest.raises(StoreUnavailable, match=r"has schema 1, .* stop all servers, .* run `habilis schema`"):
        mongo.open()


def test_data_of_version_1_are_brought_up_to_date_however_often(mongo, first_version, mongo_server):
    patient, task = first_version
    with mongo_server.strays.not_judging():  # it goes through everything
        opening.apply_schema(mongo.place)
        with MongoClient(mongo_server.uri) as client:
            client[mongo.database]["meta"].update_one({"_id": "schema"}, {"$set": {"version": 1}})
        opening.apply_schema(mongo.place)
    store = mongo.open().store
    with store.snapshot() as snapshot:
        events = snapshot.find(Search("AuditEvent"), all_of(patient)).rows
        assert [snapshot.locate("AuditEvent", event.id).compartment for event in events] == [patient] * 2
        assert snapshot.locate("Task", task.id).compartment == patient
        assert snapshot.load_space(patient).state == b"state"
        assert [one.id for one in snapshot.queue("Task", "review|s|waiting", "due", 9, Place(4, ""))] == [task.id]
        assert snapshot.compartments_with("DocumentReference", frozenset({"review|s|waiting"}), 9) == ()
        assert snapshot.patients("", 9) == (patient,)
    store.commit(Change((a_trace(patient),), (Write(a_document(patient), (0, 0)),), (SpaceWrite(patient, 1, b"more"),)))
