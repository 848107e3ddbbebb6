"""The worker: it handles what is ready, repeats what fails, and never shares a lane."""

from dataclasses import replace
from datetime import timedelta
from threading import Event, Lock

import pytest

from fhir_server import telemetry
from fhir_server.application.outbox import progress
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.application.outbox.leases import Leases
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, StoreConflict, StoreUnavailable
from tests.conftest import FixedClock
from tests.factories import a_document, a_trace, an_id, creating
from tests.live import until

LANE = "tests"


class Handler:
    """Notes what it is given. acts: what it does for a body; a body without an act writes nothing."""

    def __init__(self, **acts):
        self.seen, self.acts = [], acts

    def __call__(self, _runtime, message):
        body = message.body.decode()
        self.seen.append(body)
        return self.acts[body]() if body in self.acts else NOTHING


def failing(error=OSError):
    def act():
        raise error

    return act


def put(runtime, *bodies, **more):
    at = runtime.now()
    outbox = tuple(Message(LANE, an_id(), body.encode(), at, **more) for body in bodies)
    runtime.ports.store.commit(Change((a_trace(),), outbox=outbox))


def work(runtime, handle, **row):
    Worker(runtime, (Lane(LANE, handle, **row),)).work_once()


def ready(runtime):
    return [message.body.decode() for message in runtime.ports.outbox.ready(LANE, runtime.now(), 100)]


@pytest.mark.parametrize("together", [1, 3, 100])
def test_messages_are_handled_once_in_their_order(runtime, together):
    put(runtime, *"abcdefgh")
    handle = Handler()
    for _ in range(2):
        work(runtime, handle, together=together)
    assert handle.seen == list("abcdefgh")
    assert runtime.ports.outbox.states(runtime.now()) == ()


@pytest.mark.parametrize("together", [1, 10])
def test_what_a_handler_writes_is_stored_with_the_removal_of_its_message(runtime, together):
    documents = {name: a_document(an_id()) for name in "ab"}
    acts = {name: lambda one=one: creating(one) for name, one in documents.items()}
    put(runtime, *"ab")
    work(runtime, Handler(**acts), together=together)
    with runtime.ports.store.snapshot() as snapshot:
        assert all(snapshot.locate("DocumentReference", one.id) for one in documents.values())
    assert ready(runtime) == []


@pytest.mark.parametrize("together", [1, 10])
@pytest.mark.parametrize("error", [OSError, StoreUnavailable, StoreConflict])
def test_a_message_that_fails_is_tried_again_later_and_stops_no_other(runtime, clock, together, error):
    put(runtime, *"abc")
    handle = Handler(b=failing(error))
    work(runtime, handle, together=together)
    assert (handle.seen, ready(runtime)) == (list("abc"), [])
    clock.advance(seconds=2)
    (again,) = runtime.ports.outbox.ready(LANE, clock.now(), 10)
    assert (again.body, again.attempts, again.error) == (b"b", 1, error.__name__)


def test_a_message_that_fails_too_often_becomes_a_dead_letter(runtime, clock):
    put(runtime, "a")
    handle = Handler(a=failing())
    for _ in range(5):
        work(runtime, handle, tries=3)
        clock.advance(hours=2)
    (dead,) = runtime.ports.outbox.dead_letters(10)
    assert (len(handle.seen), dead.attempts, dead.error) == (3, 3, "OSError")


def test_the_pauses_double_up_to_a_bound_and_are_spread_by_chance():
    lane = Lane(LANE, Handler())
    assert [lane.pause(failures, 1.0).total_seconds() for failures in (1, 2, 3, 20, 1000)] == [1, 2, 4, 3600, 3600]
    assert lane.pause(3, 0.0).total_seconds() == 2
    assert all(0.5 <= lane.pause(1).total_seconds() <= 1 for _ in range(100))


def test_a_handler_may_put_a_message_off_without_a_failure(runtime, clock):
    put(runtime, "a")
    due = clock.now() + timedelta(days=1)
    work(runtime, Handler(a=failing(Later(due))))
    assert ready(runtime) == []
    clock.advance(days=1)
    (again,) = runtime.ports.outbox.ready(LANE, clock.now(), 10)
    assert (again.attempts, again.due) == (0, due)


