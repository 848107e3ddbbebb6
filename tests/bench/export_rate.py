"""How many resources one process exports a second, and what a read costs beside it.

Run as `python -m tests.bench.export_rate [--patients N] [--documents M]`; it loads its own data and removes them.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from seed import book
from tests.faults.crash import Client
from tests.live import Live, running

_ASYNC = "respond-async"
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Rate:
    """What was measured. alone, beside: p50 of a read in milliseconds, without and with an export at the same time."""

    resources: int
    seconds: float
    planned_after: float
    cpu_seconds: float
    alone: float
    beside: float

    def __str__(self) -> str:
        """Write one line."""
        each = self.resources / self.seconds
        return (
            f"{self.resources} resources in {self.seconds:.1f} s: {each:.0f} a second, "
            f"{self.resources / self.cpu_seconds:.0f} a second of CPU; planned in {self.planned_after:.2f} s; "
            f"a read: {self.alone:.2f} ms alone, {self.beside:.2f} ms beside"
        )


def planned(client: Client, path: str) -> tuple[list[str], float]:
    """Ask for an export; return the paths of its files, and after how many seconds they were there."""
    began = time.perf_counter()
    client._connection.request("GET", path, headers=client._headers | {"Prefer": _ASYNC})
    answer = client._connection.getresponse()
    answer.read()
    assert answer.status == 202, answer.status
    place = "/fhir" + answer.headers["Content-Location"].partition("/fhir")[2]
    while True:
        time.sleep(_PAUSE_SECONDS)
        status, body = client.ask("GET", place)
        if status == 200:
            break
        time.sleep(1)
    urls = [one["url"] for one in json.loads(body)["output"]]
    return ["/fhir" + url.partition("/fhir")[2] for url in urls], time.perf_counter() - began


@contextmanager
def reading(server: Live, token: str, path: str) -> Iterator[list[float]]:
    """Read one resource again and again, with a pause, from a thread; collect how long each read took."""
    taken: list[float] = []
    ending = Event()

    def again() -> None:
        with closing(Client(server, token)) as reader:
            while not ending.is_set():
                began = time.perf_counter()
                assert reader.ask("GET", path)[0] == 200
                taken.append((time.perf_counter() - began) * 1000)
                time.sleep(_PAUSE_SECONDS / 5)

    thread = Thread(target=again)
    thread.start()
    yield taken
    ending.set()
    thread.join()


def rate(server: Live) -> Rate:
    """Measure one export of all documents of the loaded hospital."""
    demo = book.read(server.data_dir)
    assert demo is not None
    with closing(Client(server, demo.tokens["reader"])) as reader:
        patient = next(iter(demo.patients.values()))
        found = reader.json(f"/fhir/DocumentReference?patient={patient}&_count=1")
    path = f"/fhir/DocumentReference/{found['entry'][0]['resource']['id']}"
    with reading(server, demo.tokens["reader"], path) as alone:
        time.sleep(2)
    with closing(Client(server, demo.tokens["publisher"])) as client:
        paths, planned_after = planned(client, "/fhir/$export?_type=DocumentReference")
        with reading(server, demo.tokens["reader"], path) as beside:
            before, began = server.cpu_seconds(), time.perf_counter()
            sent = sum(client.ask("GET", one)[1].count(b"\n") for one in paths)
            seconds, spent = time.perf_counter() - began, server.cpu_seconds() - before
    return Rate(sent, seconds, planned_after, spent, statistics.median(alone), statistics.median(beside))


def main() -> None:
    """Load, measure three times, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.export_rate")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--documents", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Live(Path(folder, "data"))
        server.data_dir.mkdir()
        server.command("seed", "--patients", str(options.patients), "--documents", str(options.documents))
        with running(server):
            for _ in range(3):
                print(rate(server), flush=True)


if __name__ == "__main__":
    main()
