"""`make bench`: loads bulk data, measures the live server, and writes the tables into docs/performance.md.

Run as `python -m tests.bench [--patients N] [--documents M] [--seconds S] [--workers 1,2] [--keep]`.
"""

import argparse
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from seed import book as demonstration
from tests.bench import export_rate, micro, notification, pages, report
from tests.bench.load import Plan
from tests.bench.measure import Figures, measure
from tests.bench.report import Row
from tests.bench.scenarios import FIRST_NUMBER, Book, scenarios
from tests.faults.crash import Client
from tests.live import Live, running

CONNECTIONS = (1, 4, 16)
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure everything."""
    options = _options()
    data_dir = ROOT / "var" / f"bench-{options.patients}x{options.documents}"
    server = Live(data_dir, settings={"HABILIS_ACCEPT_INFERRED_MATRIX": "yes"})
    loaded = _load(server, options)
    figures: list[Figures] = []
    rows: list[Row] = []
    starts: list[float] = []
    for workers in (int(number) for number in options.workers.split(",")):
        server.settings["HABILIS_WORKERS"] = str(workers)
        with running(server):
            starts.append(server.started_after)
            figures += _measure_all(server, options, workers)
            rows += _rows(server) if workers == 1 and not options.only else []
    tables = report.tables(figures, rows, micro.lines(), report.Conditions(
        patients=options.patients, documents=options.documents, loaded_per_second=loaded, start_seconds=min(starts),
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        day=datetime.now(UTC).date().isoformat(), bytes_on_disk=_size(data_dir),
    ))  # fmt: skip
    print(tables)
    if not options.dry:
        report.write(ROOT / "docs/performance.md", tables)
    if not options.keep:
        shutil.rmtree(data_dir)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--workers", default="1,2", help="numbers of server processes, such as 1,2")
    parser.add_argument("--only", default="", help="measure only what begins so; several with | between")
    parser.add_argument("--keep", action="store_true", help="keep the loaded data for the next run")
    parser.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    return parser.parse_args()


def _load(server: Live, options: argparse.Namespace) -> float:
    """Load the bulk data unless an earlier run has kept them; return documents a second, 0 when they were there."""
    there = demonstration.read(server.data_dir)
    if there is not None:
        server.port = urlsplit(there.base).port or server.port  # tokens are good for one address
        return 0.0
    server.data_dir.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    server.command("seed", "--patients", str(options.patients), "--documents", str(options.documents))
    return options.patients * options.documents / (time.perf_counter() - began)


def _book(server: Live) -> Book:
    """Return whose tokens are used, and what the reader sees of each patient."""
    demo = demonstration.read(server.data_dir)
    assert demo is not None
    documents: dict[str, list[str]] = {}
    with closing(Client(server, demo.tokens["reader"])) as reader:
        for patient in demo.patients.values():
            found = reader.json(f"/fhir/DocumentReference?patient={patient}&_count=50&_total=none")
            documents[patient] = [entry["resource"]["id"] for entry in found["entry"]]
    return Book(demo.tokens["reader"], demo.tokens["publisher"], demo.organizations["hospital"], documents)


def _measure_all(server: Live, options: argparse.Namespace, workers: int) -> list[Figures]:
    figures = []
    book = _book(server)
    for scenario in chain(pages.scenarios(server, book), scenarios(server, book)):  # what writes comes last
        if not scenario.name.startswith(tuple(options.only.split("|"))):
            continue
        for connections in CONNECTIONS:
            first = FIRST_NUMBER + int(time.time()) % 100_000 * 1_000_000
            plan = Plan(server.port, connections, options.seconds, scenario.templates, scenario.rows, first)
            figures.append(measure(server, scenario.name, plan, workers))
            print(report.line(figures[-1]), flush=True)
    return figures


def _rows(server: Live) -> Iterator[Row]:
    """Yield what no closed loop of equal requests measures; another such row is one more line here."""
    yield from export_rate.rows(server)
    yield from notification.rows()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
