"""How long a message waits until its worker handles it, while a store takes 300 writes a second: `make lag`.

A store that is slower takes as many as it can, and the figures say how many. Each write is a document with its audit
event and one message. The worker runs in the same process, as in `habilis serve`. Nothing is asserted.
"""

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change
from tests.engines import Engine, MongoEngine, MongoServer, SqliteEngine
from tests.factories import a_document, an_id, creating, runtime_on

RATE, SECONDS, WRITERS = 300, 10.0, 8
LANE = "lag"


class Waits:
    """The handler: it notes how long each message has waited, in seconds."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seconds: list[float] = []

    def __call__(self, runtime: Runtime, message: Pending) -> Change:
        """Note the wait."""
        self.seconds.append((runtime.now() - message.at).total_seconds())
        return NOTHING


def measure(engine: Engine) -> None:
    """Write, work, and print the figures."""
    runtime, waits = runtime_on(engine.ports, "http://localhost"), Waits()
    worker = Worker(runtime, (Lane(LANE, waits, together=20),))
    worker.start()
    began, total = time.monotonic(), int(RATE * SECONDS)

    def write(number: int) -> None:
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        message = Message(LANE, str(number), str(number).encode(), runtime.now())
        engine.ports.store.commit(replace(creating(a_document(an_id())), outbox=(message,)))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(total)))
    took = time.monotonic() - began
    while engine.ports.outbox.lanes_with_ready((LANE,), runtime.now()):
        time.sleep(0.05)
    worker.stop()
    cut = statistics.quantiles(waits.seconds, n=100)
    rate = f"{total / took:.0f} writes/s"
    print(
        f"{type(engine).__name__}: {rate}; lag p50 {cut[49]:.3f} s, p95 {cut[94]:.3f} s, max {max(waits.seconds):.3f} s"
    )


def main() -> None:
    """Measure SQLite, or MongoDB's protocol when the argument says so."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "mongo" not in sys.argv[1:]:
            engine: Engine = SqliteEngine(folder)
            measure(engine)
            engine.close()
            return
        server = MongoServer(folder)
        try:
            engine = MongoEngine(folder, server)
            measure(engine)
            engine.close()
        finally:
            server.close()


if __name__ == "__main__":
    main()
