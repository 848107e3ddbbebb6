"""Long answers leave time for other requests of the same process."""

import pytest

from fhir_server.http.admission import PARTS, TRAFFIC, Traffic
from tests.http.exports import files, lines, planned

DOCUMENTS = "/$export?_type=DocumentReference"


@pytest.fixture
def pauses(monkeypatch):
    found: list[float] = []
    monkeypatch.setattr(TRAFFIC, "pause", found.append)
    return found


@pytest.fixture
def quiet():
    """Traffic whose clock stands at `at`; what it paused is in `paused`."""
    at, paused = [100.0], []
    return Traffic(lambda: at[0], paused.append), at, paused


def test_while_others_ask_a_page_is_followed_by_a_pause_of_several_times_its_length(quiet):
    traffic, at, paused = quiet
    traffic.came()
    at[0] += 0.01
    traffic.give_way(0.002)
    assert paused == [pytest.approx((PARTS - 1) * 0.002)]


def test_a_pause_has_an_end(quiet):
    traffic, _, paused = quiet
    traffic.came()
    traffic.give_way(10.0)
    assert paused[0] < 0.1


def test_nothing_pauses_when_nobody_has_asked_for_a_while(quiet):
    traffic, at, paused = quiet
    traffic.give_way(0.002)
    traffic.came()
    at[0] += 1
    traffic.give_way(0.002)
    assert paused == []


def test_a_file_of_an_export_gives_way_after_each_page(world, pauses):
    world.publish()
    place = planned(world, "chu-ehr", DOCUMENTS)
    (file,) = files(world, "chu-ehr", place)["DocumentReference"]
    pauses.clear()
    assert lines(world.get("chu-ehr", file))
    assert pauses
    assert all(0 < seconds < 0.1 for seconds in pauses)


def test_a_search_pauses_never(world, pauses):
    world.publish()
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")
    assert pauses == []
