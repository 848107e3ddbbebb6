"""What is counted of requests, and that no request can add a series."""

import time
from threading import Thread

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.admission import Lane
from fhir_server.metrics import counting
from fhir_server.metrics.counting import RequestKind
from fhir_server.metrics.families import EVENTS, FAMILIES, SLOTS, LaneName
from tests.factories import settings_in
from tests.metrics import counting_in, grown, series, shown
from tests.world import World


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Return a small world whose server counts, and the folder in which it does."""
    folder = tmp_path_factory.mktemp("counted")
    settings = settings_in(folder, metrics_port=9464)
    opening.create_keys(settings.key_file)
    runtime = build_runtime(settings)
    world = World(runtime, create_app(settings, runtime).test_client()).open()
    with counting_in(folder / "metrics") as counted_in:
        yield world, counted_in
    runtime.ports.store.close()


def test_a_read_counts_as_one_answer_one_decision_and_one_transaction(counted):
    world, folder = counted
    document = world.publish(patient="camille")
    assert grown(folder, lambda: world.send("camille", "GET", f"/DocumentReference/{document}")) == {
        "habilis_requests read DocumentReference 2xx": 1,
        "habilis_request_seconds read": 1,
        "habilis_decisions patient done": 1,
        "habilis_events resource-read done": 1,
        "habilis_commit_seconds ": 1,
        "habilis_sync_seconds ": 1,
        "habilis_changes ": 1,
    }


def test_a_refusal_counts_by_the_category_of_its_answer(counted):
    world, folder = counted
    assert grown(folder, lambda: world.web.get("/fhir/Patient/1")) == {
        "habilis_requests read Patient 4xx": 1,
        "habilis_request_seconds read": 1,
        "habilis_failures 401": 1,
        "habilis_refusals unauthenticated": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "interaction", "type_"),
    [
        ("GET", "/fhir/metadata", "capabilities", "none"),
        ("GET", "/fhir/DocumentReference?patient=1", "search-type", "DocumentReference"),
        ("POST", "/fhir/List/_search", "search-type", "List"),
        ("GET", "/fhir?_type=Consent", "search-type", "Bundle"),
        ("GET", "/fhir/List/1/_history", "history-instance", "List"),
        ("GET", "/fhir/List/1/_history/1", "vread", "List"),
        ("PUT", "/fhir/Consent/1", "update", "Consent"),
        ("PATCH", "/fhir/DocumentReference/1", "patch", "DocumentReference"),
        ("POST", "/fhir", "transaction", "Bundle"),
        ("POST", "/fhir/Patient/1/$break-glass", "operation", "Patient"),
        ("POST", "/oauth/token", "oauth", "none"),
        ("GET", "/fhir/.well-known/smart-configuration", "oauth", "none"),
        ("GET", "/oauth/authorize", "page", "none"),
        ("GET", "/login", "page", "none"),
        ("GET", "/status", "probe", "none"),
        ("GET", "/assets/nothing.css", "asset", "none"),
        ("GET", "/fhir/Unknown/1", "other", "none"),
        ("GET", "/284039999900148", "other", "none"),
    ],
)
def test_a_request_counts_by_its_route(counted, method, path, interaction, type_):
    world, folder = counted
    found = grown(folder, lambda: world.web.open(path, method=method))
    asked = [name.rpartition(" ")[0] for name in found if name.startswith("habilis_requests ")]
    assert asked == [f"habilis_requests {interaction} {type_}"]


def test_any_number_of_paths_types_and_clients_adds_no_series(counted):
    world, folder = counted
    world.web.get("/fhir/Unknown/1", headers={"Authorization": "Bearer x"})
    world.web.get("/fhir/DocumentReference/1", headers={"Authorization": "Bearer x"})
    world.web.post("/oauth/token", data={"client_id": "x"})
    before = set(shown(folder))
    for number in range(400):
        world.web.get(f"/fhir/Type{number}/{number}")
        world.web.get(
            f"/fhir/DocumentReference/{number}?client_id=c{number}", headers={"Authorization": f"Bearer {number}"}
        )
        world.web.post("/oauth/token", data={"client_id": f"client-{number}", "grant_type": f"grant-{number}"})
    assert set(shown(folder)) == before


def test_ten_thousand_values_of_labels_add_no_series(counted):
    _, folder = counted
    counting.refused("unheard-of")
    counting.answered(RequestKind.of("unheard-of", "Unheard"), 418, 0.1)
    before = set(shown(folder))
    for number in range(10_000):
        counting.refused(f"category-{number}")
        counting.answered(RequestKind.of(f"interaction-{number}", f"Type{number}"), 418, 0.1)
    assert set(shown(folder)) == before


def test_no_label_has_a_value_that_a_request_brings():
    """All series are known beforehand: a table of fixed size holds them, and no choice of a patient has a name."""
    assert sum(family.size for family in FAMILIES) + 1 == SLOTS < 8192
    named = set(EVENTS.labels["event"])
    choices = {
        kind for kind in EventKind if kind.startswith(("document-h", "choice", "consent", "professional", "space"))
    }
    assert named.isdisjoint(choices)


def test_what_is_refused_before_its_turn_counts_at_the_door(counted):
    world, folder = counted
    found = grown(folder, lambda: world.web.get(f"/fhir/Consent?patient={'1' * 70_000}"))
    assert (found["habilis_refused_at_the_door 414"], found["habilis_failures 414"]) == (1, 1)


def test_a_request_that_waits_for_its_turn_is_shown_and_then_counted(counted):
    _, folder = counted
    lane = Lane(1, LaneName.PAGES)
    lane.enter(1)
    waiting = Thread(target=lane.enter, args=(60,))
    waiting.start()
    name = series("habilis_requests_waiting", lane="pages")
    until = time.monotonic() + 60
    while not shown(folder)[name]:
        assert time.monotonic() < until
    lane.leave()
    waiting.join()
    after = shown(folder)
    assert (after[name], after[series("habilis_wait_seconds_count", lane="pages")]) == (0, 1)


def test_without_a_port_nothing_is_counted(tmp_path):
    settings = settings_in(tmp_path)
    opening.create_keys(settings.key_file)
    runtime = build_runtime(settings)
    assert create_app(settings, runtime).extensions["habilis.observers"] == []
    assert runtime.event_readers == ()
    runtime.ports.store.close()
