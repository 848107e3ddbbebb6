"""How many insured persons one run of `habilis enrol` enrols a second, in how much memory, with a kill in the middle.

Run as `python -m tests.bench.enrolment_rate [--persons N] [--folder F]`; its file and its data are removed in the end.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fhir_server.app import build_runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.settings.server import Settings
from seed.many_patients import person
from tests.insured import COMMAND, HEAD, line

_MOST_DISTINCT = 2_400_000
_MEGABYTE = 1024


def runs(settings: dict[str, str], file: Path, persons: int) -> Iterator[tuple[float, int, str]]:
    """Run the command, kill it in the middle, run it again; yield seconds, peak of memory in kB and what it said."""
    for kill_at in (persons // 2, None):
        began, peak, said = time.perf_counter(), 0, ""
        process = subprocess.Popen(
            [*COMMAND, str(file), "--client", "keeper"],
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        assert process.stdout
        for told in process.stderr:
            peak = max(peak, peak_of(process.pid))
            if kill_at and told.split(" ", 1)[0].isdecimal() and int(told.split(" ", 1)[0]) >= kill_at:
                process.kill()
                break
        said = process.stdout.read().strip() or "killed"
        process.wait()
        yield time.perf_counter() - began, peak, said


def peak_of(pid: int) -> int:
    """Return the most memory that a process has had, in kB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in lines if row.startswith("VmHWM")), 0)


def spaces(settings: Settings) -> int:
    """Count the spaces of the store."""
    runtime, count, last = build_runtime(settings), 0, ""
    try:
        with runtime.ports.store.snapshot() as snapshot:
            while page := snapshot.patients(last, 10_000):
                count, last = count + len(page), page[-1]
    finally:
        runtime.ports.store.close()
    return count


def measured(persons: int, folder: Path) -> Iterator[str]:
    """Enrol persons of a file in a new store; yield lines about it."""
    values = {
        "HABILIS_DATA_DIR": str(folder / "data"),
        "HABILIS_KEY_FILE": str(folder / "keys.json"),
        "HABILIS_BASE_URL": "http://localhost:8080",
        "HABILIS_ACCEPT_INFERRED_MATRIX": "yes",
        "HABILIS_LOG_LEVEL": "ERROR",
    }
    subprocess.run([*COMMAND[:-1], "keys", "create"], env=os.environ | values, check=True, capture_output=True)
    settings = replace(Settings.from_environment(values), accept_inferred_matrix=True)
    runtime = build_runtime(settings)
    clients.register(runtime, Client("keeper", "Keeper", ClientKind.BACKEND, scopes="system/*.cruds"))
    runtime.ports.store.close()
    file = folder / "insured.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write(HEAD)
        out.writelines(map(line, range(persons)))
    for seconds, peak, said in runs(values, file, persons):
        yield f"{seconds:.0f} s, at most {peak / _MEGABYTE:.0f} MB: {said}"
    found, distinct = spaces(settings), len({person(number).ins_value for number in range(persons)})
    yield f"{found} spaces for {distinct} numbers: {'none' if found == distinct else 'SOME'} lost or doubled"


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=None, help="where to keep the data meanwhile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for text in measured(min(given.persons, _MOST_DISTINCT), Path(folder)):
            print(text, flush=True)


if __name__ == "__main__":
    main()
