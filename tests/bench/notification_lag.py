"""How long a notification takes from the commit of a document to its arrival at the endpoint, with the worker beside.

Run as `python -m tests.bench.notification_lag [DOCUMENTS]`. Each document is filed over HTTP after the one before, and
the endpoint answers at once. Nothing is asserted.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fhir_server import worker
from fhir_server.adapters import opening
from fhir_server.adapters.system import SystemClock
from fhir_server.app import build_runtime, create_app
from tests.factories import settings_in
from tests.http.subscriptions import OF_PATIENT, Endpoint, about, calling, listening, subscribe, subscription
from tests.world import World

_LONGEST_SECONDS = 30.0


def waits_of(world: World, place: Endpoint, documents: int) -> list[float]:
    """File documents one by one; return the seconds from the answer to each filing to the arrival of its event."""
    waits = []
    for number in range(documents):
        known = len(place.arrived)
        world.publish()
        filed = time.monotonic()
        while len(place.arrived) == known and time.monotonic() - filed < _LONGEST_SECONDS:
            time.sleep(0.001)
        if len(place.arrived) == known:
            raise TimeoutError(f"document {number} was not notified")
        waits.append(max(place.arrived[known] - filed, 0.0))
    return waits


def measure(documents: int) -> list[float]:
    """Return the waits on SQLite, with a worker in the same process as in `habilis serve`."""
    with tempfile.TemporaryDirectory() as made, listening() as place:
        settings = settings_in(Path(made))
        opening.create_keys(settings.key_file)
        served = build_runtime(settings)
        served = replace(served, ports=replace(served.ports, clock=SystemClock()))
        world = calling(World(served, create_app(settings, served).test_client()).open(), place)
        subscribe(world, "chu-ehr", subscription(place, OF_PATIENT, about(world)))
        working = worker.build(world.runtime)
        working.start()
        waits = waits_of(world, place, documents)
        working.stop()
        served.ports.store.close()
    return waits


def main() -> None:
    """Measure and print."""
    waits = measure(int(sys.argv[1]) if sys.argv[1:] else 100)
    cut = statistics.quantiles(waits, n=100)
    print(f"notification: p50 {cut[49] * 1000:.0f} ms, p95 {cut[94] * 1000:.0f} ms, {len(waits)} documents")


if __name__ == "__main__":
    main()
