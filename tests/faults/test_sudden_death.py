"""The server is killed at random moments under load (AC49, AC50, H3): nothing that it promised is lost.

`make faults` kills it 200 times; HABILIS_TEST_KILLS says how often otherwise.
"""

import os
import random
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import count

import pytest

from seed import book
from tests.faults.crash import Client, Load, World, check, check_whole
from tests.holds import holds
from tests.live import Live

KILLS = int(os.environ.get("HABILIS_TEST_KILLS", "6"))

pytestmark = pytest.mark.live


@pytest.fixture
def server(tmp_path):
    live = Live(tmp_path / "data")
    live.data_dir.mkdir()
    live.command("seed")
    yield live
    live.kill()


def _world(server):
    demo = book.read(server.data_dir)
    return World(
        patient=demo.patients["camille"],
        organization=demo.organizations["chu-a"],
        publisher=demo.tokens["chu-a-ehr"],
        reader=demo.tokens["martin"],
        holder=demo.tokens["camille"],
        documents=[demo.documents["camille-hospital-report"]],
    )


@holds("H3", "AC50")
def test_nothing_acknowledged_is_lost_torn_or_untraced_when_the_server_is_killed(server):
    world = _world(server)
    numbers = count(10_000)
    kept, killed = {}, random.Random(os.environ.get("HABILIS_TEST_SEED", "habilis"))
    for death in range(KILLS):
        server.start()
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        load = Load(server, world, numbers)
        load.start()
        time.sleep(killed.uniform(0.0, 1.0))  # after the first acknowledged submission of this life
        server.kill()
        notes = load.join()
        server.start()
        check(server, world, notes, since)
        server.stop()
        kept |= notes.acknowledged
        print(f"death {death + 1}: {len(notes.acknowledged)} submissions, {len(notes.released)} documents released")
    server.start()
    with closing(Client(server, world.holder)) as holder:
        for number, document in kept.items():
            check_whole(holder, document, number)
    assert len(kept) >= KILLS
