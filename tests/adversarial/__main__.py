"""Many deeds in two worlds that differ in one secret, on both stores: `make two-worlds`.

    python -m tests.adversarial [--trials 20000] [--seed NUMBER] [sqlite] [mongo]

The deeds are divided among the kinds of secrets. Each kind prints how many deeds were done, in how long, and whether
the worlds could be told apart; the seed, which is printed first, does the same deeds again.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fhir_server.ports.surroundings import Ports
from tests.adversarial.two_worlds import BATCH, KINDS, Difference, Kind, differences, sides
from tests.engines import MongoEngine, MongoServer

STORES = ("sqlite", "mongo")
Opener = Callable[[Path], Ports] | None


def main() -> int:
    """Do all deeds; return 1 when anything told the worlds apart."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversarial")
    parser.add_argument("--trials", type=int, default=20_000, help="deeds on each store, all kinds together")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("stores", nargs="*", default=STORES, metavar="sqlite mongo")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    found = 0
    with TemporaryDirectory(prefix="two-worlds-") as folder:
        for store in asked.stores:
            found += sum(_tried(Path(folder) / store, store, asked.trials, asked.seed))
    print(f"{found} differences")
    return 1 if found else 0


def _tried(folder: Path, store: str, trials: int, seed: int) -> Iterator[int]:
    """Yield the number of differences of each kind."""
    each = -(-trials // len(KINDS) // BATCH) * BATCH
    folder.mkdir()
    with _opener(folder, store) as opened:
        for number, kind in enumerate(KINDS):
            began, place = time.monotonic(), folder / str(number)
            place.mkdir()
            with sides(place, kind, opened) as pair:
                told = [*differences(pair, kind, each, seed + number)]
            _print(store, kind, each, time.monotonic() - began, told)
            yield len(told)


def _print(store: str, kind: Kind, trials: int, seconds: float, told: list[Difference]) -> None:
    print(f"{store}: {kind.name}: {trials} deeds in {seconds:.0f} s, {len(told)} differences", flush=True)
    for one in told[:1]:
        print(f"  {one.who}: {one.what}\n  {one.without}\n  ---\n  {one.with_it}\n  {one.deeds}", flush=True)


@contextmanager
def _opener(folder: Path, store: str) -> Iterator[Opener]:
    """Give what opens a world's store in a folder, None for SQLite."""
    if store == "sqlite":
        yield None
        return
    server, engines = MongoServer(folder), list[MongoEngine]()

    def opened(place: Path) -> Ports:
        engines.append(MongoEngine(place, server))
        return engines[-1].ports

    try:
        yield opened
    finally:
        for engine in engines:
            engine.close()
        server.close()


if __name__ == "__main__":
    sys.exit(main())
