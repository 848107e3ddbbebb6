"""Who is inside a space, and which process is dead: what the MongoDB store keeps to free what a crash locked."""

import pytest

from fhir_server.adapters.mongo import client
from fhir_server.adapters.mongo.client import Bulkhead
from fhir_server.ports.store import StoreUnavailable
from tests.factories import a_document, all_of, creating

pytestmark = pytest.mark.mongo


def test_no_command_ever_ends_all_sessions(mongo, mongo_server):
    with mongo_server.recording() as commands:
        assert mongo.ports.store.transactions.processes.end_dead({}) == 0
    assert "killSessions" not in [name for name, _ in commands]


def test_a_live_process_that_seemed_dead_writes_once_all_the_same(mongo, patient):
    store = mongo.ports.store
    document = a_document(patient)
    store.commit(creating(document))
    other = mongo.open().store.transactions.processes
    seemed = []

    def work(session):
        heads = store._database["heads"]
        where = {"_id": f"DocumentReference/{document.id}", "compartment": patient}
        heads.update_one(where, {"$inc": {"mark": 1}}, session=session)
        if not seemed:
            seemed.append(other.end_dead(other.beats()))

    store.transactions.run(work)
    assert seemed == [1]
    with store.snapshot() as snapshot:
        assert snapshot.read("DocumentReference", document.id, all_of(patient)).mark == 1


def test_who_comes_while_those_inside_are_slow_is_refused_at_once():
    now = [0.0]
    space = Bulkhead(lambda: now[0])
    with space.inside(frozenset({"p"})), space.inside(frozenset({"p", "q"})):
        now[0] = client.SLOW_SECONDS
        with pytest.raises(StoreUnavailable, match="other writers"), space.inside(frozenset({"p"})):
            pass
        with space.inside(frozenset({"q"})), space.inside(frozenset({"r"})):
            pass
    with space.inside(frozenset({"p"})), space.inside(frozenset({"p"})):
        pass
