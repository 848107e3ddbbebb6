"""How long a subscriber waits for the notification of a document: `python -m tests.bench.notification [--count N]`.

The server and its worker run in this process, and the endpoint in one of its threads: the server calls public addresses
only. A wait begins when the commit of the publication returns, and ends when the endpoint has the whole notification.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fhir_server import worker
from fhir_server.adapters import opening
from fhir_server.adapters.webhooks import GuardedPoster
from fhir_server.app import build_runtime
from fhir_server.application.identity.clients import ClientKind
from fhir_server.domain.values import Json
from fhir_server.outbound import Reach
from fhir_server.ports.store import Change, Store
from tests.bench.report import Row, busy
from tests.factories import settings_in
from tests.http.subscriptions import OF_PATIENT, Endpoint, about, enrol, listening, status, subscription
from tests.world import World, client_of

COUNT = 200
_BETWEEN_SECONDS, _PATIENCE_SECONDS = 0.02, 30.0


class _Noting:
    """A store that notes when each commit of a document returned: seconds of `perf_counter` by the document's id."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.committed: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self, change: Change) -> None:
        self._inner.commit(change)
        now = time.perf_counter()
        self.committed |= {one.after.id: now for one in change.writes if one.after.type == "DocumentReference"}


class _Arrivals(list[tuple[dict[str, str], bytes]]):
    """The calls of an endpoint, and when each came."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def append(self, call: tuple[dict[str, str], bytes]) -> None:
        self.at.append(time.perf_counter())
        super().append(call)


def rows(count: int = COUNT) -> Iterator[Row]:
    """Publish documents one after the other for one subscriber; say how long their notifications took."""
    with tempfile.TemporaryDirectory() as folder, listening() as endpoint:
        endpoint.calls = calls = _Arrivals()
        waits = sorted(_waits(Path(folder), endpoint, calls, count))
    told = f"p50 {statistics.median(waits):.1f} ms, p95 {waits[int(len(waits) * 0.95)]:.1f} ms"
    yield Row("notification, from commit to delivery", f"{told}, longest {waits[-1]:.1f} ms of {len(waits)}; {busy()}")


def _waits(folder: Path, endpoint: Endpoint, calls: _Arrivals, count: int) -> Iterator[float]:
    """Yield milliseconds from the commit of each document to its notification."""
    settings = settings_in(folder, "http://localhost:8080")
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    store = _Noting(served.ports.store)
    runtime = replace(served, ports=replace(served.ports, store=store, webhooks=GuardedPoster(Reach.LOOPBACK)))
    world = World(runtime, client_of(settings, runtime)).open()
    enrol(world, endpoint, "chu-ehr", ClientKind.BACKEND, f"Organization/{world.ids['chu']}")
    working = worker.build(runtime)
    working.start()
    try:
        world.send("chu-ehr", "POST", "/Subscription", subscription(endpoint, OF_PATIENT, about(world)))
        _until(calls, 1)
        for number in range(count):
            world.publish()
            time.sleep(_BETWEEN_SECONDS)
            _until(calls, number + 2)
    finally:
        working.stop()
        served.ports.store.close()
    for came, (_, body) in zip(calls.at, calls, strict=True):
        told: Json = status(json.loads(body))
        if told["type"] == "event-notification":
            yield (came - store.committed[told["focus"]["reference"].rpartition("/")[2]]) * 1000


def _until(calls: _Arrivals, wanted: int) -> None:
    """Wait until so many calls have come. Raises: TimeoutError."""
    end = time.perf_counter() + _PATIENCE_SECONDS
    while len(calls) < wanted:
        if time.perf_counter() > end:
            raise TimeoutError(f"{len(calls)} of {wanted} calls have come")
        time.sleep(0.005)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.notification")
    parser.add_argument("--count", type=int, default=COUNT)
    for row in rows(parser.parse_args().count):
        print(row)


if __name__ == "__main__":
    main()
