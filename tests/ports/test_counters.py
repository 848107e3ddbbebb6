"""Promises of the counters: never above a limit in any window, in one transaction with the change, in every process."""

import subprocess
import sys
import textwrap
import time
from datetime import timedelta

import pytest

from fhir_server.ports.counters import CeilingReached, Count, Limit
from fhir_server.ports.store import AlreadyClaimed, Change, StoreUnavailable
from tests.factories import AT, a_document, a_trace, all_of, an_id, creating
from tests.ports.test_concurrency import race

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = (Limit("spaces-an-hour", HOUR, 3), Limit("spaces-a-day", DAY, 5))
OPENINGS, CEILING = 64, 20


@pytest.fixture
def subject():
    return f"Practitioner/{an_id()}"


def one(subject, after=timedelta(), *, amount=1, limits=LIMITS, kind="spaces"):
    return Count(kind, subject, AT + after, limits, amount)


def counts(store, *counted, claims=()):
    """Commit a change with counts; return the name of the limit that refuses it, None when it is stored."""
    try:
        store.commit(Change((a_trace(),), claims=claims, counts=counted))
    except CeilingReached as reached:
        return reached.limit.name
    return None


def test_counts_up_to_the_limit_are_stored_and_the_next_is_refused(store, subject):
    assert [counts(store, one(subject)) for _ in range(4)] == [None, None, None, "spaces-an-hour"]


def test_a_refused_change_writes_nothing(store, patient, subject):
    document = a_document(patient)
    change = creating(document, claims=(an_id(),))
    with pytest.raises(CeilingReached):
        store.commit(Change(change.traces, change.writes, counts=(one(subject, amount=4),)))
    with store.snapshot() as snapshot:
        assert snapshot.read(document.type, document.id, all_of(patient)) is None
    assert counts(store, one(subject, amount=3)) is None


def test_a_change_that_fails_counts_nothing(store, subject):
    claim = an_id()
    assert counts(store, claims=(claim,)) is None
    with pytest.raises(AlreadyClaimed):
        counts(store, one(subject, amount=3), claims=(claim,))
    assert counts(store, one(subject, amount=3)) is None


def test_no_window_ever_holds_more_than_its_limit(store, subject):
    done = [number for number in range(120) if counts(store, one(subject, timedelta(minutes=number))) is None]
    assert len(done) == 5
    assert all(sum(start <= other < start + 60 for other in done) <= 3 for start in done)


def test_a_count_leaves_its_window_at_most_a_sixtieth_late(store, subject):
    assert counts(store, one(subject, amount=3)) is None
    assert counts(store, one(subject, HOUR - timedelta(microseconds=1))) == "spaces-an-hour"
    assert counts(store, one(subject, HOUR + HOUR / 60)) is None


def test_the_refusal_says_when_the_same_count_is_within_the_limit(store, subject):
    counts(store, one(subject, amount=2))
    counts(store, one(subject, timedelta(minutes=30)))
    with pytest.raises(CeilingReached) as reached:
        store.commit(Change((a_trace(),), counts=(one(subject, timedelta(minutes=40)),)))
    early = reached.value.retry_at - timedelta(microseconds=1)
    assert counts(store, one(subject, early - AT)) == "spaces-an-hour"
    assert counts(store, one(subject, reached.value.retry_at - AT)) is None


def test_the_second_window_holds_when_the_first_has_passed(store, subject):
    for hours in (0, 2):
        assert counts(store, one(subject, timedelta(hours=hours), amount=2)) is None
    assert counts(store, one(subject, timedelta(hours=4), amount=2)) == "spaces-a-day"
    assert counts(store, one(subject, timedelta(hours=4))) is None


def test_subjects_and_kinds_count_apart(store, subject):
    assert counts(store, one(subject, amount=3)) is None
    assert counts(store, one(f"{subject}0", amount=3), one(subject, amount=3, kind="deposits")) is None


def test_of_two_counts_of_one_change_both_must_be_within_their_limits(store, subject):
    other = f"Organization/{an_id()}"
    assert counts(store, one(subject), one(other, amount=4)) == "spaces-an-hour"
    assert counts(store, one(subject, amount=3)) is None


def test_a_higher_limit_counts_what_was_counted_before(store, subject):
    raised = (Limit("spaces-an-hour", HOUR, 6), Limit("spaces-a-day", DAY, 10))
    assert counts(store, one(subject, amount=3)) is None
    assert counts(store, one(subject, amount=3, limits=raised)) is None
    assert counts(store, one(subject, limits=raised)) == "spaces-an-hour"


def test_of_many_changes_at_once_those_below_the_limit_are_stored(store, subject):
    changes = [Change((a_trace(),), counts=(one(subject),)) for _ in range(4)]
    with pytest.raises(CeilingReached):
        store.commit_many(changes)
    assert counts(store, one(subject)) == "spaces-an-hour"


def test_tidying_removes_what_no_longer_counts_and_changes_no_answer(store, subject):
    counts(store, one(subject, amount=3))
    store.purge_counters(AT + HOUR)
    assert counts(store, one(subject, HOUR / 2)) == "spaces-an-hour"
    assert store.purge_counters(AT + 3 * DAY) >= 1
    assert store.purge_counters(AT + 3 * DAY) == 0
    assert counts(store, one(subject, 3 * DAY, amount=3)) is None


def test_the_store_keeps_no_subject_in_the_clear(fresh):
    counts(fresh.ports.store, one("Practitioner/seen-in-the-clear"))
    assert b"seen-in-the-clear" not in fresh.at_rest()


def test_of_64_openings_at_once_exactly_20_enter(store, subject):
    limits = (Limit("spaces-an-hour", HOUR, CEILING),)
    assert race(lambda _: patiently(store, one(subject, limits=limits)), OPENINGS).count(True) == CEILING


def patiently(store, count):
    """Tell whether a count was stored; come again while the store is too busy, for two minutes."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return counts(store, count) is None
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise


PROCESS = """
from datetime import timedelta
from tests.ports.test_counters import CEILING, HOUR, OPENINGS, one, patiently, race
from fhir_server.ports.counters import Limit
limits = (Limit("spaces-an-hour", HOUR, CEILING),)
input()
print(race(lambda _: patiently(ports.store, one({subject!r}, limits=limits)), OPENINGS // 2).count(True))
ports.store.close()
"""


def test_of_64_openings_in_two_processes_exactly_20_enter(engine, subject):
    code = engine.opening_code() + textwrap.dedent(PROCESS.format(subject=subject))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    try:
        entered = [int(process.communicate(timeout=150)[0]) for process in running]
    finally:
        for process in running:
            process.kill()
    assert sum(entered) == CEILING
