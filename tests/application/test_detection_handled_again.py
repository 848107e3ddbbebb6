"""A worker that dies before its commit gets the message again: what detection remembers does not change by that."""

from dataclasses import replace
from datetime import timedelta

from fhir_server.application.core.runtime import DETECTION_LANE as LANE
from fhir_server.application.core.runtime import WatchedSpaces
from fhir_server.application.detection import looks
from fhir_server.application.detection.memory import Memory
from fhir_server.worker import build
from tests.world import World


def conduct(world):
    person, where = f"Practitioner/{world.ids['martin']}", f"Organization/{world.ids['other']}"
    return Memory(world.runtime).actor(person, where).conduct


def test_a_look_that_is_handled_twice_counts_the_access_once(world, clock):
    world = World(replace(world.runtime, watched=WatchedSpaces()), world.web, world.ids, world.tokens, world.count)
    world.publish()
    world.agree("martin", "martin")
    answer = world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    clock.advance(hours=2)
    build(world.runtime).work_once()
    clock.advance(hours=7)
    (message,) = world.runtime.ports.outbox.ready(LANE, clock.now() + timedelta(days=1), 10)
    looks.look(world.runtime, message)  # and the worker dies before its commit
    once = conduct(world)
    assert once.counted == once.judged == 1
    build(world.runtime).work_once()
    assert world.runtime.ports.outbox.ready(LANE, clock.now() + timedelta(days=1), 10) == ()
    assert conduct(world) == once
