"""Promises of Store.commit: all or nothing, against what was expected, with its trace."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Mark
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.store import AlreadyClaimed, Change, SpaceWrite, StoreConflict, StoreUnavailable, Write
from tests.factories import (
    AT,
    a_document,
    a_resource,
    a_trace,
    all_of,
    an_event,
    an_id,
    creating,
    deleted,
    following,
    marked,
    next_version,
)

LATER = AT + timedelta(days=1)


def current(store, resource):
    with store.snapshot() as snapshot:
        return snapshot.read(resource.type, resource.id, all_of(resource.facts.access.compartment))


def without_tokens(resource):
    return replace(resource, facts=replace(resource.facts, tokens=frozenset(), lookup=frozenset()))


def traces_of(store, patient):
    with store.snapshot() as snapshot:
        return snapshot.count(Search("AuditEvent"), all_of(patient), 1000)


def test_what_is_created_reads_back_the_same(store, patient):
    document = a_document(
        patient,
        id_=an_id(),
        category="11369-6",
        marks=Mark.MASQUE_PS | Mark.INVISIBLE_PATIENT,
        sealed_until=LATER + timedelta(microseconds=1),
        owner_person="Practitioner/nour",
        owner_organization="Organization/chu",
        owner_client="Device/ehr",
        tokens=frozenset({"type|x|y"}),
        dates={"date": (-5, 7), "period": (1, 2)},
    )
    store.commit(creating(document))
    assert current(store, document) == without_tokens(document)


def test_an_instant_is_kept_to_the_microsecond(store, patient):
    document = a_document(patient, at=AT.replace(year=1931, microsecond=999_999))
    store.commit(creating(document))
    assert current(store, document).last_updated == document.last_updated


def test_creating_twice_is_a_conflict(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    with pytest.raises(StoreConflict):
        store.commit(creating(document))


def test_creating_what_was_deleted_is_a_conflict(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    store.commit(Change((a_trace(),), (following(document, deleted(document)),)))
    with pytest.raises(StoreConflict):
        store.commit(creating(document))


def test_an_update_replaces_the_head(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    second = next_version(document, at=LATER)
    store.commit(Change((a_trace(),), (following(document, second),)))
    assert current(store, document) == without_tokens(second)


@pytest.mark.parametrize("expected", [(2, 0), (1, 1), (0, 1)])
def test_an_update_of_another_version_or_mark_is_a_conflict(store, patient, expected):
    document = a_document(patient)
    store.commit(creating(document))
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), (Write(next_version(document), expected),)))
    assert current(store, document) == without_tokens(document)


def test_an_update_of_what_is_not_there_is_a_conflict(store, patient):
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), (Write(next_version(a_document(patient)), (1, 0)),)))


def test_a_deletion_leaves_a_marked_version_without_body(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    gone = deleted(document, at=LATER)
    store.commit(Change((a_trace(),), (following(document, gone),)))
    assert current(store, document) == without_tokens(gone)


def test_a_change_of_marks_keeps_version_and_body(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    hidden = marked(document, Mark.MASQUE_PS, at=LATER)
    store.commit(Change((a_trace(),), (following(document, hidden),)))
    assert current(store, document) == without_tokens(replace(hidden, body=document.body))


def test_a_change_of_marks_without_tokens_keeps_the_tokens(store, patient):
    document = a_document(patient, tokens=frozenset({"type|x|y"}), lookup=frozenset({"identifier|a|1"}))
    store.commit(creating(document))
    hidden = marked(without_tokens(document), Mark.MASQUE_PS)
    store.commit(Change((a_trace(),), (following(document, hidden),)))
    with store.snapshot() as snapshot:
        search = Search("DocumentReference", (AnyOf(frozenset({"type|x|y"})),))
        assert snapshot.count(search, all_of(patient), 10) == 1
        assert (patient, document.id) in snapshot.compartments_with(
            "DocumentReference", frozenset({"identifier|a|1"}), 99
        )


def test_a_change_of_marks_with_tokens_replaces_the_tokens(store, patient):
    value = an_id()
    document = a_document(patient, tokens=frozenset({"status|s|a"}), lookup=frozenset({f"identifier|a|{value}"}))
    store.commit(creating(document))
    hidden = marked(document, Mark.MASQUE_PS)
    hidden = replace(hidden, facts=replace(hidden.facts, tokens=frozenset({"status|s|b"}), lookup=frozenset()))
    store.commit(Change((a_trace(),), (following(document, hidden),)))
    with store.snapshot() as snapshot:
        for token, count in (("status|s|a", 0), ("status|s|b", 1)):
            assert (
                snapshot.count(Search("DocumentReference", (AnyOf(frozenset({token})),)), all_of(patient), 9) == count
            )
        assert snapshot.compartments_with("DocumentReference", frozenset({f"identifier|a|{value}"}), 9) == ()


def test_an_update_after_a_change_of_marks_must_expect_the_mark(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    hidden = marked(document, Mark.MASQUE_PS)
    store.commit(Change((a_trace(),), (following(document, hidden),)))
    second = replace(next_version(document), mark=1, marked_at=AT)
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), (following(document, second),)))
    store.commit(Change((a_trace(),), (following(hidden, second),)))
    assert current(store, document).version == 2


def test_two_writes_of_one_resource_in_one_change_follow_each_other(store, patient):
    document = a_document(patient)
    second = next_version(document)
    store.commit(Change((a_trace(),), (Write(document, (0, 0)), following(document, second))))
    assert current(store, document).version == 2


def test_an_update_removes_old_tokens(store, patient):
    value = an_id()
    document = a_document(patient, tokens=frozenset({"status|s|current"}), lookup=frozenset({f"identifier|a|{value}"}))
    store.commit(creating(document))
    second = next_version(document, tokens=frozenset({"status|s|superseded"}), lookup=frozenset())
    store.commit(Change((a_trace(),), (following(document, second),)))
    with store.snapshot() as snapshot:
        old = Search("DocumentReference", (AnyOf(frozenset({"status|s|current"})),))
        assert snapshot.find(old, all_of(patient)).rows == ()
        assert snapshot.compartments_with("DocumentReference", frozenset({f"identifier|a|{value}"}), 9) == ()


def test_a_directory_resource_is_found_by_what_it_says_now(store):
    before, now = f"name|~|{an_id()}", f"name|~|{an_id()}"
    first = a_resource("Practitioner", AccessFacts(""), tokens=frozenset({before}))
    store.commit(creating(first))
    store.commit(Change((a_trace(),), (following(first, next_version(first, tokens=frozenset({now}))),)))
    with store.snapshot() as snapshot:
        for token, found in ((before, 0), (now, 1)):
            assert snapshot.count(Search("Practitioner", (AnyOf(frozenset({token})),)), all_of(""), 9) == found


def test_a_failing_write_leaves_nothing_of_the_change(store, patient):
    known, new, claim = a_document(patient), a_document(patient), an_id()
    store.commit(creating(known))
    writes = (Write(new, (0, 0)), Write(known, (0, 0)))
    failing = Change((a_trace(patient),), writes, (SpaceWrite(patient, 0, b"state"),), (claim,))
    with pytest.raises(StoreConflict):
        store.commit(failing)
    assert current(store, new) is None
    assert traces_of(store, patient) == 0
    with store.snapshot() as snapshot:
        assert snapshot.load_space(patient) is None
    store.commit(creating(new, claims=(claim,)))
    assert current(store, new) is not None


def test_a_claim_is_taken_for_ever(store, patient):
    claim = f"patient|ins|{an_id()}"
    document = a_document(patient)
    store.commit(creating(document, claims=(claim,)))
    store.commit(Change((a_trace(),), (following(document, deleted(document)),)))
    other = a_document(patient)
    with pytest.raises(AlreadyClaimed) as refused:
        store.commit(creating(other, claims=(an_id(), claim)))
    assert refused.value.claim == claim
    assert current(store, other) is None


def test_one_change_cannot_claim_a_value_twice(store, patient):
    claim = an_id()
    with pytest.raises(AlreadyClaimed):
        store.commit(creating(a_document(patient), claims=(claim, claim)))


def test_a_space_grows_by_one_revision(store, patient):
    store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, 0, b"one"),)))
    store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, 1, b"two"),)))
    with store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
    assert (space.patient, space.revision, space.state) == (patient, 2, b"two")


@pytest.mark.parametrize("state", [b"state", None])
@pytest.mark.parametrize("expected", [0, 2])
def test_a_space_of_another_revision_is_a_conflict(store, patient, expected, state):
    store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, 0, b"one"),)))
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, expected, state),)))


def test_a_pin_holds_while_the_space_is_unchanged(store, patient):
    pin_none, pin_one = SpaceWrite(patient, 0), SpaceWrite(patient, 1)
    document = a_document(patient)
    store.commit(Change((a_trace(),), (Write(document, (0, 0)),), (pin_none,)))
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), spaces=(pin_one,)))
    store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, 0, b"one"),)))
    store.commit(Change((a_trace(),), spaces=(pin_one,)))
    with store.snapshot() as snapshot:
        assert snapshot.load_space(patient).revision == 1


def test_a_trace_is_kept_once(store, patient):
    event = an_event(patient)
    trace = replace(a_trace(), event=event)
    store.commit(Change((trace,)))
    with pytest.raises(StoreConflict):
        store.commit(Change((trace,)))
    assert traces_of(store, patient) == 1
    assert current(store, event) == event


def test_audit_events_have_no_other_door(store, patient):
    event = an_event(patient)
    with pytest.raises(ValueError, match="traces"):
        store.commit(Change((), (Write(event, (0, 0)),)))
    with pytest.raises(ValueError, match="AuditEvent"):
        store.commit(Change((replace(a_trace(), event=next_version(event)),)))
    with pytest.raises(ValueError, match="AuditEvent"):
        store.commit(Change((replace(a_trace(), event=a_document(patient)),)))


def test_many_changes_stop_at_the_first_failure(store, patient):
    documents = [a_document(patient) for _ in range(5)]
    changes = [creating(documents[0]), creating(documents[1]), creating(documents[0]), creating(documents[2])]
    with pytest.raises(StoreConflict):
        store.commit_many(changes)
    assert [current(store, document) is not None for document in documents[:3]] == [True, True, False]


def test_many_changes_are_written_in_order(store, patient):
    document = a_document(patient)
    second = next_version(document)
    store.commit_many([creating(document), Change((a_trace(patient),), (following(document, second),))])
    assert current(store, document).version == 2
    assert traces_of(store, patient) == 1


def test_no_changes_are_no_work(store):
    store.commit_many([])
    store.check()


def test_a_closed_store_says_so(fresh):
    ports = fresh.open()
    ports.store.close()
    ports.store.close()
    with pytest.raises(StoreUnavailable):
        ports.store.commit(Change((a_trace(),)))
    with pytest.raises(StoreUnavailable), ports.store.snapshot() as snapshot:
        snapshot.load_space("p")
    with pytest.raises(StoreUnavailable):
        ports.store.check()
