"""history of a resource, a type and a space, with its window of time and its pages: R4 http.html#history."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, another, runtime, store
from tests.world import BASE, JSON_PATCH, World

__all__ = ["another", "runtime", "store"]


def versions(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    entries = answer.get_json().get("entry", [])
    return [(e["fullUrl"].removeprefix(f"{BASE}/"), e["request"]["method"], e["response"]["etag"]) for e in entries]


def pages(world: World, who: str, path: str):
    """Return the versions of each page."""
    found, link = [], path
    while link:
        answer = world.get(who, link)
        found.append(versions(answer))
        links = {one["relation"]: one["url"] for one in answer.get_json()["link"]}
        link = links.get("next", "").removeprefix(BASE)
    return found


def change(world: World, name: str, times: int) -> str:
    for number in range(times):
        world.runtime.ports.clock.advance(hours=1)
        active = [{"op": "add", "path": "/active", "value": bool(number % 2)}]
        assert world.send("keeper", "PATCH", f"/Practitioner/{world.ids[name]}", active, JSON_PATCH).status_code == 200
    return f"/Practitioner/{world.ids[name]}/_history"


def test_a_history_comes_in_pages_of_which_each_is_sealed_for_its_caller(world: World):
    path = change(world, "nour", 4)
    whole = versions(world.get("martin", path))
    found = pages(world, "martin", f"{path}?_count=2")

    assert [len(page) for page in found] == [2, 2, 1]
    assert [one for page in found for one in page] == whole
    assert [etag for _, _, etag in whole] == [f'W/"{number}"' for number in range(5, 0, -1)]
    assert [method for _, method, _ in whole] == ["PUT"] * 4 + ["POST"]
    first = world.get("martin", f"{path}?_count=2").get_json()
    assert first["total"] == 5
    cursor = parse_qs(urlsplit(first["link"][1]["url"]).query)["_page"][0]
    for who, asked in (("zoe", "_count=2"), ("martin", "_count=3"), ("martin", "_count=2&_since=2026-01-01T00:00:00Z")):
        assert world.get(who, f"{path}?{asked}&_page={cursor}").status_code == 400
    assert "entry" not in world.get("martin", f"{path}?_count=0").get_json()


@holds("MCSD-91-1")
def test_a_window_of_time_shows_the_versions_from_an_instant_or_those_current_then(world: World):
    path = change(world, "nour", 3)  # at ten, eleven and noon

    def etags(asked: str) -> list[str]:
        return [etag for _, _, etag in versions(world.get("zoe", f"{path}?{asked}"))]

    assert etags("_since=2026-03-02T11:00:00Z") == ['W/"4"', 'W/"3"']
    assert etags("_since=2026-03-02T12:00:00%2B01:00") == ['W/"4"', 'W/"3"']
    assert etags("_since=2026-03-02T12:00:00+01:00") == ['W/"4"', 'W/"3"']
    assert etags("_at=2026-03-02T10:30") == ['W/"2"']
    assert etags("_at=2026-03-02") == ['W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']
    assert etags("_at=2027") == ['W/"4"']
    assert etags("_at=2020") == []


@pytest.mark.parametrize(
    "asked",
    ["_since=x", "_since=2026-03-02", "_at=x", "_at=ge2026", "_count=-1", "_count=x", "_page=x", "_list=List/1",
     "_since=2026-03-02T09:00:00Z&_since=2026-03-02T10:00:00Z", "colour=blue", "patient=x", "_count=1&_count=1"],
)  # fmt: skip
def test_what_a_history_cannot_do_is_refused_by_name(shared_world: World, asked):
    answer = shared_world.get("nour", f"/Practitioner/{shared_world.ids['nour']}/_history?{asked}")
    assert answer.status_code == 400, answer.get_data(as_text=True)


@BOTH
def test_everybody_reads_the_history_of_a_type_of_the_directory(world: World):
    change(world, "nour", 2)
    found = pages(world, "camille", "/Practitioner/_history?_count=2")
    whole = [one for page in found for one in page]

    nour = f"Practitioner/{world.ids['nour']}"
    assert whole[:2] == [(nour, "PUT", 'W/"3"'), (nour, "PUT", 'W/"2"')]
    assert len(whole) == len(set(whole)) == 2 + 4
    recent = versions(world.get("zoe", "/Practitioner/_history?_since=2026-03-02T10:30:00Z"))
    assert recent == whole[:1]


@BOTH
def test_the_history_of_a_space_shows_what_its_reader_sees_today(world: World):
    world.agree("camille", "martin")
    shown, hidden, gone = world.publish(), world.publish(), world.publish()
    world.runtime.ports.clock.advance(hours=1)
    assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{gone}").status_code == 204
    path = f"/DocumentReference/_history?patient={world.ids['camille']}"

    everything = versions(world.get("camille", path))
    assert everything[0][1] == "DELETE"
    assert {one[0].partition("/")[2] for one in everything} == {shown, hidden, gone}
    assert versions(world.get("martin", path))
    assert world.hide(gone).status_code == 404
    assert world.hide(hidden).status_code == 200
    now = {one[0].partition("/")[2] for one in versions(world.get("martin", path))}
    assert hidden not in now
    assert shown in now


@holds("REST-34")
@BOTH
def test_the_deletion_of_what_was_hidden_is_hidden_too(world: World):
    world.agree("camille", "martin")
    world.publish()
    path = f"/DocumentReference/_history?patient={world.ids['camille']}"
    of_all = f"/_history?patient={world.ids['camille']}"
    hidden = world.publish(marks=("MASQUE_PS",))
    before = [world.get("martin", one).get_data() for one in (path, of_all)]
    world.runtime.ports.clock.advance(hours=1)
    assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{hidden}").status_code == 204

    assert [world.get("martin", one).get_data() for one in (path, of_all)] == before
    assert f"DocumentReference/{hidden}" in {one[0] for one in versions(world.get("camille", path))}


def test_a_whole_space_is_one_history_of_the_types_that_the_scopes_allow(world: World):
    world.publish()
    world.agree("camille", "martin")
    types = {one[0].partition("/")[0] for one in versions(world.get("camille", "/_history"))}
    assert {"DocumentReference", "List", "Provenance", "Consent", "Patient"} <= types
    assert "Practitioner" not in types
    seen = versions(world.get("martin", f"/_history?patient={world.ids['camille']}"))
    assert "DocumentReference" in {one[0].partition("/")[0] for one in seen}


def test_a_professional_sees_of_consents_the_current_version_only(world: World):
    consent = world.agree("camille", "martin").get_json()
    world.runtime.ports.clock.advance(hours=1)
    assert world.send("camille", "PUT", f"/Consent/{consent['id']}", consent).status_code == 200
    path = f"/Consent/_history?patient={world.ids['camille']}"
    own = [one for one in versions(world.get("camille", path)) if one[0] == f"Consent/{consent['id']}"]
    others = [one for one in versions(world.get("martin", path)) if one[0] == f"Consent/{consent['id']}"]
    assert (len(own), len(others)) == (2, 1)


@pytest.mark.parametrize("path", ["/DocumentReference/_history", "/Consent/_history", "/Patient/_history", "/_history"])
def test_a_space_is_named_and_open_or_refused(world: World, path):
    named = f"{path}?patient={world.ids['camille']}"
    assert world.get("nour", path).status_code == 400
    blocked = world.get("nour", named)
    world.agree("camille", "nour", "deny")
    assert blocked.status_code == 403
    assert world.get("nour", named).data == blocked.data
    unknown = world.get("nour", f"{path}?patient=3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e")
    assert (unknown.status_code, unknown.data) == (403, blocked.data)
    assert world.web.get(f"/fhir{path}").status_code == 401
    assert world.get("camille", path).status_code == 200
    world.software("narrow", "system/Practitioner.r")
    assert world.get("narrow", "/Practitioner/_history").status_code == 403


def test_a_history_is_recorded_with_what_it_showed(world: World):
    document = world.publish()
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/_history?patient={world.ids['camille']}").status_code == 200
    named = f"entity=DocumentReference/{document}"
    found = world.get("camille", f"/AuditEvent?{named}&agent=Practitioner/{world.ids['martin']}").get_json()
    assert found["total"] == 1
