"""Fear: that whoever once knew the id of a document searches others by it, and so learns that it is there still.

DESIGN, leak rules: criteria are judged in the caller's view; a hidden id finds what an unknown one finds.
"""

import pytest

from tests.world import World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"


@pytest.fixture
def searched(world: World) -> World:
    """Publish two documents in one lot, of which Dr Martin read both; the patient then hides one."""
    world.ids["plain"], world.ids["hidden"] = world.publish_all("chu-ehr", world.filing(), world.filing())
    assert world.agree("camille", "martin").status_code == 201
    for name in ("plain", "hidden"):
        read = world.get("martin", f"/DocumentReference/{world.ids[name]}").get_json()
        world.ids[f"{name}-content"] = read["content"][0]["attachment"]["url"].rpartition("/")[2]
        assert world.get("martin", f"/Binary/{world.ids[f'{name}-content']}").status_code == 200
    assert world.hide(world.ids["hidden"]).status_code == 200
    return world


@pytest.mark.parametrize(
    "path",
    [
        "/List?patient={patient}&item=DocumentReference/{id}",
        "/List?patient={patient}&item={id}",
        "/List?patient={patient}&item={base}/DocumentReference/{id}",
        "/AuditEvent?patient={patient}&entity=DocumentReference/{id}",
        "/AuditEvent?patient={patient}&entity=Binary/{content}",
        "/AuditEvent?patient={patient}&entity=DocumentReference/{id}&_summary=count",
    ],
)
def test_a_hidden_document_is_no_key_to_others(searched, path):
    def found(name: str) -> tuple[int, int]:
        ids = {"id": searched.ids.get(name, UNKNOWN), "content": searched.ids.get(f"{name}-content", UNKNOWN)}
        filled = path.format(patient=searched.ids["camille"], base=searched.runtime.fhir_base, **ids)
        answer = searched.get("martin", filled)
        return answer.status_code, answer.get_json()["total"]

    assert found("hidden") == found("unknown") == (200, 0)
    assert found("plain")[1] > 0


def test_several_values_find_what_the_visible_ones_find(searched):
    both = f"DocumentReference/{searched.ids['hidden']},DocumentReference/{searched.ids['plain']}"
    whole = searched.found("martin", f"/List?patient={searched.ids['camille']}&item={both}")
    assert whole == searched.found(
        "martin", f"/List?patient={searched.ids['camille']}&item=DocumentReference/{searched.ids['plain']}"
    )
    assert len(whole) == 1


def test_the_patient_still_searches_by_it(searched):
    assert searched.found("camille", f"/AuditEvent?entity=DocumentReference/{searched.ids['hidden']}")
