"""A clock that jumps: no version is older than the one before, no poller misses anything, nothing ends in 500."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fhir_server.adapters.system import SystemClock
from fhir_server.app import build_runtime
from fhir_server.settings.server import SettingsError
from tests.conftest import FixedClock
from tests.world import BASE, World, client_of


def instant(resource):
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


def changed(world, name, text):
    """Change a resource of the directory; return it as it is then."""
    type_, id_ = "Organization", world.ids[name]
    resource = world.get("keeper", f"/{type_}/{id_}").get_json() | {"alias": [text]}
    answer = world.send("keeper", "PUT", f"/{type_}/{id_}", resource)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def newer(world, who, search, than):
    """Return the ids that a poller gets who has seen everything up to an instant."""
    seen = than.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return world.found(who, f"{search}&_lastUpdated=gt{seen}")


def test_a_version_is_never_older_than_the_one_before_it(world, clock):
    first = changed(world, "chu", "one")
    clock.advance(hours=-1)
    second = changed(world, "chu", "two")
    clock.advance(seconds=1)
    third = changed(world, "chu", "three")
    assert instant(first) < instant(second) < instant(third)


def test_a_poller_misses_nothing_that_was_written_after_the_clock_was_set_back(world, clock):
    patient = world.ids["camille"]
    seen = world.get("camille", f"/DocumentReference/{world.publish()}").get_json()
    clock.advance(hours=-1)
    late = world.publish()
    assert newer(world, "camille", f"/DocumentReference?patient={patient}", instant(seen)) == [late]
    assert world.agree("camille", "nour").status_code == 201
    assert len(newer(world, "camille", f"/Consent?patient={patient}", instant(seen))) >= 1


def test_a_submission_set_that_is_filed_after_the_clock_was_set_back_is_not_missed_either(world, clock):
    (first,) = world.found("chu-ehr", f"/List?item=DocumentReference/{world.publish()}&patient={world.ids['camille']}")
    seen = world.get("camille", f"/List/{first}").get_json()
    clock.advance(hours=-1)
    late = world.publish()
    (second,) = world.found("camille", f"/List?item=DocumentReference/{late}&patient={world.ids['camille']}")
    assert newer(world, "camille", f"/List?patient={world.ids['camille']}", instant(seen)) == [second]


def test_a_hiding_is_not_older_than_the_document(world, clock):
    document = world.publish()
    before = world.get("camille", f"/DocumentReference/{document}").get_json()
    clock.advance(hours=-1)
    assert world.hide(document).status_code == 200
    assert instant(world.get("camille", f"/DocumentReference/{document}").get_json()) > instant(before)


def test_the_trail_says_when_by_the_clock_and_is_found_by_who_polls(world, clock):
    patient, before = world.ids["camille"], clock.at
    clock.advance(hours=-1)
    world.get("camille", f"/Patient/{patient}")
    late = newer(world, "camille", f"/AuditEvent?patient={patient}&date=lt{before:%Y-%m-%dT%H:%M:%S}Z", before)
    assert late
    event = world.get("camille", f"/AuditEvent/{late[0]}").get_json()
    assert datetime.fromisoformat(event["recorded"]) < before <= instant(event)


def test_an_emergency_that_is_opened_after_the_clock_was_set_back_opens_at_once(world, clock):
    changed(world, "chu", "one")
    clock.advance(hours=-1)
    assert world.agree("camille", "nour").status_code == 201
    patient = world.ids["camille"]
    assert world.get("nour", f"/DocumentReference?patient={patient}").status_code == 200


def test_a_new_process_stamps_nothing_earlier_than_what_is_stored(world, clock, settings):
    first = changed(world, "chu", "one")
    clock.advance(hours=-1)
    served = build_runtime(settings)
    served = replace(served, ports=replace(served.ports, clock=clock))
    again = World(served, client_of(settings, served), world.ids, world.tokens)
    try:
        new = again.record("new", {"resourceType": "Organization", "name": "new"})
        assert instant(again.get("keeper", f"/Organization/{new}").get_json()) > instant(first)
    finally:
        served.ports.store.close()


def test_another_process_that_knows_no_better_never_ages_a_resource(world, clock, settings):
    """It was idle longer than the clock was set back, and on a store that does not know its newest instant."""
    clock.advance(hours=2)
    first = changed(world, "chu", "one")
    idle = replace(
        world.runtime, stamps=type(world.runtime.stamps)(), ports=replace(world.runtime.ports, clock=FixedClock())
    )
    again = World(idle, client_of(settings, idle), world.ids, world.tokens)
    assert instant(changed(again, "chu", "two")) > instant(first)


def test_before_the_first_day_of_the_matrix_nothing_is_decided_and_nothing_ends_in_500(world, clock):
    patient, document = world.ids["camille"], world.publish()
    clock.at = datetime(2001, 1, 1, tzinfo=UTC)
    asked = [f"/DocumentReference?patient={patient}", f"/DocumentReference/{document}", f"/Consent?patient={patient}"]
    for who in ("camille", "nour", "chu-ehr"):
        assert {world.get(who, path).status_code for path in asked} == {503}
    assert world.send("chu-ehr", "POST", "", world.bundle()).status_code == 503
    for path in ("/health/ready", "/status"):
        assert world.web.get(path).status_code == 503
    for path in ("/", "/fhir/metadata", "/health/live", "/journal"):
        assert world.web.get(path).status_code < 500


def test_a_start_before_the_first_day_of_the_matrix_says_that_the_clock_is_wrong(settings, monkeypatch):
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(SettingsError, match="set the clock of this machine, which says that today is 2001-01-01"):
        build_runtime(settings)


def test_stamps_stand_beside_the_clock_until_it_has_caught_up(world, clock):
    assert world.runtime.fhir_base == BASE
    stamps = world.runtime.stamps
    top = stamps.next(clock.at)
    given = [stamps.next(clock.at - timedelta(hours=1)) for _ in range(3)]
    assert given == sorted(set(given))
    assert top < given[0] < given[-1] < top + timedelta(seconds=1)
    assert stamps.next(top + timedelta(hours=1)) == top + timedelta(hours=1)
