"""Promises of the outbox: messages in the transaction of their change, in order, once; what becomes of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fhir_server.ports.outbox import Fate, Handled, LaneState, Message
from fhir_server.ports.store import (
    Change,
    MessageGone,
    SpaceWrite,
    StoreConflict,
    StoreUnavailable,
    Write,
)
from tests.factories import a_document, a_trace, all_of, an_id, creating
from tests.ports.messages import NOW, bodies, put, settle

LATER = NOW + timedelta(weeks=6)


@pytest.fixture
def lease(outbox, lane):
    return outbox.take_over(outbox.lease(lane), "worker")


def test_messages_are_ready_in_the_order_of_their_commits_and_within_a_change(store, outbox, lane):
    for second, keys in enumerate((("b", "a"), ("d",), ("c", "e"))):
        at = NOW + timedelta(seconds=second)
        store.commit(Change((a_trace(),), outbox=tuple(Message(lane, key, key.encode(), at) for key in keys)))
    assert bodies(outbox, lane) == ["b", "a", "d", "c", "e"]
    assert bodies(outbox, lane, limit=2) == ["b", "a"]
    positions = [message.position for message in outbox.ready(lane, NOW, 20)]
    assert len(set(positions)) == 5


def test_a_message_is_read_as_it_was_put(store, outbox, lane, patient):
    message = Message(lane, "key", b"\0body", NOW - timedelta(days=1), NOW, patient)
    store.commit(Change((a_trace(),), outbox=(message,)))
    (found,) = outbox.ready(lane, NOW, 20)
    read = (found.lane, found.body, found.at, found.due, found.compartment)
    assert read == (lane, b"\0body", message.at, NOW, patient)
    assert (found.puts, found.attempts, found.error, found.dead) == (1, 0, None, False)


def test_a_message_waits_for_its_instant_and_then_the_earliest_comes_first(store, outbox, lane):
    for key, due in (("second", NOW + timedelta(2)), ("first", NOW + timedelta(1)), ("now", None)):
        put(store, lane, key, due=due)
    assert bodies(outbox, lane) == ["now"]
    assert bodies(outbox, lane, NOW + timedelta(1)) == ["now", "first"]
    assert bodies(outbox, lane, NOW + timedelta(3)) == ["now", "first", "second"]


def test_a_message_without_an_instant_is_ready_whatever_the_clock_says(store, outbox, lane):
    put(store, lane, "key")
    assert bodies(outbox, lane, NOW - timedelta(days=3000)) == ["key"]


def test_the_same_key_twice_is_one_message_that_keeps_its_first_body(store, outbox, lane, patient):
    put(store, lane, "key")
    put(store, lane, "key", due=LATER)
    put(store, lane, "key", compartment=patient)
    put(store, lane + "-other", "key")
    found = {message.compartment: message.puts for message in outbox.ready(lane, NOW, 20)}
    assert found == {None: 2, patient: 1}


def test_a_key_is_free_again_when_its_message_has_left(store, outbox, lane, lease):
    put(store, lane, "key")
    (first,) = outbox.ready(lane, NOW, 20)
    settle(store, Handled(first, lease))
    put(store, lane, "key")
    (second,) = outbox.ready(lane, NOW, 20)
    assert second.position != first.position


def test_a_change_that_fails_puts_nothing(store, outbox, lane):
    taken = a_document(an_id())
    store.commit(creating(taken))
    with pytest.raises(StoreConflict):
        store.commit(Change((a_trace(),), (Write(taken, (0, 0)),), outbox=(Message(lane, "key", b"body", NOW),)))
    assert bodies(outbox, lane) == []


def test_a_handled_message_leaves_with_what_its_handler_wrote(store, outbox, lane, lease):
    put(store, lane, "one", "two")
    one, two = outbox.ready(lane, NOW, 20)
    document = a_document(an_id())
    store.commit(replace(creating(document), handled=(Handled(one, lease),)))
    assert bodies(outbox, lane) == ["two"]
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id)
    with pytest.raises(StoreConflict):
        store.commit(replace(creating(document), handled=(Handled(two, lease),)))
    assert bodies(outbox, lane) == ["two"]


def test_a_message_is_handled_once_however_often_its_handler_commits(store, outbox, lane, lease):
    put(store, lane, "key")
    (message,) = outbox.ready(lane, NOW, 20)
    settle(store, Handled(message, lease))
    document = a_document(an_id())
    with pytest.raises(MessageGone):
        store.commit(replace(creating(document), handled=(Handled(message, lease),)))
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) is None


def test_a_message_that_was_put_again_meanwhile_stays(store, outbox, lane, lease):
    put(store, lane, "key")
    (message,) = outbox.ready(lane, NOW, 20)
    put(store, lane, "key")
    with pytest.raises(MessageGone):
        settle(store, Handled(message, lease))
    (again,) = outbox.ready(lane, NOW, 20)
    settle(store, Handled(again, lease))
    assert bodies(outbox, lane) == []


def test_a_postponed_message_comes_again_and_does_not_hold_up_the_others(store, outbox, lane, lease):
    put(store, lane, "bad", "good")
    bad, _ = outbox.ready(lane, NOW, 20)
    settle(store, Handled(bad, lease, Fate.POSTPONED, NOW + timedelta(minutes=1), 1, "OSError"))
    assert bodies(outbox, lane) == ["good"]
    _, again = outbox.ready(lane, NOW + timedelta(minutes=1), 20)
    assert (again.body, again.attempts, again.error) == (b"bad", 1, "OSError")


def test_a_dead_letter_waits_for_an_operator(store, outbox, lane, lease):
    put(store, lane, "key", due=NOW)
    (message,) = outbox.ready(lane, NOW, 20)
    settle(store, Handled(message, lease, Fate.DEAD, None, 8, "OSError"))
    assert bodies(outbox, lane, LATER) == []
    (dead,) = outbox.dead_letters(20, lane)
    assert (dead.dead, dead.attempts, dead.error, dead.due) == (True, 8, "OSError", NOW)
    assert dead in outbox.dead_letters(10_000)
    with pytest.raises(MessageGone):
        settle(store, Handled(message, lease))
    settle(store, Handled(dead, None, Fate.POSTPONED))
    assert (bodies(outbox, lane), outbox.dead_letters(20, lane)) == (["key"], ())
    with pytest.raises(MessageGone):
        settle(store, Handled(dead, None))


def test_an_operator_drops_a_dead_letter_with_an_audit_event(store, outbox, lane, lease):
    put(store, lane, "key")
    (message,) = outbox.ready(lane, NOW, 20)
    settle(store, Handled(message, lease, Fate.DEAD))
    (dead,) = outbox.dead_letters(20, lane)
    trace = a_trace()
    store.commit(Change((trace,), handled=(Handled(dead, None),)))
    assert outbox.dead_letters(20, lane) == ()
    with store.snapshot() as snapshot:
        assert snapshot.locate("AuditEvent", trace.event.id)


def test_a_retried_message_is_ready_by_its_position(store, outbox, lane, lease):
    for second, key in enumerate(("first", "second")):
        at = NOW + timedelta(seconds=second)
        store.commit(Change((a_trace(),), outbox=(Message(lane, key, key.encode(), at),)))
    first, _ = outbox.ready(lane, NOW, 20)
    settle(store, Handled(first, lease, Fate.POSTPONED))
    assert bodies(outbox, lane) == ["first", "second"]


def test_the_state_of_a_lane_is_counted(store, outbox, lane, lease):
    put(store, lane, "a", "b")
    put(store, lane, "late", due=NOW + timedelta(1))
    message, _ = outbox.ready(lane, NOW, 20)
    settle(store, Handled(message, lease, Fate.DEAD, None, 5))
    states = {state.lane: state for state in outbox.states(NOW)}
    assert states[lane] == LaneState(lane, 1, 1, 1, 5, NOW)
    assert list(states) == sorted(states)
    at = NOW + timedelta(2)
    assert next(state for state in outbox.states(at) if state.lane == lane).ready == 2
    assert outbox.lanes_with_ready((lane, "no-such-lane"), NOW) == {lane}


def test_a_lane_with_nothing_ready_is_not_named(store, outbox, lane):
    put(store, lane, "late", due=LATER)
    assert outbox.lanes_with_ready((lane,), NOW) == frozenset()
    assert next(state for state in outbox.states(NOW) if state.lane == lane).oldest is None


def test_messages_go_with_their_space(ports, lane, patient):
    store, outbox = ports.store, ports.outbox
    state = SpaceWrite(patient, 0, b"state")
    kept = Message(lane, "of none", b"stays", NOW)
    gone = tuple(Message(lane, f"key {n}", b"goes", NOW, compartment=patient) for n in range(3))
    store.commit(Change((a_trace(patient),), spaces=(state,), outbox=(kept, *gone)))
    store.erase(patient, Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"gone"),)))
    assert bodies(outbox, lane) == ["stays"]
    assert next(one for one in outbox.states(NOW) if one.lane == lane).ready == 1


def test_a_message_of_a_space_without_keys_is_not_returned(fresh, lane, patient):
    fresh.ports.store.commit(
        Change((a_trace(patient),), outbox=(Message(lane, "key", b"body", NOW, compartment=patient),))
    )
    shelf = fresh.place.open_shelf()
    shelf.destroy(patient)
    shelf.close()
    put(fresh.ports.store, lane, "behind")
    assert bodies(fresh.open().outbox, lane, limit=1) == ["behind"]


def test_nothing_of_body_and_key_is_readable_at_rest(fresh, lane, patient):
    messages = tuple(
        Message(lane, f"plain key {n}", f"plain body {n}".encode(), NOW, compartment=one)
        for n, one in enumerate((patient, None))
    )
    fresh.ports.store.commit(Change((a_trace(patient),), outbox=messages))
    kept = fresh.at_rest()
    assert b"plain body" not in kept
    assert b"plain key" not in kept


def test_a_commit_with_a_message_wakes_the_worker_of_its_process(fresh, lane):
    outbox, store = fresh.ports.outbox, fresh.ports.store
    store.commit(Change((a_trace(),)))
    assert not outbox.wait(0)
    put(store, lane, "key")
    assert outbox.wait(60)
    assert not outbox.wait(0)
    store.commit_many([Change((a_trace(),), outbox=(Message(lane, "many", b"", NOW),))])
    assert outbox.wait(60)
    outbox.wake()
    assert outbox.wait(60)


def test_messages_are_durable_and_seen_by_other_processes(fresh, lane):
    put(fresh.ports.store, lane, "key")
    assert bodies(fresh.open().outbox, lane) == ["key"]


def test_an_unavailable_store_says_so(fresh, lane):
    fresh.ports.store.close()
    with pytest.raises(StoreUnavailable):
        fresh.ports.outbox.ready(lane, NOW, 20)


def test_nothing_of_a_message_is_a_resource(store, lane, patient):
    store.commit(Change((a_trace(patient),), outbox=(Message(lane, "key", b"body", NOW, compartment=patient),)))
    with store.snapshot() as snapshot:
        assert snapshot.visible_ids("DocumentReference", ("key",), all_of(patient)) == frozenset()
