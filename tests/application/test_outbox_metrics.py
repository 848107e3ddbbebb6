"""What the metrics show of the outbox: how much waits and for how long, in sums that tell nothing of one act."""

from datetime import timedelta

import pytest

from fhir_server.application.core import audit_log
from fhir_server.application.outbox import metrics as outbox_metrics
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.metrics.families import DEAD_LETTERS, OUTBOX_LAG, OUTBOX_READY
from fhir_server.ports.outbox import Fate, Handled, Message
from fhir_server.ports.store import Change
from tests.metrics import counting_in, grown


def _put(runtime, count, **more):
    now = runtime.now()
    messages = tuple(Message("mails", f"{number} {more}", b"", now, **more) for number in range(count))
    audit_log.commit(runtime, Change((), outbox=messages))


def test_an_empty_outbox_has_no_lag(runtime):
    assert outbox_metrics.read(runtime) == {OUTBOX_READY: 0, OUTBOX_LAG: 0, DEAD_LETTERS: 0}


def test_what_waits_is_shown_in_tens_with_the_age_of_the_oldest(runtime, clock):
    _put(runtime, 9)
    clock.advance(seconds=69)
    assert outbox_metrics.read(runtime) == {OUTBOX_READY: 0, OUTBOX_LAG: 60, DEAD_LETTERS: 0}
    _put(runtime, 14)
    assert outbox_metrics.read(runtime)[OUTBOX_READY] == 10


def test_what_is_not_due_is_not_shown(runtime, clock):
    """A message that is due on a later day may be about a result that waits (E10)."""
    _put(runtime, 30, due=clock.now() + timedelta(days=14))
    assert outbox_metrics.read(runtime) == {OUTBOX_READY: 0, OUTBOX_LAG: 0, DEAD_LETTERS: 0}


def test_dead_letters_are_counted_and_wait_no_longer(runtime, clock):
    _put(runtime, 1)
    clock.advance(minutes=1)
    outbox = runtime.ports.outbox
    lease = outbox.take_over(outbox.lease("mails"), "worker")
    (message,) = outbox.ready("mails", clock.now(), 5)
    dead = Handled(message, lease, Fate.DEAD, attempts=12, error="SMTPException")
    audit_log.commit(runtime, Change((), handled=(dead,)))
    assert outbox_metrics.read(runtime) == {OUTBOX_READY: 0, OUTBOX_LAG: 0, DEAD_LETTERS: 1}


def _fail(_runtime, _message):
    raise OSError


def _runs(folder, runtime, lane):
    """Return what the metrics count when the worker works one lane."""
    found = grown(folder, Worker(runtime, (lane,)).work_once)
    return {name: value for name, value in found.items() if name.startswith("habilis_worker_runs")}


@pytest.mark.parametrize("together", [1, 20])
def test_periodic_work_is_counted_and_a_message_that_is_handled_is_not(runtime, tmp_path, together):
    _put(runtime, 3)
    with counting_in(tmp_path / "metrics") as folder:
        handled = _runs(folder, runtime, Lane("mails", lambda *_: NOTHING, together=together))
        tidied = _runs(folder, runtime, Lane("tidying", lambda *_: NOTHING, every=timedelta(hours=1)))
    assert (handled, tidied) == ({}, {"habilis_worker_runs done": 1})


@pytest.mark.parametrize("together", [1, 20])
def test_each_failure_of_a_message_is_counted_once_and_its_end_too(runtime, clock, tmp_path, together):
    _put(runtime, 3)
    lane = Lane("mails", _fail, tries=2, together=together)
    with counting_in(tmp_path / "metrics") as folder:
        failed = _runs(folder, runtime, lane)
        clock.advance(hours=1)
        ended = _runs(folder, runtime, lane)
    assert (failed, ended) == ({"habilis_worker_runs failed": 3}, {"habilis_worker_runs dead": 3})
