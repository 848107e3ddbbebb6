"""The worker's looks at accesses: a hit opens one case, the patient is told once, and nothing depends on the moment.

Both stores keep what detection remembers; the looks at one space are those of one message.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from consent_rules.vocabulary import PatientId
from fhir_server import worker
from fhir_server.app import build_runtime
from fhir_server.application.core.runtime import DETECTION_LANE as LANE
from fhir_server.application.core.runtime import Runtime, WatchedSpaces
from fhir_server.application.detection import looks
from fhir_server.domain import case_files
from fhir_server.domain.case_files import Case, case_of
from fhir_server.domain.detection.facts import Rule
from fhir_server.domain.detection.reasons import REASONS
from tests.engines import ENGINES, make_engine
from tests.factories import all_of
from tests.holds import holds
from tests.http.cases import queued
from tests.http.notices import kinds
from tests.http.test_reviews import of_people
from tests.world import World

HOME = [{"line": ["7 rue des Écoles"], "postalCode": "49000", "city": "Angers"}]
ELSEWHERE = [{"line": ["7, Rue des écoles"], "postalCode": "75005", "city": "Paris"}]


@pytest.fixture(params=ENGINES)
def runtime(request, settings, clock, tmp_path) -> Iterator[Runtime]:
    engine = make_engine(request.param, request, tmp_path)
    ports = replace(engine.ports, clock=clock)
    yield replace(build_runtime(settings, ports), watched=WatchedSpaces())
    engine.close()


@pytest.fixture
def near(world: World) -> World:
    """Camille and Dr Martin live together; Dr Martin says that Camille agreed."""
    live_at(world, "martin", HOME)
    live_at(world, "camille", HOME)
    world.publish()
    assert world.agree("martin", "martin").status_code == 201
    return world


def live_at(world, name, address):
    type_ = "Patient" if name == "camille" else "Practitioner"
    path = f"/{type_}/{world.ids[name]}"
    known = world.get("keeper", path).get_json()
    answer = world.send("keeper", "PUT", path, known | {"address": address})
    assert answer.status_code == 200, answer.get_data(as_text=True)


def read(world, who="martin"):
    answer = world.get(who, f"/DocumentReference?patient={world.ids['camille']}")
    assert answer.status_code == 200, answer.get_data(as_text=True)


def work(world):
    worker.build(world.runtime).work_once()


def look(world, clock):
    """Let both looks at the present hour happen."""
    clock.advance(hours=2)
    work(world)
    clock.advance(hours=7)
    work(world)


def cases(world) -> list[Case]:
    with world.runtime.ports.store.snapshot() as snapshot:
        rows = snapshot.queue(case_files.TYPE, case_files.WAITING, case_files.DUE, 50, None)
        read = [snapshot.read(case_files.TYPE, row.id, all_of(PatientId(row.compartment))) for row in rows]
    return [case_of(json.loads(stored.body), stored.facts.access) for stored in read if stored]


def told(world, who="camille"):
    found = world.get(who, f"/Communication?patient={world.ids['camille']}&_count=50").get_json()
    return kinds([entry["resource"] for entry in found.get("entry", [])])


def waiting(world, clock):
    return world.runtime.ports.outbox.ready(LANE, clock.now().replace(year=2030), 100)


@holds("V20")
def test_an_access_to_the_space_of_somebody_of_the_same_address_opens_one_case(near, clock):
    read(near)
    look(near, clock)
    (case,) = cases(near)
    assert (case.rule, case.who) == ("same-address", f"Practitioner/{near.ids['martin']}")
    assert case.reason == REASONS[Rule.SAME_ADDRESS]
    assert case.evidence["address"] == near.runtime.profile.detection.points["address"]
    assert case.due == case.opened_at + near.runtime.profile.detection.usual.exact
    read(near)
    look(near, clock)
    assert len(cases(near)) == 1


def test_the_officer_finds_the_case_in_the_queue_with_its_evidence(near, clock):
    of_people(near)
    read(near)
    look(near, clock)
    (case,) = queued(near)
    assert case["rule"] == "same-address"
    assert near.get("martin", "/AuditEvent/$case-queue").status_code == 403


def test_the_patient_is_told_of_an_unexplained_access_once_in_a_while(near, clock):
    for _ in range(2):
        read(near)
        look(near, clock)
    assert told(near).count("unexplained-access") == 1
    clock.advance(days=8)
    near.agree("martin", "martin", dateTime=clock.now().isoformat())
    read(near)
    look(near, clock)
    assert told(near).count("unexplained-access") == 2


def test_an_access_that_the_patient_agreed_to_is_no_case(world, clock):
    live_at(world, "martin", HOME)
    live_at(world, "camille", HOME)
    world.publish()
    world.agree("camille", "martin")
    read(world)
    look(world, clock)
    assert cases(world) == []
    assert "unexplained-access" not in told(world)


def test_the_same_street_of_another_town_is_no_tie(world, clock):
    live_at(world, "martin", ELSEWHERE)
    live_at(world, "camille", HOME)
    world.publish()
    world.agree("martin", "martin")
    read(world)
    look(world, clock)
    assert cases(world) == []


def test_an_hour_of_a_space_costs_one_message_however_often_it_is_read(near, clock):
    for _ in range(5):
        read(near)
    assert len(waiting(near, clock)) == 1
    clock.advance(hours=1)
    read(near)
    assert len(waiting(near, clock)) == 2


def test_nothing_is_remembered_of_a_space_whose_readers_the_patient_let_in(world, clock):
    world.publish()
    world.agree("camille", "martin")
    read(world)
    look(world, clock)
    assert world.runtime.ports.vault.get("detection-space", world.ids["camille"], clock.now()) is None


def test_another_process_adds_no_second_message(near, clock):
    read(near)
    other = World(replace(near.runtime, watched=WatchedSpaces()), near.web, near.ids, near.tokens)
    other.web.application.extensions["habilis.runtime"] = other.runtime
    read(other)
    assert len(waiting(near, clock)) == 1


def test_a_worker_that_dies_before_the_commit_looks_again_and_opens_the_same_case(near, clock):
    read(near)
    clock.advance(hours=2)
    work(near)
    clock.advance(hours=7)
    (message,) = (one for one in near.runtime.ports.outbox.ready(LANE, clock.now(), 10))
    planned = looks.look(near.runtime, message)  # and the process dies: what it remembers is stored, the case is not
    assert [write.after.type for write in planned.writes].count("Task") == 1
    assert cases(near) == []
    work(near)
    (case,) = cases(near)
    assert case.id in {write.after.id for write in planned.writes}


def test_without_a_worker_the_looks_wait(near, clock):
    read(near)
    clock.advance(days=30)
    assert len(waiting(near, clock)) == 1
    work(near)
    work(near)
    assert len(cases(near)) == 1


@holds("V22")
@pytest.mark.parametrize("mark", [None, "MASQUE_PS"])
def test_a_hidden_deposit_neither_explains_an_access_nor_shows_in_an_alert(near, clock, mark):
    hidden = None
    if mark:
        hidden = near.publish("other-ehr")
        assert near.hide(hidden, mark=mark).status_code == 200
    read(near)
    look(near, clock)
    (case,) = cases(near)
    points = near.runtime.profile.detection.points
    shown = {one: points[one] for one in ("address", "street", "off-duty")}
    assert case.evidence == shown | {"alone": 5}  # bits of a reader without a past
    assert told(near).count("unexplained-access") == 1
    alerts = json.dumps([case_files.task_of(case), near.get("camille", unexplained(near)).get_json()])
    assert "DocumentReference" not in alerts
    assert hidden is None or hidden not in alerts


@holds("V19")
def test_a_deposit_that_everybody_may_see_explains_an_access(near, clock):
    near.publish("other-ehr")
    read(near)
    look(near, clock)
    assert "unexplained-access" not in told(near)


def unexplained(world):
    return f"/Communication?patient={world.ids['camille']}&category=urn:habilis:notice|unexplained-access"
