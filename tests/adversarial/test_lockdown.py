"""Fear: that the refusal of everything but emergencies (K2) tells what is there and what is not.

DESIGN, leak rules: one answer for known, unknown, hidden, foreign and deleted ids, to whoever asks.
"""

import sqlite3
from contextlib import closing

import pytest

from tests.adversarial.test_hidden_documents import same
from tests.http.test_lockdown import stop
from tests.world import World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
FORMATS = ("application/fhir+json", "application/fhir+xml", "text/plain", "*/*")


@pytest.fixture
def stopped(world: World) -> World:
    """A plain, a hidden, a deleted and a foreign document, and a stop of everything but emergencies."""
    world.ids["plain"], world.ids["hidden"], world.ids["deleted"] = (world.publish() for _ in range(3))
    world.patient("leo", "171027599900196")
    world.ids["foreign"] = world.publish(patient="leo")
    read = world.get("camille", f"/DocumentReference/{world.ids['plain']}").get_json()
    world.ids["content"] = read["content"][0]["attachment"]["url"].rsplit("/", 1)[1]
    assert world.agree("camille", "martin").status_code == 201
    assert world.hide(world.ids["hidden"]).status_code == 200
    assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{world.ids['deleted']}").status_code in (200, 204)
    stop(world)
    return world


def forms(world, names):
    return [world.ids.get(name, name) for name in names]


@pytest.mark.parametrize("who", ["martin", "nour", "camille", "leo", "chu-ehr", "other-ehr", "keeper"])
@pytest.mark.parametrize(
    "path", ["/DocumentReference/{}", "/DocumentReference/{}/_history", "/DocumentReference/{}/_history/1"]
)
def test_of_every_id_the_same_is_said(stopped, who, path):
    unknown = stopped.get(who, path.format(UNKNOWN))
    assert unknown.status_code == 503
    for id_ in forms(stopped, ("plain", "hidden", "deleted", "foreign", "no-id-at-all", UNKNOWN.upper())):
        assert same(stopped.get(who, path.format(id_)), unknown)


@pytest.mark.parametrize("who", ["martin", "camille", "other-ehr"])
def test_of_every_patient_the_same_is_said(stopped, who):
    for path in (
        "/Patient/{}",
        "/DocumentReference?patient={}",
        "/DocumentReference?patient=Patient/{}&_summary=count",
        "/AuditEvent?patient={}",
        "/Consent?patient={}",
        "/Patient/{}/$space-status",
        "/Patient/{}/$explain",
    ):
        unknown = stopped.get(who, path.format(UNKNOWN))
        assert unknown.status_code == 503
        for name in ("camille", "leo", "plain"):
            assert same(stopped.get(who, path.format(stopped.ids[name])), unknown), path


@pytest.mark.parametrize("accept", FORMATS)
def test_of_every_content_the_same_is_said(stopped, accept):
    unknown = stopped.get("martin", f"/Binary/{UNKNOWN}", Accept=accept)
    assert unknown.status_code == 503
    assert same(stopped.get("martin", f"/Binary/{stopped.ids['content']}", Accept=accept), unknown)


def test_of_every_write_the_same_is_said(stopped):
    """Bad and good bodies alike: nothing of them is read."""
    for method in ("PUT", "PATCH", "DELETE"):
        answers = [
            stopped.send(who, method, f"/DocumentReference/{id_}", body)
            for who in ("camille", "chu-ehr", "martin")
            for id_ in forms(stopped, ("plain", "hidden", "foreign", UNKNOWN))
            for body in ({}, b"{not json", {"resourceType": "DocumentReference"})
        ]
        assert answers[0].status_code in (503, 405)
        assert all(same(answer, answers[0]) for answer in answers)


def test_a_refusal_does_not_make_a_key_or_a_space_of_an_unknown_patient(stopped, settings):
    """Tracing must leave nothing of somebody who is not here."""

    def kept():
        with closing(sqlite3.connect(settings.data_dir / "keys.sqlite3")) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            keys = [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names]  # noqa: S608
        return keys, stopped.dump(settings.data_dir)

    before = kept()
    assert stopped.get("martin", f"/DocumentReference?patient={UNKNOWN}").status_code == 503
    assert kept() == before
