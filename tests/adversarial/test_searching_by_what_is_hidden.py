"""Fear: that whoever once knew the id of a document searches others by it, and so learns that it is there still.

AC01, AC05, AC07. DESIGN, leak rules: criteria are judged in the caller's view; a hidden id finds what an unknown one
finds.
"""

import orjson
import pytest

from tests.holds import holds
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


@holds("AC07")
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


@holds("AC05")
@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ("relation=appends", "relation=signs"),
        ("relatesto:missing=false", "relatesto:missing=true"),
        ("related:missing=false", "related:missing=true"),
        ("related:identifier=urn:lot|of-hidden", "related:identifier=urn:lot|of-nothing"),
    ],
)
def test_a_relation_to_a_hidden_document_is_not_searched_by(world: World, asked, other):
    """Fear: that a document which names a hidden one is found by what is left out when it is shown."""
    first = world.publish("chu-ehr")
    bundle = world.bundle(world.filing())
    document = bundle["entry"][1]["resource"]
    target = {"reference": f"DocumentReference/{first}"}
    document["relatesTo"] = [{"code": "appends", "target": target}]
    document["context"]["related"] = [target | {"identifier": {"system": "urn:lot", "value": "of-hidden"}}]
    assert world.send("chu-ehr", "POST", "", bundle).status_code == 200
    assert world.agree("camille", "martin").status_code == 201
    assert world.hide(first).status_code == 200
    camille = world.ids["camille"]
    (shown,) = world.get("martin", f"/DocumentReference?patient={camille}").get_json()["entry"]
    assert b"of-hidden" not in orjson.dumps(shown)
    assert "relatesTo" not in shown["resource"]
    first, second = (world.get("martin", f"/DocumentReference?patient={camille}&{query}") for query in (asked, other))
    assert first.status_code == second.status_code
    assert first.get_json().get("total") == second.get_json().get("total")


@holds("AC06")
@pytest.mark.parametrize(
    "asked",
    ["_include=DocumentReference:relatesto", "_include:iterate=*", "_revinclude=DocumentReference:relatesto"],
)
@pytest.mark.parametrize("type_", ["DocumentReference", "List"])
def test_a_hidden_document_is_not_pulled_in_beside_what_is_found(world: World, type_, asked):
    hidden = world.publish("chu-ehr")
    bundle = world.bundle(world.filing())
    relation = {"code": "appends", "target": {"reference": f"DocumentReference/{hidden}"}}
    bundle["entry"][1]["resource"]["relatesTo"] = [relation]
    assert world.send("chu-ehr", "POST", "", bundle).status_code == 200
    assert world.agree("camille", "martin").status_code == 201
    assert world.hide(hidden).status_code == 200
    answer = world.get("martin", f"/{type_}?patient={world.ids['camille']}&{asked}")
    assert answer.status_code in (200, 400)
    assert hidden not in answer.get_data(as_text=True)


@holds("F1")
@pytest.mark.parametrize("name", ["hidden", "unknown", "plain"])
def test_no_search_for_more_is_hidden_from_the_patient_by_a_document_that_it_names(searched, name):
    def told():
        path = f"/AuditEvent?patient={searched.ids['camille']}&agent=Practitioner/{searched.ids['martin']}&_count=200"
        return set(searched.found("camille", path))

    before, patient = told(), searched.ids["camille"]
    named = f"Patient/{patient},DocumentReference/{searched.ids.get(name, UNKNOWN)}"
    assert searched.found("martin", f"/AuditEvent?patient={patient}&entity={named}")
    assert len(told() - before) == 1
