"""How many resources one process exports a second, and what a read costs beside it.

`make bench` has both as rows. Alone: `python -m tests.bench.export_rate [--patients N] [--documents M]` loads its own
data and removes them.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

from seed import book
from tests.bench.report import Row, busy
from tests.faults.crash import Client
from tests.live import Live, running

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

AIM = 3000
"""Resources a second, by one process."""
SLOWED = 1.1
"""How much longer a read may take beside an export."""
_ASYNC = "respond-async"
_PAUSE_SECONDS = 0.05
_PAIRS, _WINDOW_SECONDS = 21, 0.4
_PROCESSES = get_context("spawn")


def rows(server: Live) -> Iterator[Row]:
    """Export all documents of the loaded hospital, once alone, then in turns with nothing; say what was measured."""
    demo = book.read(server.data_dir)
    assert demo is not None
    with closing(Client(server, demo.tokens["publisher"])) as client:
        paths, planned_after = planned(client, "/fhir/$export?_type=DocumentReference")
        before, began = server.cpu_seconds(), time.perf_counter()
        sent = sum(client.ask("GET", one)[1].count(b"\n") for one in paths)
        seconds, spent = time.perf_counter() - began, server.cpu_seconds() - before
    rate = f"{sent / seconds:,.0f} resources/s, {sent / spent:,.0f} for each second of CPU; {sent:,} in all"
    yield Row("export by one client", f"{rate}; planned in {planned_after:.1f} s", f"{AIM:,} resources/s")
    with exporting(server, demo.tokens["publisher"], paths) as going:
        alone, beside = windows(server, demo.tokens["reader"], going)
    ratio = statistics.median(b / a for a, b in zip(alone, beside, strict=True))
    measured = f"p50 {statistics.median(alone):.2f} ms without, {statistics.median(beside):.2f} ms with: × {ratio:.2f}"
    yield Row("read beside an export", f"{measured}, median of {len(alone)} pairs; {busy()}", f"× {SLOWED}")


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
def exporting(server: Live, token: str, paths: Sequence[str]) -> Iterator[Event]:
    """Let another process fetch the files again and again while the event is set."""
    going, ending = _PROCESSES.Event(), _PROCESSES.Event()
    fetched = _PROCESSES.Value("i", 0)
    arguments = (server.data_dir, server.port, token, list(paths), going, ending, fetched)
    process = _PROCESSES.Process(target=_fetch, args=arguments, daemon=True)
    process.start()
    try:
        yield going
    finally:
        ending.set()
        going.set()
        process.join()
    assert fetched.value, "nothing was exported beside the reads"


def _fetch(
    data_dir: Path, port: int, token: str, paths: list[str], going: Event, ending: Event, fetched: "Synchronized[int]"
) -> None:
    """Fetch the files one after the other while that is wanted; a file that has begun is fetched to its end."""
    with closing(Client(Live(data_dir, port), token)) as client:
        while going.wait() and not ending.is_set():
            status, _ = client.ask("GET", paths[fetched.value % len(paths)])
            assert status == 200, status
            fetched.value += 1


def windows(server: Live, token: str, going: Event) -> tuple[list[float], list[float]]:
    """Read documents in short windows, in turns without and with an export; return the p50 of each, in milliseconds.

    What else the machine does changes slowly, so the two windows of a pair meet much the same of it.
    """
    with closing(Client(server, token)) as reader:
        demo = book.read(server.data_dir)
        assert demo is not None
        path = f"/fhir/DocumentReference?patient={next(iter(demo.patients.values()))}&_count=1"
        read = f"/fhir/DocumentReference/{reader.json(path)['entry'][0]['resource']['id']}"
        found: dict[bool, list[float]] = {False: [], True: []}
        for number in range(_PAIRS):
            for with_export in (False, True) if number % 2 else (True, False):
                (going.set if with_export else going.clear)()
                time.sleep(_WINDOW_SECONDS)  # a file that has begun comes to its end
                found[with_export].append(_window(reader, read))
    return found[False], found[True]


def _window(reader: Client, path: str) -> float:
    taken = []
    end = time.perf_counter() + _WINDOW_SECONDS
    while (began := time.perf_counter()) < end:
        assert reader.ask("GET", path)[0] == 200
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(_PAUSE_SECONDS / 10)
    return statistics.median(taken)


def main() -> None:
    """Load, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.export_rate")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--documents", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Live(Path(folder, "data"))
        server.data_dir.mkdir()
        server.command("seed", "--patients", str(options.patients), "--documents", str(options.documents))
        with running(server):
            for row in rows(server):
                print(row, flush=True)


if __name__ == "__main__":
    main()
