"""Criteria and orders that no index answers: https://hl7.org/fhir/R4/search.html#modifiers, #composite and #sort.

They are evaluated on what the caller is shown (ADR 109).
"""

from urllib.parse import quote

import pytest

from fhir_server.settings import limits
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import BASE, World

LONG = "Compte rendu opératoire d’une intervention programmée du genou droit"


def publish(world: World, description: str, **more) -> str:
    """Publish one document with a description; return its id."""
    bundle = world.bundle(world.filing(**more))
    for resource in (entry["resource"] for entry in bundle["entry"]):
        if resource["resourceType"] == "DocumentReference":
            resource["description"] = description
    answer = world.send("chu-ehr", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    places = [entry["response"].get("location", "") for entry in answer.get_json()["entry"]]
    return next(place.split("/")[-3] for place in places if "/DocumentReference/" in place)


@pytest.fixture
def filed(world: World) -> World:
    for name, description in (("knee", LONG), ("heart", "Échographie cardiaque"), ("blood", "Bilan sanguin")):
        world.ids[name] = publish(world, description)
    world.ids["newer"] = publish(world, "Échographie de contrôle", replaces=world.ids["heart"])
    return world


def found(world: World, query: str, who: str = "camille", type_: str = "DocumentReference") -> list[str]:
    """Return the names of what a search finds, in order."""
    answer = world.get(who, f"/{type_}?patient={world.ids['camille']}&{query}", Prefer="handling=strict")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    names = {id_: name for name, id_ in world.ids.items()}
    return [names.get(entry["resource"]["id"], "?") for entry in answer.get_json().get("entry", ())]


@holds("REST-21")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("description:contains=ECHO", {"heart", "newer"}),
        ("description:contains=rdiaq", {"heart"}),
        ("description:contains=rdiaq,sanguin", {"heart", "blood"}),
        ("description:contains=nowhere", set()),
        (f"description={quote(LONG)}", {"knee"}),
        (f"description={quote(LONG[:50].upper())}", {"knee"}),
        (f"description={quote(LONG[:50])}x", set()),
        ("type:text=sejour", {"knee", "heart", "blood", "newer"}),
        ("type:text=absent", set()),
        ("contenttype:below=text/plain", {"knee", "heart", "blood", "newer"}),
        ("relation=replaces", {"newer"}),
        ("relation=appends", set()),
        ("relation:missing=true", {"knee", "heart", "blood"}),
        ("relationship=replaces$DocumentReference/{heart}", {"newer"}),
        ("relationship=replaces${heart}", {"newer"}),
        ("relationship=appends$DocumentReference/{heart}", set()),
        ("relationship=replaces$DocumentReference/{blood}", set()),
        ("relationship=appends${heart},replaces${heart}", {"newer"}),
    ],
)
def test_what_no_index_answers_is_found(filed: World, query, names):
    assert set(found(filed, query.format(**filed.ids))) == names


@holds("REST-23")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("_sort=description", ["blood", "knee", "heart", "newer"]),
        ("_sort=-description", ["newer", "heart", "knee", "blood"]),
        ("_sort=status,-description", ["newer", "knee", "blood", "heart"]),
        ("_sort=-status,description", ["heart", "blood", "knee", "newer"]),
        ("_sort=type,date,description", ["blood", "knee", "heart", "newer"]),
        ("_sort=description&description:contains=echo", ["heart", "newer"]),
    ],
)
def test_a_search_sorts_by_several_keys_of_any_indexed_type(filed: World, query, names):
    assert found(filed, query) == names


@BOTH
def test_sorted_pages_are_turned_forth_and_back_with_links_of_one_length(filed: World):
    path = f"/DocumentReference?patient={filed.ids['camille']}&_sort=status,-description&_count=1"
    pages, lengths = [filed.get("camille", path).get_json()], set()
    whole = found(filed, "_sort=status,-description")
    while url := next((link["url"] for link in pages[-1]["link"] if link["relation"] == "next"), None):
        lengths.add(len(url))
        pages.append(filed.get("camille", url.removeprefix(BASE)).get_json())
    names = {id_: name for name, id_ in filed.ids.items()}
    assert [names[page["entry"][0]["resource"]["id"]] for page in pages] == whole
    assert len(lengths) == 1
    assert {page["total"] for page in pages} == {len(whole)}
    back = next(link["url"] for link in pages[-1]["link"] if link["relation"] == "previous")
    assert filed.get("camille", back.removeprefix(BASE)).get_json()["entry"] == pages[-2]["entry"]