def test_a_handler_is_asked_again_when_something_else_was_written_meanwhile(runtime):
    document = a_document(an_id())
    put(runtime, "a")
    tried = []

    def act():
        tried.append(1)
        if len(tried) > 1:
            return NOTHING
        runtime.ports.store.commit(creating(document))
        return creating(document)

    work(runtime, Handler(a=act))
    assert (len(tried), runtime.ports.outbox.states(runtime.now())) == (2, ())


def test_a_change_that_never_comes_through_counts_as_a_failure(runtime, clock):
    document = a_document(an_id())
    runtime.ports.store.commit(creating(document))
    put(runtime, "a")
    work(runtime, Handler(a=lambda: creating(document)))
    clock.advance(seconds=2)
    (again,) = runtime.ports.outbox.ready(LANE, clock.now(), 10)
    assert (again.attempts, again.error) == (1, "StoreConflict")


def test_a_periodic_lane_is_worked_again_and_again(runtime, clock):
    handle = Handler()
    for _ in range(3):
        work(runtime, handle, every=timedelta(minutes=5))
        work(runtime, handle, every=timedelta(minutes=5))
        clock.advance(minutes=5)
    assert len(handle.seen) == 3


def test_a_periodic_lane_that_fails_never_dies(runtime, clock):
    handle = Handler(**{"": failing()})
    for _ in range(30):
        work(runtime, handle, every=timedelta(minutes=5), tries=2)
        clock.advance(hours=1)
    assert len(handle.seen) == 30


def test_a_periodic_message_does_not_wait_for_the_instant_of_a_clock_that_was_wrong(runtime, clock):
    handle, right = Handler(), clock.now()
    clock.advance(days=3650)
    work(runtime, handle, every=timedelta(minutes=5))
    clock.at = right
    for _ in range(2):
        work(runtime, handle, every=timedelta(minutes=5))
    assert len(handle.seen) == 2


def test_a_message_that_failed_does_not_wait_for_the_instant_of_a_clock_that_was_wrong(runtime, clock):
    right = clock.now()
    put(runtime, "a")
    clock.advance(days=3650)
    work(runtime, Handler(a=failing()), tries=5)
    clock.at = right
    handle = Handler()
    for _ in range(2):
        work(runtime, handle)
    assert handle.seen == ["a"]


def test_what_a_worker_commits_after_it_lost_its_lane_fails(runtime):
    put(runtime, "a", "b")
    outbox, document = runtime.ports.outbox, a_document(an_id())

    def act():
        outbox.take_over(outbox.lease(LANE), "somebody else")
        return creating(document)

    handle = Handler(a=act)
    work(runtime, handle)
    assert (handle.seen, ready(runtime)) == (["a"], ["a", "b"])
    with runtime.ports.store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) is None


def test_a_running_worker_is_woken_by_a_commit_and_gives_its_lanes_up_at_the_end(runtime):
    handle = Handler()
    worker = Worker(runtime, (Lane(LANE, handle),))
    worker.start()
    put(runtime, "a")
    until(lambda: runtime.ports.outbox.states(runtime.now()) == ())
    put(runtime, "b")
    until(lambda: handle.seen == ["a", "b"])
    worker.stop(60)
    assert runtime.ports.outbox.lease(LANE).holder is None


def test_a_slow_lane_holds_up_no_other(runtime):
    begun, free, handle = Event(), Event(), Handler()

    def slow(_runtime, _message):
        begun.set()
        assert free.wait(60)
        return NOTHING

    worker = Worker(runtime, (Lane("slow", slow), Lane(LANE, handle)))
    worker.start()
    runtime.ports.store.commit(Change((), outbox=(Message("slow", "key", b"", runtime.now()),)))
    assert begun.wait(60)
    put(runtime, "a")
    until(lambda: handle.seen == ["a"])
    free.set()
    worker.stop(60)


