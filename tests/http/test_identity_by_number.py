"""Who has no ground but to look a patient up is shown the identity traits: enough to be sure of the person (I8)."""

import pytest

from tests.world import INS, World

NUMBER = "284039999900148"
BY_NUMBER = f"/Patient?identifier={INS}|{NUMBER}"
BIRTH_PLACE = {
    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
    "valueAddress": {"city": "Lyon", "extension": [{"url": "https://hl7.fr/insee", "valueString": "69381"}]},
}
RECORD = {
    "resourceType": "Patient",
    "active": True,
    "language": "fr",
    "identifier": [{"system": INS, "value": NUMBER}, {"system": "urn:oid:1.2.3.4", "value": "IPP-7"}],
    "name": [{"family": "Laurent", "given": ["Camille"]}],
    "gender": "female",
    "birthDate": "1984-03-17",
    "extension": [BIRTH_PLACE, {"url": "http://hl7.org/fhir/StructureDefinition/patient-religion",
                                "valueCodeableConcept": {"text": "told to nobody"}}],
    "telecom": [{"system": "phone", "value": "+33600000000"}],
    "address": [{"line": ["1 rue du Refuge"], "city": "Lyon"}],
    "maritalStatus": {"text": "divorced"},
    "contact": [{"name": {"family": "Mercier"}}],
    "communication": [{"language": {"text": "arabe"}}],
    "deceasedBoolean": False,
}  # fmt: skip
TRAITS = {"resourceType", "id", "meta", "language", "active", "identifier", "name", "gender", "birthDate", "extension"}


@pytest.fixture
def recorded(world: World) -> World:
    """Return the world in which Camille's record says much about her."""
    id_ = world.ids["camille"]
    whole = RECORD | {"id": id_, "generalPractitioner": [{"reference": f"Practitioner/{world.ids['nour']}"}]}
    assert world.send("keeper", "PUT", f"/Patient/{id_}", whole).status_code == 200
    return world


def found(world: World, who: str, path: str = BY_NUMBER):
    answer = world.get(who, path)
    assert answer.status_code == 200
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


def is_whole(patient) -> bool:
    return {"address", "telecom", "contact", "generalPractitioner"} <= set(patient)


def test_a_professional_without_a_ground_is_shown_the_traits_and_told_that_there_is_more(recorded: World):
    (patient,) = found(recorded, "nour")
    assert set(patient) == TRAITS
    assert patient["identifier"] == [{"system": INS, "value": NUMBER}]
    assert patient["name"] == RECORD["name"]
    assert patient["extension"] == [BIRTH_PLACE]
    assert patient["meta"]["tag"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    ]
    assert recorded.get("nour", f"/Patient/{patient['id']}").status_code == 404


def test_blocked_and_not_agreed_to_are_shown_the_same(recorded: World):
    before = found(recorded, "nour")
    assert recorded.agree("camille", "nour", "deny").status_code == 201
    assert found(recorded, "nour") == before


def test_with_a_ground_the_whole_is_shown_as_it_is_by_its_id(recorded: World):
    assert recorded.agree("camille", "nour").status_code == 201
    (patient,) = found(recorded, "nour")
    assert is_whole(patient)
    assert patient == recorded.get("nour", f"/Patient/{patient['id']}").get_json()


def test_the_identifier_by_which_somebody_asks_is_shown_too(recorded: World):
    (patient,) = found(recorded, "nour", "/Patient?identifier=urn:oid:1.2.3.4|IPP-7")
    assert {one["value"] for one in patient["identifier"]} == {NUMBER, "IPP-7"}


@pytest.mark.parametrize("who", ["camille", "keeper", "chu-ehr"])
def test_the_holder_and_software_are_shown_the_whole(recorded: World, who):
    (patient,) = found(recorded, who)
    assert is_whole(patient)


TRUE_AND_FALSE = [
    ("address-city=Lyon", "address-city=Paris"),
    ("telecom=%2B33600000000", "telecom=%2B33600000001"),
    ("phone:missing=false", "phone:missing=true"),
    ("language=ar", "language:not=ar"),
    ("identifier=urn:oid:1.2.3.4|IPP-7", "identifier=urn:oid:1.2.3.4|IPP-8"),
    ("general-practitioner:missing=false", "general-practitioner:missing=true"),
]


@pytest.mark.parametrize("pair", TRUE_AND_FALSE)
@pytest.mark.parametrize("more", ["", "&_summary=count"])
def test_what_is_not_shown_cannot_be_searched_by(recorded: World, pair, more):
    totals = [recorded.get("nour", f"{BY_NUMBER}&{query}{more}").get_json()["total"] for query in pair]
    assert totals == [0, 0]


def test_traits_can_be_searched_by_and_with_a_ground_everything(recorded: World):
    traits = "&birthdate=1984-03-17&family=laurent&given=camille&gender=female&active=true"
    assert len(found(recorded, "nour", f"{BY_NUMBER}{traits}")) == 1
    assert found(recorded, "nour", f"{BY_NUMBER}&birthdate=1984-03-18") == []
    assert recorded.agree("camille", "nour").status_code == 201
    assert len(found(recorded, "nour", f"{BY_NUMBER}&address-city=Lyon")) == 1


def test_a_batch_shows_no_more(recorded: World):
    entry = {"request": {"method": "GET", "url": BY_NUMBER.removeprefix("/")}}
    answer = recorded.send("nour", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    (inner,) = answer.get_json()["entry"][0]["resource"]["entry"]
    assert set(inner["resource"]) == TRAITS


def test_elements_and_xml_show_no_more(recorded: World):
    (patient,) = found(recorded, "nour", f"{BY_NUMBER}&_elements=name,address")
    assert set(patient) == {"resourceType", "id", "meta", "name", "active"}  # a modifier element always stays
    assert len(patient["meta"]["tag"]) == 1
    answer = recorded.get("nour", BY_NUMBER, Accept="application/fhir+xml").get_data(as_text=True)
    assert "Laurent" in answer
    assert "Refuge" not in answer


def test_a_token_that_may_not_search_patients_is_shown_nothing(recorded: World):
    recorded.in_mode("narrow", "nour", ("10", "chu", ""), scopes="user/DocumentReference.rs")
    assert recorded.get("narrow", BY_NUMBER).status_code == 403
