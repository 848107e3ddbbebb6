"""One process with the outbox, to be killed: it commits messages and works them; each handled message is a document.

Run as `python -m tests.faults.outbox_process CODE FIRST`. CODE opens the ports as `ports`. FIRST: number of the first
message; a negative one only works what is there. Each number that is durable is printed, a line each.
"""

import sys
import time
from itertools import count
from threading import Thread

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change
from fhir_server.ports.surroundings import Ports
from tests.factories import a_document, a_trace, an_id, creating, runtime_on

LANE = "deaths"
LEASE_SECONDS = 1.0
_PUTTERS, _PAUSE_SECONDS = 3, 0.01
"""About 300 messages a second at most, so that the worker keeps up with them."""


def token_of(number: int) -> str:
    """Return the lookup token of the document that a handled message leaves."""
    return f"identifier|urn:test:outbox|{number}"


def handle(_runtime: Runtime, message: Pending) -> Change:
    """Create a new document, so that a message handled twice would leave two."""
    listed = frozenset({token_of(int(message.body))})
    return creating(a_document(an_id(), lookup=listed, tokens=listed))


def _put(ports: Ports, numbers: "count[int]", runtime: Runtime) -> None:
    for number in numbers:
        message = Message(LANE, str(number), str(number).encode(), runtime.now())
        ports.store.commit(Change((a_trace(),), outbox=(message,)))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        time.sleep(_PAUSE_SECONDS)


def main() -> None:
    """Put and work until somebody kills the process."""
    telemetry.configure("ERROR")  # to standard error: the parent reads the output
    names: dict[str, Ports] = {}
    exec(sys.argv[1], names)  # noqa: S102 - the test says how its store is opened
    runtime, first = runtime_on(names["ports"], "http://localhost"), int(sys.argv[2])
    lane = Lane(LANE, handle, together=5)
    if first >= 0:
        for putter in range(_PUTTERS):
            numbers = count(first + putter, _PUTTERS)
            Thread(target=_put, args=(names["ports"], numbers, runtime), daemon=True).start()
    Worker(runtime, (lane,), LEASE_SECONDS).run()


if __name__ == "__main__":
    main()
