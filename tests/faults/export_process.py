"""One process that plans exports, to be killed: it says when it begins a step, and when the step waits for its commit.

Run as `python -m tests.faults.export_process CODE`. CODE opens the ports as `ports`. A step looks at two spaces.
"""

import sys
import time
from dataclasses import replace
from typing import Any

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.exports import planning
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change
from fhir_server.settings import limits
from tests.conftest import START
from tests.factories import runtime_on
from tests.world import BASE

LEASE_SECONDS = 0.5
SPACES_OF_A_FILE = 3
_PAUSE_SECONDS = 0.02


class _At:
    """A clock that stands where the tests' clock stands."""

    def now(self):
        return START


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    time.sleep(_PAUSE_SECONDS)


def handle(runtime: Runtime, message: Pending) -> Change:
    """Do one step, and give the parent time to kill this process before and after it."""
    _say("begins")
    change = planning.plan_some(runtime, message)
    _say("to commit")
    return change


def main() -> None:
    """Plan until somebody kills the process."""
    telemetry.configure("ERROR")  # to standard error: the parent reads the output
    names: dict[str, Any] = {}
    exec(sys.argv[1], names)  # noqa: S102 - the test says how its store is opened
    planning.SPACES_AT_ONCE = 2
    limits.put_in_force(limits.Limits(export_spaces=SPACES_OF_A_FILE))
    runtime = runtime_on(replace(names["ports"], clock=_At()), BASE.removesuffix("/fhir"))
    Worker(runtime, (replace(planning.LANE, handle=handle),), LEASE_SECONDS).run()


if __name__ == "__main__":
    main()