def test_two_workers_whose_clocks_differ_by_hours_never_share_a_lane(runtime):
    """Each message is handled once, and never are two handlers of a lane at work."""
    seen, inside, shared, lock = [], [], [], Lock()

    def handle(_runtime, message):
        with lock:
            inside.append(message)
            shared.extend(inside if len(inside) > 1 else ())
        seen.append(message.body.decode())
        with lock:
            inside.remove(message)
        return NOTHING

    clocks = [FixedClock(), FixedClock(), FixedClock()]
    clocks[1].advance(hours=7)
    clocks[2].advance(hours=-7)
    runtimes = [replace(runtime, ports=replace(runtime.ports, clock=clock)) for clock in clocks]
    workers = [Worker(one, (Lane(LANE, handle),), 60.0) for one in runtimes]
    for worker in workers:
        worker.start()
    wanted = []
    for number in range(60):
        wanted.append(str(number))
        put(runtimes[number % 3], str(number))
    until(lambda: len(seen) >= len(wanted) and runtime.ports.outbox.states(clocks[1].now()) == ())
    for worker in workers:
        worker.stop(60)
    assert sorted(seen, key=int) == wanted
    assert shared == []


def test_a_lane_is_taken_over_only_after_its_beat_stood_still(runtime):
    time = [0.0]
    outbox = runtime.ports.outbox
    dead, heir = (Leases(outbox, name, 10.0, lambda: time[0]) for name in ("dead", "heir"))
    lease = dead.hold(LANE)
    assert heir.hold(LANE) is None
    time[0] = 9.0
    dead.beat(frozenset({LANE}))
    time[0] = 11.0
    assert heir.hold(LANE) is None
    time[0] = 20.0
    assert heir.hold(LANE) is None
    time[0] = 21.5
    assert heir.hold(LANE).number == lease.number + 1
    assert dead.hold(LANE) is None


def test_a_holder_that_stood_still_looks_before_it_works_on(runtime):
    time = [0.0]
    outbox = runtime.ports.outbox
    slow = Leases(outbox, "slow", 10.0, lambda: time[0])
    slow.hold(LANE)
    outbox.take_over(outbox.lease(LANE), "other")
    time[0] = 100.0
    assert slow.hold(LANE) is None


def test_a_lane_without_work_is_given_up_and_a_busy_one_kept(runtime):
    time = [0.0]
    outbox = runtime.ports.outbox
    leases = Leases(outbox, "one", 10.0, lambda: time[0])
    leases.hold(LANE)
    for second in range(1, 9):
        time[0] = float(second)
        leases.beat(frozenset({LANE}))
    assert outbox.lease(LANE).holder == "one"
    leases.beat(frozenset())
    assert outbox.lease(LANE).holder is None


def test_the_log_tells_what_waits_and_no_identity(runtime, capsys):
    telemetry.configure("ERROR")
    put(runtime, "Patient/secret")
    work(runtime, Handler(**{"Patient/secret": failing()}), tries=1)
    said = []

    def told():
        said.append(capsys.readouterr().err)
        return "outbox_waits" in "".join(said)

    worker = Worker(runtime, (Lane(LANE, Handler()),))
    worker.start()
    until(told)
    worker.stop(60)
    assert '"dead_letters": 1' in "".join(said)
    assert "secret" not in "".join(said)


def test_the_progress_tells_the_lag_and_the_dead_letters(runtime, clock):
    assert progress.look(runtime, (LANE,)) == progress.Progress(0.0, 0)
    put(runtime, "a", "b")
    clock.advance(seconds=1)
    work(runtime, Handler(a=failing()), tries=1)
    put(runtime, "c")
    clock.advance(seconds=30)
    assert progress.look(runtime, (LANE, "other")) == progress.Progress(30.0, 1)


def test_workers_begin_at_once_on_a_new_store(runtime):
    rows = (Lane("periodic", Handler(), every=timedelta(hours=1)),)
    workers = [Worker(runtime, rows) for _ in range(3)]
    for worker in workers:
        worker.start()
    until(lambda: [(one.ready, one.later) for one in runtime.ports.outbox.states(runtime.now())] == [(0, 1)])
    for worker in workers:
        worker.stop(60)
    assert rows[0].handle.seen  # again, if another worker put the message while it was handled
