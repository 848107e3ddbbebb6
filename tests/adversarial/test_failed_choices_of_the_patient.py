"""The patient's own failed choice reads alike in the journal, named it a waiting result or an unknown id (E9)."""

import pytest

from tests.http.spaces import UNKNOWN, call
from tests.world import World


def by_code(world: World, document: str):
    named = {"name": "document", "valueReference": {"reference": f"DocumentReference/{document}"}}
    return call(world, "camille", "invite", body={"resourceType": "Parameters", "parameter": [named]})


def by_consent(world: World, document: str):
    consent = world.consent("martin")
    data = {"meaning": "instance", "reference": {"reference": f"DocumentReference/{document}"}}
    consent["provision"]["data"] = [data]
    return world.send("camille", "POST", "/Consent", consent)


@pytest.mark.parametrize("way", [by_code, by_consent])
def test_the_journal_does_not_tell_a_waiting_result_from_an_unknown_id(world: World, way):
    def refusals():
        path = f"/AuditEvent?patient={world.ids['camille']}&outcome=4&_summary=count"
        return world.get("camille", path).get_json()["total"]

    waiting = world.publish(marks=("INVISIBLE_PATIENT",))
    told = []
    for document in (waiting, UNKNOWN):
        before = refusals()
        assert way(world, document).status_code == 422
        told.append(refusals() - before)
    assert told == [1, 1]
