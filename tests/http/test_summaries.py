"""Shortened resources: https://hl7.org/fhir/R4/search.html#summary and #elements, on reads and on searches."""

import pytest

from fhir_server.domain.directory.identity_traits import SUBSETTED
from fhir_server.r4.structure import shape_of
from tests.holds import holds
from tests.world import World

MANDATORY = {"resourceType", "id", "meta", "status", "content"}


@pytest.fixture
def document(world: World) -> str:
    return world.publish(title="Compte rendu")


def asked(world: World, document: str, more: str) -> list[dict]:
    """Return the document by a read and by a search."""
    read = world.get("camille", f"/DocumentReference/{document}?{more}")
    found = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{more}", Prefer="handling=strict")
    assert (read.status_code, found.status_code) == (200, 200), found.get_data(as_text=True)
    return [read.get_json(), found.get_json()["entry"][0]["resource"]]


@holds("REST-22")
def test_a_summary_has_the_elements_that_r4_marks(world: World, document: str):
    whole = world.get("camille", f"/DocumentReference/{document}").get_json()
    for shown in asked(world, document, "_summary=true"):
        assert shown.keys() - {"contained"} == whole.keys() & (shape_of("DocumentReference").summary | MANDATORY)
        assert SUBSETTED in shown["meta"]["tag"]
        assert "text" not in shown


def test_a_text_summary_has_the_narrative_and_what_is_mandatory(world: World):
    narrative = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Dr</div>'}
    world.record("told", {"resourceType": "Practitioner", "text": narrative, "name": [{"family": "Told"}]})
    path = f"/Practitioner/{world.ids['told']}"
    assert world.get("nour", f"{path}?_summary=text").get_json().keys() == {"resourceType", "id", "meta", "text"}
    data = world.get("nour", f"{path}?_summary=data").get_json()
    assert data.keys() == {"resourceType", "id", "meta", "name"}
    assert SUBSETTED in data["meta"]["tag"]


def test_elements_keep_what_is_mandatory_and_what_they_refer_to(world: World, document: str):
    for shown in asked(world, document, "_elements=type,author"):
        assert shown.keys() == {*MANDATORY, "type", "author", "contained"}
        named = {one["reference"].removeprefix("#") for one in shown["author"]}
        assert {one["id"] for one in shown["contained"]} >= named
        assert SUBSETTED in shown["meta"]["tag"]
    for shown in asked(world, document, "_elements=DocumentReference.type"):
        assert shown.keys() == {*MANDATORY, "type"}


def test_no_summary_is_the_whole_resource(world: World, document: str):
    whole = world.get("camille", f"/DocumentReference/{document}").get_json()
    assert asked(world, document, "_summary=false") == [whole, whole]


def test_a_count_is_refused_on_a_read_and_an_unknown_summary_everywhere(world: World, document: str):
    for path in (f"/DocumentReference/{document}?_summary=count", f"/DocumentReference/{document}?_summary=all",
                 f"/DocumentReference?patient={world.ids['camille']}&_summary=all"):  # fmt: skip
        answer = world.get("camille", path)
        assert answer.status_code == 400
        assert "`_summary" in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("name", ["_text", "_content", "_filter", "_query", "_contained", "_containedType"])
def test_what_would_change_the_answer_is_refused_by_name(world: World, name):
    for more in ({}, {"Prefer": "handling=lenient"}):
        answer = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{name}=x", **more)
        assert answer.status_code == 400
        assert f"`{name}` is not supported" in answer.get_json()["issue"][0]["details"]["text"]


def test_a_search_in_a_batch_is_shortened_too(world: World, document: str):
    url = f"DocumentReference?patient={world.ids['camille']}&_elements=type"
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": url}}]}
    answer = world.send("camille", "POST", "", bundle).get_json()["entry"][0]["resource"]
    assert answer["entry"][0]["resource"].keys() == {*MANDATORY, "type"}
    assert answer["entry"][0]["resource"]["id"] == document
