"""Promises of the leases: one holder for each lane, a number that grows, and changes under an old number fail."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from fhir_server.ports.outbox import Fate, Handled, Lease
from fhir_server.ports.store import Change, LeaseLost
from tests.factories import a_document, an_id, creating
from tests.ports.messages import NOW, bodies, put, settle


def test_nobody_holds_a_new_lane(outbox, lane):
    assert outbox.lease(lane) == Lease(lane, None, 0, 0)


def test_the_first_who_takes_a_lane_holds_it(outbox, lane):
    seen = outbox.lease(lane)
    first = outbox.take_over(seen, "first")
    assert first == outbox.lease(lane) == Lease(lane, "first", 1, 0)
    assert outbox.take_over(seen, "second") is None


def test_a_beat_shows_that_the_holder_lives_and_stops_a_takeover(outbox, lane):
    first = outbox.take_over(outbox.lease(lane), "first")
    seen = outbox.lease(lane)
    assert outbox.beat(first).beat == seen.beat + 1
    assert outbox.take_over(seen, "second") is None
    assert outbox.beat(first).beat == seen.beat + 2


def test_a_takeover_raises_the_number_and_ends_the_lease_before(outbox, lane):
    first = outbox.take_over(outbox.lease(lane), "first")
    second = outbox.take_over(outbox.lease(lane), "second")
    assert (second.holder, second.number) == ("second", 2)
    assert outbox.beat(first) is None
    outbox.give_up(first)
    assert outbox.lease(lane).holder == "second"


def test_a_lease_that_is_given_up_can_be_taken_at_once(outbox, lane):
    first = outbox.take_over(outbox.lease(lane), "first")
    outbox.beat(first)
    outbox.give_up(first)
    free = outbox.lease(lane)
    assert (free.holder, free.number) == (None, 1)
    assert outbox.beat(first) is None
    assert outbox.take_over(free, "second").number == 2


@pytest.mark.parametrize("fate", list(Fate))
def test_what_a_former_holder_commits_fails_whole(store, outbox, lane, fate):
    put(store, lane, "key")
    first = outbox.take_over(outbox.lease(lane), "first")
    (message,) = outbox.ready(lane, NOW, 20)
    outbox.take_over(outbox.lease(lane), "second")
    document = a_document(an_id())
    with pytest.raises(LeaseLost):
        store.commit(replace(creating(document), handled=(Handled(message, first, fate),)))
    assert bodies(outbox, lane) == ["key"]
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) is None


def test_what_was_committed_under_a_lease_counts_as_a_beat(store, outbox, lane):
    put(store, lane, "key")
    first = outbox.take_over(outbox.lease(lane), "first")
    seen = outbox.lease(lane)
    settle(store, Handled(outbox.ready(lane, NOW, 20)[0], first))
    assert outbox.take_over(seen, "second") is None


def test_a_lease_that_was_given_up_settles_nothing(store, outbox, lane):
    put(store, lane, "key")
    first = outbox.take_over(outbox.lease(lane), "first")
    outbox.give_up(first)
    with pytest.raises(LeaseLost):
        settle(store, Handled(outbox.ready(lane, NOW, 20)[0], first))


def test_one_of_many_contenders_takes_a_lane(fresh, lane):
    contenders = [fresh.open().outbox for _ in range(4)]
    together = Barrier(len(contenders))

    def contend(number):
        seen = contenders[number].lease(lane)
        together.wait(60)
        return contenders[number].take_over(seen, str(number))

    with ThreadPoolExecutor(len(contenders)) as pool:
        taken = [lease for lease in pool.map(contend, range(len(contenders))) if lease]
    assert len(taken) == 1
    assert fresh.ports.outbox.lease(lane) == taken[0]


def test_leases_of_different_lanes_are_independent(store, outbox, lane):
    one = outbox.take_over(outbox.lease(lane), "first")
    other = outbox.take_over(outbox.lease(f"{lane}-other"), "second")
    assert (one.holder, other.holder) == ("first", "second")
    assert store.commit(Change((), handled=())) is None
