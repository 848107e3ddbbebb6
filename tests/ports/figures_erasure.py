# ruff: noqa: T201 - it prints its figures
"""Measure an erasure of a long trail on MongoDB: `python -m tests.ports.figures_erasure FOLDER [ENTRIES]`."""

import sys
from collections import Counter, deque
from pathlib import Path
from time import perf_counter

from pymongo import MongoClient, monitoring

from fhir_server.adapters.mongo.client import Document, database_of
from fhir_server.adapters.mongo.erasure import BATCH
from fhir_server.adapters.mongo.writing import append_traces
from fhir_server.ports.store import Change, SpaceWrite
from tests.engines import MongoEngine, MongoServer
from tests.factories import a_trace, an_id

_AT_ONCE = 500
_PATIENCE = "&connectTimeoutMS=60000&serverSelectionTimeoutMS=60000"
"""For who fills and counts. The erasure has the patience of the program."""


class Ends(monitoring.CommandListener):
    """Counts the transactions that were sent to be committed, and the commands that failed."""

    def __init__(self) -> None:
        self.commits, self.failures = 0, Counter[str]()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commits += event.command_name == "commitTransaction"

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.failures[event.command_name] += 1


def main(folder: Path, entries: int) -> None:
    """Fill one trail, erase its space, and print both times."""
    folder.mkdir(parents=True, exist_ok=True)
    server, ends = MongoServer(folder), Ends()
    server.commands.sent = deque(maxlen=1)
    monitoring.register(ends)
    engine = MongoEngine(folder, server)
    try:
        store, patient = engine.ports.store, an_id()
        store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
        with MongoClient[Document](server.uri + _PATIENCE) as client:
            trail = database_of(client, engine.database)["trail"]
            began = perf_counter()
            for _ in range(entries // _AT_ONCE):
                append_traces(trail, store._preparer.change(Change(tuple(map(a_trace, [patient] * _AT_ONCE)))).traces)
            print(f"{entries} entries: written in {perf_counter() - began:.1f} s", flush=True)
            ends.commits, ends.failures = 0, Counter()
            began = perf_counter()
            store.erase(patient, Change((a_trace(patient),)))
            print(f"erased in {perf_counter() - began:.1f} s; {ends.commits} commits sent, for batches of {BATCH};")
            print(f"commands that failed: {dict(ends.failures)}", flush=True)
            print(f"{trail.count_documents({'compartment': '#erased'})} kept under no space")
            print(f"{trail.count_documents({'compartment': patient})} left to the space")
    finally:
        engine.close()
        server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000)
