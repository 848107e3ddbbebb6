# ruff: noqa: T201 - it prints its figures
"""Measure an erasure of a long trail on MongoDB: `python -m tests.ports.figures_erasure FOLDER [ENTRIES]`."""

import sys
from pathlib import Path
from time import perf_counter

from fhir_server.adapters.mongo.writing import append_traces
from fhir_server.ports import Change, SpaceWrite
from tests.engines import MongoEngine, MongoServer
from tests.factories import a_trace, an_id

_AT_ONCE = 2000


def main(folder: Path, entries: int) -> None:
    """Fill one trail, erase its space, and print both times."""
    folder.mkdir(parents=True, exist_ok=True)
    server = MongoServer(folder)
    engine = MongoEngine(folder, server)
    try:
        store, patient = engine.ports.store, an_id()
        store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
        filled = perf_counter()
        for _ in range(entries // _AT_ONCE):
            ready = store._preparer.change(Change(tuple(a_trace(patient) for _ in range(_AT_ONCE))))
            append_traces(store._database["trail"], ready.traces)
        erased = perf_counter()
        store.erase(patient, Change((a_trace(patient),)))
        done = perf_counter()
        left = store._database["trail"].count_documents({"compartment": "#erased"})
        print(f"{entries} entries: written in {erased - filled:.1f} s, erased in {done - erased:.1f} s; {left} kept")
    finally:
        engine.close()
        server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000)
