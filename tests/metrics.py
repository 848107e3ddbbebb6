"""The metrics of a test: a table to count in, and what it shows, read by the parser of the library."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fhir_server.metrics import counting, exposition, tables
from fhir_server.metrics.families import FAMILIES

Counted = dict[str, float]
"""What each series shows, by its name and labels as they are written."""


@contextmanager
def counting_in(folder: Path) -> Iterator[Path]:
    """Count into a table in a folder for a while."""
    folder.mkdir(exist_ok=True)
    table = tables.take(folder)
    counting.into(table)
    try:
        yield folder
    finally:
        counting.into(None)
        table.close()


def shown(folder: Path) -> Counted:
    """Return all series of a folder."""
    return parsed(exposition.written(folder, dict, "text/plain")[1].decode())


def grown(folder: Path, act: Callable[[], object]) -> Counted:
    """Return what an act adds to each series; of a histogram only how often it has measured."""
    before = _totals(folder)
    act()
    return {name: total - before[name] for name, total in _totals(folder).items() if total != before[name]}


def _totals(folder: Path) -> Counted:
    (counted,) = tables.read_all(folder)
    return {
        f"{family.name} {' '.join(values)}": sum(counted.slots[slot : slot + max(1, family.width - 1)])
        for family in FAMILIES
        for values, slot in family.series()
    }


def scraped(port: int) -> Counted:
    """Return all series that a management port shows; another process may be about to take the port over."""
    until = time.monotonic() + 60
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200
            return parsed(answer.read().decode())
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()


def parsed(text: str) -> Counted:
    """Return all series of a text."""
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def series(name: str, **labels: str) -> str:
    """Return how a series is called here."""
    return f"{name}{dict(sorted(labels.items())) or ''}"
