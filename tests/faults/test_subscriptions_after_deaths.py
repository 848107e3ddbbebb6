"""Processes that notify a subscriber are killed: no event is lost, none overtakes another, a repeat says the same.

HABILIS_TEST_SUBSCRIPTION_KILLS says how often a process is killed.
"""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from tests.http import stores
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.subscriptions import OF_PATIENT, about, endpoint, notified, subscribe, subscription  # noqa: F401
from tests.live import until

KILLS = int(os.environ.get("HABILIS_TEST_SUBSCRIPTION_KILLS", "6"))
ROOT = Path(__file__).parents[2]


def process():
    """Start a process that works the subscriptions on the store of the test."""
    code = stores._OPEN[-1].opening_code()
    command = [sys.executable, "-m", "tests.faults.subscription_process", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@BOTH
def test_each_event_is_told_in_order_however_often_its_process_was_killed(notified, endpoint, clock):  # noqa: F811
    subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
    documents = []
    for death in range(KILLS):
        for _ in range(3):
            clock.advance(milliseconds=1)  # MongoDB orders events by the clock
            documents.append(notified.publish())
        dying = process()
        try:
            for _ in range(1 + death % 2):
                dying.stdout.readline()
        finally:
            end(dying)
    living = process()
    try:
        until(lambda: len(set(told(endpoint))) == len(documents), 120)
    finally:
        end(living)
    in_order = [one for one, _ in groupby(told(endpoint))]
    assert in_order == [(str(number), f"DocumentReference/{id_}") for number, id_ in enumerate(documents, 1)]
    named = {(headers["webhook-id"], body[:0]) for headers, body in endpoint.calls[1:]}
    assert len(named) == len(documents)


def told(endpoint):  # noqa: F811
    """Return number and focus of each event that was told, repeats too."""
    return [(one["event-number"], one["focus"]["reference"].partition("/fhir/")[2]) for one in endpoint.told()]


def end(one):
    one.kill()
    one.stdout.close()
    one.wait()
