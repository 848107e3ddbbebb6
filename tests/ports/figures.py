# ruff: noqa: T201 - it prints its table
"""Figures of the store alone: point read, page of 20 with its count, durable traces, and growth.

Run `python -m tests.ports.figures FOLDER [PATIENTS …]`; each number of patients has 50 documents each.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from consent_rules.visibility import Clause
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.store import Change, Store
from fhir_server.ports.surroundings import Ports
from tests.engines import SqliteEngine
from tests.factories import Seen, a_document, a_trace, creating

DOCUMENTS = 50
KINDS = [f"kind-{number}" for number in range(12)]
WORDS = frozenset(f"author.family|~|{'martin'[:size]}{number}" for number in range(25) for size in range(1, 6))
PADDING = b" " * 1800
SECONDS = 4.0


def documents_of(patient: str) -> Change:
    rows = []
    for number in range(DOCUMENTS):
        kind = KINDS[number % 12]
        document = a_document(
            patient, kind, tokens=WORDS | {f"type|s|{kind}", "status|s|current"}, dates={"date": (number, number + 1)}
        )
        rows.append(replace(document, body=document.body + PADDING))
    return creating(*rows)


def load(store: Store, first: int, last: int) -> float:
    started = time.perf_counter()
    for start in range(first, last, 20):
        store.commit_many([documents_of(f"patient-{number}") for number in range(start, min(start + 20, last))])
    return (last - first) * DOCUMENTS / (time.perf_counter() - started)


def timed(work: Callable[[], object], threads: int, seconds: float = SECONDS) -> tuple[float, float, float]:
    """Return calls per second, and the median and 95th percentile in milliseconds."""
    until = time.perf_counter() + seconds

    def loop(_: int) -> list[float]:
        taken = []
        while (started := time.perf_counter()) < until:
            work()
            taken.append(time.perf_counter() - started)
        return taken

    with ThreadPoolExecutor(threads) as pool:
        taken = [one for some in pool.map(loop, range(threads)) for one in some]
    return len(taken) / seconds, statistics.median(taken) * 1000, statistics.quantiles(taken, n=20)[-1] * 1000


def seen(patient: str) -> Seen:
    """Return what a professional sees who may see nine of the twelve kinds, and what is his own."""
    nine = Clause(kinds=frozenset(KINDS[:9]))
    return Seen(patient, (nine, Clause(owned_by=frozenset({"Practitioner/nour"}), knows_marks=True)))


def measure(ports: Ports, patients: int) -> None:
    store, ids = ports.store, {}

    def patient() -> str:
        return f"patient-{random.randrange(patients)}"

    def page(*criteria: AnyOf) -> None:
        visibility = seen(patient())
        with store.snapshot() as snapshot:
            found = snapshot.find(Search("DocumentReference", criteria), visibility)
            total = snapshot.count(Search("DocumentReference", criteria), visibility, 10_000)
        assert total is not None
        assert total >= len(found.rows)

    def read() -> None:
        with store.snapshot() as snapshot:
            assert snapshot.read("DocumentReference", *random.choice(ids))

    with store.snapshot() as snapshot:
        ids = [
            (row.id, seen(name))
            for name in {patient() for _ in range(500)}
            for row in snapshot.find(Search("DocumentReference"), seen(name)).rows
        ]
    works = {
        "point read": read,
        "page of 20 and count": page,
        "the same, one type": lambda: page(AnyOf(frozenset({"type|s|kind-3"}))),
        "durable trace": lambda: store.commit(Change((a_trace(patient()),))),
        "create with trace": lambda: store.commit(creating(a_document(patient(), tokens=WORDS))),
    }
    for name, work in works.items():
        for threads in (1, 16):
            before = store._database.writer.batches
            rate, median, p95 = timed(work, threads)
            batches = store._database.writer.batches - before
            joined = f"{rate * SECONDS / batches:5.1f} per sync" if batches else ""
            print(
                f"{patients * DOCUMENTS:>9,} documents  {name:<22} {threads:>2} threads  {rate:>7,.0f}/s ",
                f"p50 {median:7.3f} ms  p95 {p95:7.3f} ms  {joined}",
                flush=True,
            )


if __name__ == "__main__":
    engine = SqliteEngine(Path(sys.argv[1]))
    loaded = 0
    for patients in map(int, sys.argv[2:] or ["1000"]):
        print(f"loaded at {load(engine.ports.store, loaded, patients):,.0f} documents/s", flush=True)
        loaded = patients
        measure(engine.ports, patients)
    engine.close()
