"""Erasing a space on both stores: keys first, then everything of it; the ledger keeps its leaves (A8, A9, H6)."""

import subprocess
import sys

import pytest

from fhir_server.adapters.mongo import erasure
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, StoreUnavailable, Write
from tests.factories import a_document, a_trace, all_of, an_id, creating, following, next_version
from tests.holds import holds


@pytest.fixture
def filled(ports, patient):
    """A space with a document of two versions, a content, a state, a claim and a trace."""
    document = a_document(patient, lookup=frozenset({"identifier|s|1"}))
    ports.store.commit(
        Change(
            (a_trace(patient),),
            (Write(document, (0, 0)),),
            (SpaceWrite(patient, 0, b"state"),),
            (f"patient|{patient}",),
        )
    )
    after = next_version(document, lookup=frozenset({"identifier|s|1"}))
    ports.store.commit(Change((a_trace(patient),), (following(document, after),)))
    return document, ports.blobs.put(patient, b"content")


def erase(ports, patient, **more):
    trace = a_trace(patient)
    ports.store.erase(patient, Change((trace,), spaces=(SpaceWrite(patient, 0, b"gone"),)), **more)
    ports.blobs.erase(patient)
    return trace.event.id


def found(ports, type_, patient):
    with ports.store.snapshot() as snapshot:
        page = snapshot.find(Search(type_), all_of(patient))
        assert snapshot.count(Search(type_), all_of(patient), 10) == len(page.rows)
    return [row.id for row in page.rows]


def test_nothing_of_the_space_is_found_any_more(ports, patient, filled):
    document, content = filled
    erase(ports, patient)
    assert found(ports, "DocumentReference", patient) == []
    with ports.store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) is None
        assert snapshot.read("DocumentReference", document.id, all_of(patient)) is None
        assert snapshot.history("DocumentReference", document.id, all_of(patient)) == ()
        assert snapshot.compartments_with("DocumentReference", frozenset({"identifier|s|1"}), 9) == ()
    with pytest.raises(StoreUnavailable):
        ports.blobs.get(patient, content)


@holds("H6")
def test_only_the_trace_of_the_erasure_is_left_to_read(ports, patient, filled):
    assert filled
    earlier = found(ports, "AuditEvent", patient)
    last = erase(ports, patient)
    assert len(earlier) == 2
    assert found(ports, "AuditEvent", patient) == [last]
    with ports.store.snapshot() as snapshot:
        assert [snapshot.locate("AuditEvent", id_) for id_ in earlier] == [None, None]
        erased = all_of("#erased")
        assert snapshot.find(Search("AuditEvent"), erased).rows == ()


def test_the_state_is_what_the_erasure_wrote(ports, patient, filled):
    assert filled
    erase(ports, patient)
    with ports.store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
    assert (space.revision, space.state) == (1, b"gone")


def test_a_state_whose_keys_are_gone_is_empty_and_can_be_erased_again(fresh):
    """A crash after the keys went and before the rows did."""
    ports, patient = fresh.ports, an_id()
    ports.store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    ports.store._keyring.destroy(patient)
    with ports.store.snapshot() as snapshot:
        assert snapshot.load_space(patient).state == b""
        assert snapshot.find(Search("AuditEvent"), all_of(patient)).rows == ()
    erase(ports, patient)
    with ports.store.snapshot() as snapshot:
        assert snapshot.load_space(patient).state == b"gone"


def test_unique_values_are_let_go_when_asked(ports, patient, filled):
    assert filled
    claim = f"patient|{patient}"
    erase(ports, patient, released=(claim,))
    ports.store.commit(creating(a_document(an_id()), claims=(claim,)))


def test_other_spaces_stay(ports, patient, filled):
    assert filled
    other = an_id()
    document = a_document(other)
    ports.store.commit(Change((a_trace(other),), (Write(document, (0, 0)),), (SpaceWrite(other, 0, b"state"),)))
    content = ports.blobs.put(other, b"content")
    erase(ports, patient)
    assert found(ports, "DocumentReference", other) == [document.id]
    assert len(found(ports, "AuditEvent", other)) == 1
    assert ports.blobs.get(other, content) == b"content"


def test_erasing_what_is_not_there_is_no_fault(ports):
    nobody = an_id()
    erase(ports, nobody)
    assert found(ports, "DocumentReference", nobody) == []


