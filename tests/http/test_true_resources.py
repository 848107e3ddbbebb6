"""Resources say what they are: claims, languages, attachments, labels, people (https://hl7.org/fhir/R4/resource.html)."""

import json

import pytest

from fhir_server.r4 import claimed_profiles
from tests.world import BASE, JSON_PATCH, World

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
FRENCH = '<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">'


@pytest.mark.parametrize(
    "claimed", [f"{PDSM}/pdsm-simplified-publish", f"{MHD}/IHE.MHD.SimplifiedPublish.DocumentReference"]
)
def test_a_simplified_publication_claims_what_it_is_once_it_is_filed(world: World, claimed):
    sent = world.simplified() | {"meta": {"profile": [claimed]}}
    answer = world.send("chu-ehr", "POST", "/DocumentReference", sent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    filed = world.get("chu-ehr", f"/DocumentReference/{answer.get_json()['id']}").get_json()
    assert "url" in filed["content"][0]["attachment"]
    assert claimed not in filed["meta"]["profile"]
    assert filed["meta"]["profile"] == [f"{PDSM}/pdsm-comprehensive-document-reference"]
    assert claimed_profiles.check(filed) == []


def test_narratives_say_their_language(world: World):
    world.agree("camille", "martin")
    world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
    for type_ in ("AuditEvent", "Communication"):
        entries = world.get("camille", f"/{type_}").get_json()["entry"]
        assert entries
        assert all(entry["resource"]["text"]["div"].startswith(FRENCH) for entry in entries)


def test_the_last_label_is_not_taken_away_in_silence(world: World):
    path = f"/DocumentReference/{world.publish()}"
    labels = world.get("chu-ehr", path).get_json()["securityLabel"]
    assert len(labels) == 1
    for change in ([{"op": "remove", "path": "/securityLabel/0"}], [{"op": "remove", "path": "/securityLabel"}]):
        answer = world.send("chu-ehr", "PATCH", path, change, JSON_PATCH)
        assert answer.status_code == 422
        assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.securityLabel"]
    assert world.get("chu-ehr", path).get_json()["securityLabel"] == labels


@pytest.mark.parametrize(
    "more", [{}, {"gender": "female"}, {"name": [{"use": "official"}]}, {"identifier": [{"value": "1"}]}]
)
@pytest.mark.parametrize("who", ["keeper", "chu-ehr"])
def test_a_patient_who_is_nobody_is_refused_and_what_is_wanted_is_named(shared_world: World, who, more):
    answer = shared_world.send(who, "POST", "/Patient", {"resourceType": "Patient"} | more)
    assert answer.status_code == 422
    assert "`identifier`" in answer.get_json()["issue"][0]["details"]["text"]


def test_a_patient_keeps_being_somebody(world: World):
    id_ = world.ids["camille"]
    answer = world.send("keeper", "PUT", f"/Patient/{id_}", {"resourceType": "Patient", "id": id_, "gender": "female"})
    assert answer.status_code == 422


def test_rules_that_the_server_does_not_know_are_refused_by_name(shared_world: World):
    sent = {"resourceType": "Practitioner", "implicitRules": "https://x.example/rules"}
    answer = shared_world.send("keeper", "POST", "/Practitioner", sent)
    assert (answer.status_code, answer.get_json()["issue"][0]["expression"]) == (400, ["Practitioner.implicitRules"])


def test_the_demonstration_claims_no_profile_that_it_breaks(demo):
    recipient = "IRCP"
    for who in demo.people.patients:
        if who not in demo.people.tokens:
            continue
        entries = demo.get("Consent", who).json.get("entry", ())
        for consent in (entry["resource"] for entry in entries):
            if any("consentBasic" in claim for claim in consent["meta"].get("profile", ())):
                roles = [actor["role"]["coding"][0]["code"] for actor in consent["provision"]["actor"]]
                assert roles == [recipient] * len(roles), json.dumps(consent)


def test_a_search_of_the_whole_server_names_one_type(shared_world: World):
    query = f"patient={shared_world.ids['camille']}"
    bundle = shared_world.get("camille", f"?_type=List&{query}").get_json()
    assert bundle["link"][0]["url"] == f"{BASE}/List?{query}"
    for types in ("", "_type=Binary", "_type=List,DocumentReference", "_type=List&_type=Consent"):
        answer = shared_world.get("camille", f"?{types}")
        assert answer.status_code == 400
        assert "`_type`" in answer.get_json()["issue"][0]["details"]["text"]
