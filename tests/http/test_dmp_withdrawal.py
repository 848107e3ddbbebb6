"""The draft PDSm for the DMP withdraws a document in three ways (TD3.3c): a setting adds the one that is not ours.

Source: ANS PDSm4DMP 0.1.0, TD3.3c: the page says `entered-in-error`, the index `superseded`, the flow chart DELETE.
"""

from dataclasses import replace

import pytest

from tests.factories import settings_in
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import World

JSON_PATCH = "application/json-patch+json"


@pytest.fixture
def settings(tmp_path):
    """The settings of a server on which `superseded` withdraws too."""
    return replace(settings_in(tmp_path, "http://localhost:8080"), withdrawal_status="superseded")


def patch(world: World, who: str, id_: str, status: str):
    operations = [{"op": "replace", "path": "/status", "value": status}]
    return world.send(who, "PATCH", f"/DocumentReference/{id_}", operations, JSON_PATCH)


@BOTH
@holds("PDSM-7")
@pytest.mark.parametrize("status", ["superseded", "entered-in-error"])
def test_a_document_is_withdrawn_by_either_status(world: World, status):
    document = world.publish()
    answer = patch(world, "chu-ehr", document, status)
    assert (answer.status_code, answer.get_json()["status"]) == (200, status)
    assert "profile" not in answer.get_json()["meta"]
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 410
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []


@pytest.mark.parametrize("who", ["camille", "martin"])
def test_nobody_withdraws_more_than_by_the_other_status(world: World, who):
    document = world.publish()
    world.agree("camille", "martin")
    assert patch(world, who, document, "superseded").status_code == 403
    assert world.get(who, f"/DocumentReference/{document}").get_json()["status"] == "current"


def test_a_hidden_and_an_unknown_document_are_refused_alike(world: World):
    document, unknown = world.publish(), "00000000-0000-4000-8000-000000000009"
    answers = [patch(world, "martin", id_, "superseded") for id_ in (document, unknown)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].get_data() == answers[1].get_data()


@holds("PDSM-7")
def test_a_replacement_still_supersedes(world: World):
    older = world.publish()
    newer = world.publish(replaces=older)
    assert world.get("camille", f"/DocumentReference/{older}").get_json()["status"] == "superseded"
    assert world.get("camille", f"/DocumentReference/{newer}").get_json()["status"] == "current"