@pytest.mark.parametrize("query", ["description:contains=echo", "_sort=description", "relation=replaces"])
def test_a_search_that_would_compare_too_much_is_refused_and_recorded(filed: World, query):
    before = limits.put_in_force(limits.Limits(examined=2))
    try:
        path = f"/DocumentReference?patient={filed.ids['camille']}&{query}"
        answer = filed.get("camille", path)
    finally:
        limits.put_in_force(before)
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["code"] == "too-costly"
    events = filed.get("camille", f"/AuditEvent?patient={filed.ids['camille']}&outcome=4&_sort=-date").get_json()
    assert events["total"] == 1


NONSENSE = (
    "type:above=x", "type:below=x", "status:contains=x", "description:text=x", "relationship:not=a$b",
    "date:contains=2", "relationship=replaces", "relationship=a$b$c", "identifier:of-type=a|b", "_sort=author",
    "_sort=nothing", "description:contains=--", "author:above=x",
)  # fmt: skip


@pytest.mark.parametrize("query", NONSENSE)
def test_what_makes_no_sense_is_refused_by_name(filed: World, query):
    answer = filed.get("camille", f"/DocumentReference?patient={filed.ids['camille']}&{query}")
    assert answer.status_code == 400
    named = query.partition("=")[0].partition(":")[0]
    assert f"`{named}`" in answer.get_json()["issue"][0]["details"]["text"]


def test_codes_are_found_by_their_value_set(filed: World):
    kinds = "urn:habilis:value-set:document-kinds"
    assert len(found(filed, f"type:in={kinds}")) == len(found(filed, ""))
    assert found(filed, f"type:not-in={kinds}") == []
    assert found(filed, f"category:in={kinds}") == []
    answer = filed.get("camille", f"/DocumentReference?patient={filed.ids['camille']}&type:in=urn:unknown")
    assert (answer.status_code, "value set" in answer.get_data(as_text=True)) == (400, True)


@pytest.mark.parametrize("query", ["name:contains=a", "_sort=name", "url:below=urn:x"])
def test_published_resources_are_found_by_whole_values_alone(shared_world: World, query):
    answer = shared_world.get("nour", f"/CodeSystem?{query}")
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (400, "not-supported")


def test_a_search_takes_few_sort_keys(filed: World):
    answer = filed.get(
        "camille", f"/DocumentReference?patient={filed.ids['camille']}&_sort=date,type,status,_id,period"
    )
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (400, "too-costly")


@BOTH
def test_nobody_finds_a_document_by_its_relation_to_a_hidden_one(filed: World):
    filed.agree("camille", "martin")
    assert found(filed, "relation=replaces", "martin") == ["newer"]
    kept = filed.consent("martin", "deny")
    kept["provision"]["data"] = [
        {"meaning": "instance", "reference": {"reference": f"DocumentReference/{filed.ids['blood']}"}}
    ]
    assert filed.send("camille", "POST", "/Consent", kept).status_code == 201
    assert "blood" not in found(filed, "description:contains=bilan", "martin")
    assert found(filed, "_sort=description", "martin") == ["knee", "heart", "newer"]


def test_people_are_found_by_a_part_of_their_name_and_by_the_type_of_their_number(world: World):
    number = {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "RPPS"}]},
        "system": "https://rpps.esante.gouv.fr",
        "value": "99700000099",
    }
    person = {
        "resourceType": "Practitioner",
        "identifier": [number],
        "name": [{"family": "D’Évreux", "given": ["Anaïs"]}],
    }
    world.record("anais", person)

    def people(query):
        bundle = world.get("nour", f"/Practitioner?{query}", Prefer="handling=strict").get_json()
        return [entry["resource"]["id"] for entry in bundle.get("entry", ())]

    for query in ("name:contains=vreu", "family:contains=EVR", "given:contains=nais", "given=ANAIS", "family=evreux",
                  "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|RPPS|99700000099"):  # fmt: skip
        assert people(query) == [world.ids["anais"]], query
    assert people("identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|PRN|99700000099") == []
    by_name = people("_sort=family,given")
    assert sorted(by_name) == sorted(people("_count=200"))


def test_a_professional_without_ground_narrows_a_patient_by_traits_alone(world: World):
    identified = "identifier=urn:oid:1.2.250.1.213.1.4.10|284039999900148"
    named = world.get("nour", f"/Patient?{identified}&address:contains=a").get_json()
    assert named["total"] == 0
