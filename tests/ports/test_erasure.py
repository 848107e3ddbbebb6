"""Erasing a space on both stores: keys first, then everything of it; the ledger keeps its leaves (A8, A9, H6)."""

import pytest

from consent_rules.visibility import Clause, Visibility
from fhir_server.domain.search import Search
from fhir_server.ports import Change, SpaceWrite, StoreUnavailable, Write
from tests.factories import (
    a_document,
    a_trace,
    all_of,
    an_id,
    creating,
    following,
    next_version,
)


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


def test_only_the_trace_of_the_erasure_is_left_to_read(ports, patient, filled):
    assert filled
    earlier = found(ports, "AuditEvent", patient)
    last = erase(ports, patient)
    assert len(earlier) == 2
    assert found(ports, "AuditEvent", patient) == [last]
    with ports.store.snapshot() as snapshot:
        assert [snapshot.locate("AuditEvent", id_) for id_ in earlier] == [None, None]
        erased = Visibility("#erased", (Clause(),))
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
