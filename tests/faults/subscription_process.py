"""One process that notifies subscribers, to be killed: it says when a call has left and is not noted yet.

Run as `python -m tests.faults.subscription_process CODE`. CODE opens the ports as `ports`.
"""

import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fhir_server import telemetry
from fhir_server.adapters.webhooks import GuardedPoster
from fhir_server.application.outbox.worker import Worker
from fhir_server.application.subscriptions import delivery
from fhir_server.outbound import Reach
from tests.conftest import START
from tests.factories import runtime_on
from tests.world import BASE

LEASE_SECONDS = 0.5
_PAUSE_SECONDS = 0.02


class _At:
    """A clock that stands a little after the tests' clock."""

    def now(self):
        return START + timedelta(minutes=30)


class _Saying(GuardedPoster):
    """Calls an endpoint, and says so before what was told is noted."""

    def post(self, url, headers, body):
        status = super().post(url, headers, body)
        _say("called")
        return status


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    time.sleep(_PAUSE_SECONDS)


def main() -> None:
    """Notify until somebody kills the process."""
    telemetry.configure("ERROR")  # to standard error: the parent reads the output
    names: dict[str, Any] = {}
    exec(sys.argv[1], names)  # noqa: S102 - the test says how its store is opened
    ports = replace(names["ports"], clock=_At(), webhooks=_Saying(Reach.LOOPBACK))
    Worker(runtime_on(ports, BASE.removesuffix("/fhir")), delivery.LANES, LEASE_SECONDS).run()


if __name__ == "__main__":
    main()
