"""A space whose documents a dead process keeps locked on MongoDB: soon free again, and nobody else waits."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from pymongo import MongoClient

from fhir_server.ports import store as ports_store
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, StoreUnavailable, Write
from fhir_server.ports.vault import Secret
from tests.factories import a_document, a_trace, all_of, an_id, creating, following, next_version

pytestmark = pytest.mark.mongo


@pytest.fixture
def store(mongo):
    return mongo.ports.store


def pin(patient, revision=1):
    return Change((a_trace(patient),), spaces=(SpaceWrite(patient, revision),))


def opened(store):
    patient = an_id()
    store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    return patient


DEATH = """
import os, sys
from pymongo.client_session import ClientSession
from fhir_server.ports.store import Change, SpaceWrite
from tests.factories import a_trace
ClientSession.commit_transaction = lambda self: os._exit(9)
"""


def die_before_the_commit(mongo, act, *arguments):
    """Let a process die between the last write of a transaction and its commit."""
    code = mongo.opening_code() + DEATH + act
    assert subprocess.run([sys.executable, "-c", code, *arguments], check=False).returncode == 9


def test_the_first_who_meets_the_lock_of_a_dead_process_ends_it(mongo, store, mongo_server):
    patient = opened(store)
    act = "ports.store.commit(Change((a_trace(sys.argv[1]),), spaces=(SpaceWrite(sys.argv[1], 1),)))"
    die_before_the_commit(mongo, act, patient)
    with mongo_server.recording() as commands:
        store.commit(pin(patient))
    ended = [command["killSessions"] for name, command in commands if name == "killSessions"]
    assert len(ended) == 1
    assert all(named["id"] for named in ended[0])
    assert len(ended[0]) == 1


def foreign_lock(client, mongo, patient):
    """Lock a space from a session that no process has recorded: nobody can end it."""
    session = client.start_session()
    session.start_transaction()
    with mongo._server.strays.not_judging():
        client[mongo.database]["spaces"].update_one({"_id": patient}, {"$inc": {"pins": 1}}, session=session)
    return session


def test_of_many_writers_of_a_locked_space_two_try_and_other_spaces_are_written(mongo, store, mongo_server):
    locked, others = opened(store), [opened(store) for _ in range(4)]
    barrier = Barrier(12)
    with (
        MongoClient(mongo_server.uri) as client,
        foreign_lock(client, mongo, locked),
        mongo_server.recording() as commands,
        ThreadPoolExecutor(12) as pool,
    ):
        waiting = [pool.submit(outcome, store, locked, barrier) for _ in range(8)]
        free = [pool.submit(outcome, store, patient, barrier) for patient in others]
        assert [one.result() for one in free] == ["written"] * 4
        assert [one.result() for one in waiting] == ["unavailable"] * 8
    begun = [command for name, command in commands if name == "insert" and command.get("startTransaction")]
    tried = {row["_id"] for command in begun for row in command["documents"] if row.get("compartment") == locked}
    assert len(tried) == 2
    store.commit(pin(locked))


def outcome(store, patient, barrier=None):
    if barrier:
        barrier.wait(120)
    try:
        store.commit(pin(patient))
    except StoreUnavailable:
        return "unavailable"
    return "written"


def test_a_vault_that_is_locked_answers_and_is_freed(mongo, mongo_server):
    vault = mongo.ports.vault
    vault.add(Secret("code", "one", b"value", group="grant"))
    die_before_the_commit(mongo, 'ports.vault.drop_group("grant")')
    with mongo_server.recording() as commands, pytest.raises(StoreUnavailable):
        vault.drop("code", "one")
    (sent,) = (command for name, command in commands if name == "delete")
    assert sent["maxTimeMS"] <= 2000
    assert any(answers(vault) for _ in range(5))


def answers(vault):
    try:
        vault.drop("code", "one")
    except StoreUnavailable:
        return False
    return True


def test_a_lone_trace_a_probe_and_every_read_say_how_long_the_server_may_work(store, patient, mongo_server):
    document = a_document(patient)
    store.commit(creating(document))
    with mongo_server.recording() as commands:
        store.commit(Change((a_trace(patient),)))
        store.check()
        with store.snapshot() as snapshot:
            snapshot.locate("DocumentReference", document.id)
            snapshot.visible_ids("DocumentReference", [document.id], all_of(patient))
    bounded = {name for name, command in commands if "maxTimeMS" in command}
    assert bounded >= {"insert", "update", "find", "aggregate", "commitTransaction"}


def test_what_others_wait_for_is_written_last_and_what_is_new_in_one_command(store, patient, mongo_server):
    old = a_document(patient)
    store.commit(replace(creating(old), spaces=(SpaceWrite(patient, 0, b"state"),)))
    new = [a_document(patient) for _ in range(30)]
    writes = (following(old, next_version(old)), *(Write(one, (0, 0)) for one in new))
    change = Change((a_trace(patient), a_trace(patient)), writes, (SpaceWrite(patient, 1),), ("one", "two"))
    with mongo_server.recording() as commands:
        store.commit(change)
    written = [(name, command[name]) for name, command in commands if name != "commitTransaction"]
    assert written == [
        ("insert", "trail"),
        ("insert", "claims"),
        ("insert", "heads"),
        ("findAndModify", "heads"),
        ("insert", "versions"),
        ("update", "spaces"),
    ]


def test_a_commit_whose_answer_is_lost_is_written_once(relayed, patient):
    store, relay = relayed.store, relayed.relay
    store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    relay.lose_answers_to(b"commitTransaction", times=1)
    change = pin(patient)
    store.commit(change)
    with store.snapshot() as snapshot:
        assert snapshot.read("AuditEvent", change.traces[0].event.id, all_of(patient)) is not None
    assert relay.lost == 1


def test_a_transaction_whose_abort_never_arrives_is_ended_by_its_own_process(relayed, patient):
    """Else it would keep its documents locked until MongoDB ends it, a minute later, or its session is used again."""
    store, relay = relayed.store, relayed.relay
    store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    relay.swallow(b"abortTransaction", seconds=3.0)

    def fails(session):
        where = {"_id": patient, "compartment": patient}
        assert store._database["spaces"].update_one(where, {"$inc": {"pins": 1}}, session=session).matched_count
        raise StoreConflict

    with store.transactions.processes.lend(), pytest.raises(StoreConflict):  # the next transaction uses this session
        store.transactions.run(fails)
    assert outcome(store, patient) == "written"


def test_a_trace_whose_answer_is_lost_counts_when_it_is_found_in_the_trail(relayed, patient):
    store, relay = relayed.store, relayed.relay
    store.commit(Change((a_trace(patient),)))
    relay.lose_answers_to(b"insert", times=1)
    store.commit(Change((a_trace(patient),)))
    assert relay.lost == 1


def test_a_store_that_is_gone_after_the_commit_says_that_the_outcome_is_unknown(relayed, patient):
    store, relay = relayed.store, relayed.relay
    store.transactions.commit_seconds = 0.3
    store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    relay.lose_answers_to(b"commitTransaction", times=1, then_close=True)
    with pytest.raises(ports_store.OutcomeUnknown):
        store.commit(pin(patient))