@pytest.fixture
def long_trail(mongo, patient):
    """A space with more entries in its trail than one transaction may change on MongoDB."""
    store = mongo.ports.store
    document = a_document(patient, lookup=frozenset({"identifier|s|1"}))
    state = (SpaceWrite(patient, 0, b"state"),)
    store.commit(Change((a_trace(patient),), (Write(document, (0, 0)),), state))
    store.commit_many([Change(tuple(a_trace(patient) for _ in range(350))) for _ in range(2)])
    return document


DEATH = """
import os, sys
from pymongo.client_session import ClientSession
from fhir_server.ports.store import Change
from tests.factories import a_trace
commit, left = ClientSession.commit_transaction, [int(sys.argv[2])]

def die_at_last(session):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    commit(session)

ClientSession.commit_transaction = die_at_last
ports.store.erase(sys.argv[1], Change((a_trace(sys.argv[1]),)))
"""


@pytest.mark.mongo
def test_a_long_trail_is_erased_in_batches_and_its_right_is_asked_for_before_the_keys_go(
    mongo, patient, long_trail, mongo_server
):
    assert long_trail
    with mongo_server.recording() as commands:
        last = erase(mongo.ports, patient)
    assert found(mongo.ports, "AuditEvent", patient) == [last]
    entries = [len(command["documents"]) for name, command in commands if (name, command[name]) == ("insert", "trail")]
    assert max(entries) <= 300
    assert sum(entries) == 701 + 2, "all that were there, and the last one with its locator"
    asked = [command["filter"] for name, command in commands if (name, command[name]) == ("find", "trail")]
    assert all("order" in where for where in asked if where["compartment"] == patient), "never all entries at once"
    removals = [command["delete"] for name, command in commands if name == "delete"]
    assert removals[:2] == ["trail", "keys"]


@pytest.mark.mongo
@pytest.mark.parametrize("commits", [3])
def test_an_erasure_that_a_crash_ended_shows_nothing_and_is_gone_on_with(mongo, patient, long_trail, commits):
    code = mongo.opening_code() + DEATH
    assert subprocess.run([sys.executable, "-c", code, patient, str(commits)], check=False).returncode == 9
    store = mongo.ports.store
    store._keyring._remembered.clear()
    with pytest.raises(StoreConflict):  # whoever decided before the erasure decides again
        store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 1),)))
    with store.snapshot() as snapshot:
        assert snapshot.load_space(patient).state == b""
        assert snapshot.find(Search("DocumentReference"), all_of(patient)).rows == ()
        assert snapshot.find(Search("AuditEvent"), all_of(patient)).rows == ()
    last = erase(mongo.ports, patient)
    assert found(mongo.ports, "AuditEvent", patient) == [last]
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", long_trail.id) is None
        assert snapshot.compartments_with("DocumentReference", frozenset({"identifier|s|1"}), 9) == ()
    assert store._database["trail"].count_documents({"compartment": "#erased"}) == 701


@pytest.fixture
def erasing(relayed, patient, long_trail):
    """A store behind a relay that gives up soon, and the relay, to erase the space of the long trail."""
    assert long_trail
    relayed.store.transactions.commit_seconds = 1.0
    return lambda: relayed.store.erase(patient, Change((a_trace(patient),))), relayed.relay


def erased_entries(mongo, patient):
    """Return how many entries belong to no space any more, once one trace alone is left to the space."""
    assert len(found(mongo.ports, "AuditEvent", patient)) == 1
    return mongo.ports.store._database["trail"].count_documents({"compartment": "#erased"})


@pytest.mark.mongo
def test_a_batch_in_which_the_server_hangs_is_gone_on_with(mongo, patient, erasing):
    erase_it, relay = erasing
    relay.hang_at(b"commitTransaction", 4.0, after=b"#erased")
    erase_it()
    assert erased_entries(mongo, patient) == 701


@pytest.mark.mongo
def test_a_batch_whose_outcome_is_unknown_is_gone_on_with(mongo, patient, erasing):
    erase_it, relay = erasing
    relay.lose_answers_to(b"commitTransaction", times=4, after=b"#erased")
    erase_it()
    assert relay.lost == 4
    assert erased_entries(mongo, patient) == 701


@pytest.mark.mongo
def test_an_erasure_is_given_up_when_the_server_stays_away_and_another_one_ends_it(
    mongo, patient, erasing, monkeypatch
):
    erase_it, relay = erasing
    monkeypatch.setattr(erasure, "PAUSES", (0.1,))
    relay.lose_answers_to(b"commitTransaction", times=1, then_close=True, after=b"#erased")
    with pytest.raises(StoreUnavailable):
        erase_it()
    erase(mongo.ports, patient)
    assert erased_entries(mongo, patient) == 701
