"""What a request reads on MongoDB is confirmed by the majority, and outlives a change of the primary."""

import pytest

from fhir_server.ports.store import Change, StoreUnavailable
from tests.factories import a_document, a_trace, all_of, creating, following, next_version

pytestmark = pytest.mark.mongo


@pytest.fixture
def document(mongo, patient):
    kept = a_document(patient)
    mongo.ports.store.commit(creating(kept))
    return kept


def version_in(snapshot, document):
    return snapshot.read(document.type, document.id, all_of(document.facts.access.compartment)).version


def test_a_snapshot_ends_with_a_commit_by_the_majority(mongo, document, mongo_server):
    with mongo_server.recording() as commands, mongo.ports.store.snapshot() as snapshot:
        version_in(snapshot, document)
    name, last = commands[-1]
    assert name == "commitTransaction"
    assert last["writeConcern"]["w"] == "majority"


@pytest.mark.parametrize("lost", ["find", "commitTransaction"])
def test_reads_are_made_again_when_the_connection_is_lost(relayed, document, patient, lost):
    with relayed.store.snapshot() as snapshot:
        assert snapshot.load_space(patient) is None
        relayed.relay.lose_answers_to(lost.encode(), times=1)
        assert version_in(snapshot, document) == 1
    assert relayed.relay.lost == 1


def test_a_request_whose_earlier_reads_no_longer_hold_is_given_up(relayed, document, mongo, patient):
    other = a_document(patient)
    mongo.ports.store.commit(creating(other))
    with relayed.store.snapshot() as snapshot:
        assert version_in(snapshot, document) == 1
        mongo.ports.store.commit(Change((a_trace(),), (following(document, next_version(document)),)))
        relayed.relay.lose_answers_to(b"find", times=1)
        with pytest.raises(StoreUnavailable, match="primary changed"):
            version_in(snapshot, other)
