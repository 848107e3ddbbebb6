"""Searches by what is kept beside a document: visibility marks, and who the directory says the author is.

Source: https://hl7.org/fhir/R4/search.html; IHE MHD 4.2, ITI-66 and ITI-67; PDSm 3.1.1, flux 05 and 06.
"""

import pytest

from tests.holds import holds
from tests.world import JSON_PATCH, TRE_A07, World

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
RPPS = "https://rpps.esante.gouv.fr"


def rename(world: World, name: str, family: str):
    change = [{"op": "add", "path": "/name", "value": [{"family": family, "given": ["Ada"]}]}]
    assert world.send("keeper", "PATCH", f"/Practitioner/{world.ids[name]}", change, JSON_PATCH).status_code == 200


def role_of(world: World, name: str) -> str:
    person = {"reference": f"Practitioner/{world.ids[name]}"}
    return world.record(f"role of {name}", {"resourceType": "PractitionerRole", "practitioner": person})


def publish_by(world: World, author, contained=()):
    """Publish one document, and its lot, of an author who is referred to; return both ids."""
    bundle = world.bundle()
    del bundle["meta"]
    bundle["meta"] = {"profile": [f"{MHD}/IHE.MHD.UnContained.Comprehensive.ProvideBundle"]}
    for resource in (entry["resource"] for entry in bundle["entry"]):
        resource.pop("meta", None)
        if resource["resourceType"] == "DocumentReference":
            kept = [one for one in resource["contained"] if one["id"] != "author"]
            resource |= {"author": [author], "contained": [*kept, *contained]}
        elif resource["resourceType"] == "List":
            resource |= {"source": author, "contained": [*contained]}
            if not contained:
                del resource["contained"]
    answer = world.send("chu-ehr", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    places = [entry["response"]["location"].split("/fhir/")[1].split("/") for entry in answer.get_json()["entry"]]
    return [next(place[1] for place in places if place[0] == type_) for type_ in ("DocumentReference", "List")]


def found(world: World, type_: str, query: str, who: str = "camille"):
    answer = world.get(who, f"/{type_}?patient={world.ids['camille']}&{query}", Prefer="handling=strict")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {entry["resource"]["id"] for entry in answer.get_json().get("entry", ())}


def both(world: World, query: str):
    """Return what the same question finds among documents, and among lots."""
    return found(world, "DocumentReference", f"author.{query}"), found(world, "List", f"source.{query}")


@holds("ITI-66", "ITI-67")
def test_an_author_is_found_by_name_and_number_whether_contained_or_of_the_directory(world: World):
    identifier = [{"system": RPPS, "value": "99700000032"}]
    change = [{"op": "add", "path": "/identifier", "value": identifier}]
    world.send("keeper", "PATCH", f"/Practitioner/{world.ids['nour']}", change, JSON_PATCH)
    rename(world, "nour", "Haddad")
    rename(world, "martin", "Martin")
    for name in ("nour", "martin"):
        world.practice(name, "chu")
    contained = world.publish()
    by_person = publish_by(world, {"reference": f"Practitioner/{world.ids['nour']}"})
    by_role = publish_by(world, {"reference": f"PractitionerRole/{role_of(world, 'nour')}"})
    role = {
        "resourceType": "PractitionerRole",
        "id": "r",
        "practitioner": {"reference": f"Practitioner/{world.ids['nour']}"},
    }
    by_contained_role = publish_by(world, {"reference": "#r"}, [role])
    by_another = publish_by(world, {"reference": f"Practitioner/{world.ids['martin']}"})

    wanted = {by_person[0], by_role[0], by_contained_role[0]}
    lots = {by_person[1], by_role[1], by_contained_role[1]}
    documents, lists = both(world, "family=hadd")
    assert documents == wanted | {contained}
    assert lists > lots
    assert by_another[1] not in lists
    assert both(world, "given=Ada") == (wanted | {by_another[0]}, lots | {by_another[1]})
    assert both(world, f"identifier={RPPS}|99700000032") == (wanted, lots)
    assert both(world, "family:exact=Martin") == ({by_another[0]}, {by_another[1]})


def test_a_person_who_takes_another_name_is_found_by_that_one_only(world: World):
    world.practice("nour", "chu")
    document, lot = publish_by(world, {"reference": f"Practitioner/{world.ids['nour']}"})
    rename(world, "nour", "Curie")
    assert both(world, "family=Curie") == ({document}, {lot})
    assert both(world, "family=Nour") == (set(), set())


def test_the_author_of_a_hidden_document_is_found_by_those_who_see_it_only(world: World):
    rename(world, "nour", "Curie")
    world.practice("nour", "chu")
    document, _ = publish_by(world, {"reference": f"Practitioner/{world.ids['nour']}"})
    world.agree("camille", "martin")
    assert found(world, "DocumentReference", "author.family=Curie", "martin") == {document}
    assert world.hide(document).status_code == 200
    assert found(world, "DocumentReference", "author.family=Curie", "martin") == set()
    assert found(world, "DocumentReference", "author.family=Curie") == {document}


def test_a_description_that_means_too_many_is_refused(world: World, monkeypatch):
    monkeypatch.setattr("fhir_server.application.reading.joining.chained_search.MOST", 1)
    for name in ("nour", "martin"):
        rename(world, name, "Same")
    answer = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&author.family=Same")
    assert answer.status_code == 400
    assert "more than 1 " in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("query", ["author.family:missing=true", "author.identifier:not=a|b"])
def test_what_cannot_be_told_of_others_is_refused(shared_world: World, query):
    assert shared_world.get("camille", f"/DocumentReference?{query}").status_code == 400


@holds("AC05")
@pytest.mark.parametrize("label", ["MASQUE_PS", f"{TRE_A07}|MASQUE_PS", f"{TRE_A07}|"])
def test_whoever_is_shown_a_mark_finds_by_it_and_nobody_else_does(world: World, label):
    world.agree("camille", "martin")
    hidden, plain = world.publish(), world.publish()
    assert world.hide(hidden).status_code == 200
    for who in ("camille", "chu-ehr"):
        assert found(world, "DocumentReference", f"security-label={label}", who) == {hidden}
        assert found(world, "DocumentReference", f"security-label:not={label}", who) == {plain}
    assert found(world, "DocumentReference", f"security-label={label}", "martin") == set()
    assert found(world, "DocumentReference", f"security-label:not={label}", "martin") == {plain}


def test_a_mark_that_one_may_not_know_is_not_found_though_the_document_is_seen(world: World):
    """MASQUE_PT hides from third parties alone: a professional sees the document, and not that it is marked."""
    world.agree("camille", "martin")
    document = world.publish()
    assert world.hide(document, mark="MASQUE_PT").status_code == 200
    query = "security-label=MASQUE_PT"
    assert found(world, "DocumentReference", query) == {document}
    assert found(world, "DocumentReference", query, "martin") == set()
    assert found(world, "DocumentReference", "security-label:not=MASQUE_PT", "martin") == {document}
    assert found(world, "DocumentReference", "security-label:missing=false", "martin") == found(
        world, "DocumentReference", "security-label:missing=false"
    )


@holds("PDSM-3")
def test_a_document_that_does_not_say_that_it_is_archived_is_not(world: World):
    plain = world.publish()
    for query, wanted in (
        ("isArchived=false", {plain}),
        ("isArchived:not=false", set()),
        ("isArchived=true", set()),
        ("isArchived=true,false", {plain}),
        ("isArchived:missing=true", {plain}),
    ):
        assert found(world, "DocumentReference", query) == wanted


@pytest.mark.parametrize("name", ["date", "agent", "_profile"])
def test_the_journal_knows_what_its_events_have(world: World, name):
    world.get("camille", f"/DocumentReference?patient={world.ids['camille']}")
    present = world.get("camille", f"/AuditEvent?{name}:missing=false").get_json()["entry"]
    absent = world.get("camille", f"/AuditEvent?{name}:missing=true").get_json()
    assert present
    for entry in absent.get("entry", ()):
        assert name == "_profile"
        assert "profile" not in entry["resource"]["meta"]


def test_an_event_is_found_by_the_profile_that_it_claims(world: World):
    world.get("camille", f"/DocumentReference/{world.publish()}")
    profile = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"
    entries = world.get("camille", f"/AuditEvent?_profile={profile}").get_json()["entry"]
    assert [entry["resource"]["meta"]["profile"] for entry in entries] == [[profile]] * len(entries)


def test_a_patient_may_ask_whether_there_is_an_identifier(world: World):
    assert world.found("camille", "/Patient?identifier:missing=false") == [world.ids["camille"]]
    assert world.found("camille", "/Patient?identifier:missing=true") == []
