"""Replacing, appending, transforming, folders (ITI-65): https://profiles.ihe.net/ITI/MHD/ITI-65.html."""

from dataclasses import replace

import pytest

from fhir_server.application.documents import publication
from fhir_server.application.spaces import lifecycle
from fhir_server.domain.caller import Origin
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.r4.xml import to_xml
from tests.holds import holds
from tests.world import BASE, LABORATORY, OF_PATIENT, World

FOLDER = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
GLASSES = ("http://loinc.org", "57833-6", "Ordonnance : verres correcteurs")


def status(world: World, document):
    return world.get("camille", f"/DocumentReference/{document}").get_json()["status"]


def without(bundle, *, patch=False, relation=False):
    """Take the PATCH entry or the relation out of a replacement."""
    if patch:
        bundle["entry"] = [entry for entry in bundle["entry"] if entry["request"]["method"] != "PATCH"]
    if relation:
        del bundle["entry"][1]["resource"]["relatesTo"]
    return bundle


@holds("J3")
@pytest.mark.parametrize("way", ["both", "relation alone", "patch alone"])
@holds("MHD-65-3")
def test_a_replacement_supersedes_the_older_document(world: World, way):
    older = world.publish()
    bundle = world.bundle(world.filing(replaces=older))
    without(bundle, patch=way == "relation alone", relation=way == "patch alone")

    answer = world.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert status(world, older) == "superseded"
    history = world.get("camille", f"/DocumentReference/{older}/_history").get_json()
    assert [entry["resource"]["status"] for entry in history["entry"]] == ["superseded", "current"]
    if way != "relation alone":
        patched = answer.get_json()["entry"][3]["response"]
        assert patched["status"] == "200 OK"
        assert patched["location"].startswith(f"{BASE}/DocumentReference/{older}/_history/2")


def test_the_older_document_keeps_its_content(world: World):
    older = world.publish(content=b"first")
    world.publish(replaces=older)

    url = world.get("camille", f"/DocumentReference/{older}").get_json()["content"][0]["attachment"]["url"]

    assert world.get("camille", url.removeprefix(BASE), Accept="text/plain").get_data() == b"first"


@holds("AC09")
def test_a_replacement_of_another_type_changes_who_sees_the_whole_family(world: World):
    older = world.publish(type_=GLASSES)
    world.agree("camille", "zoe")
    search = f"/DocumentReference?patient={world.ids['camille']}"
    assert world.found("zoe", search) == [older]

    newer = world.publish(replaces=older, type_=LABORATORY)

    assert world.found("zoe", search) == []
    assert world.get("zoe", f"/DocumentReference/{older}").status_code == 404
    assert set(world.found("camille", search)) == {older, newer}


def test_a_superseded_document_is_not_replaced_again(world: World):
    older = world.publish()
    world.publish(replaces=older)

    answer = world.send("chu-ehr", "POST", "", world.bundle(world.filing(replaces=older)))

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "XDSRegistryDeprecatedDocumentError"


def test_two_documents_do_not_replace_the_same_one(world: World):
    older = world.publish()
    bundle = without(world.bundle(world.filing(replaces=older), world.filing(replaces=older)), patch=True)

    answer = world.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == 422
    assert status(world, older) == "current"


def test_nobody_replaces_what_another_deposited(world: World):
    older = world.publish()
    world.agree("camille", "martin")

    answer = world.send("martin", "POST", "", world.bundle(world.filing(place="other", replaces=older)))

    assert answer.status_code == 403
    assert status(world, older) == "current"


def test_the_document_of_another_patient_is_unknown(world: World):
    world.patient("marc", "184039999900123")
    foreign = world.publish(patient="marc")

    answer = world.send("chu-ehr", "POST", "", world.bundle(world.filing(replaces=foreign)))

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["details"]["text"] == "the reference names nothing that is known here"


@pytest.mark.parametrize("code", ["appends", "transforms", "signs"])
def test_other_relations_leave_the_target_current(world: World, code):
    first = world.publish()
    bundle = world.bundle()
    relation = {"code": code, "target": {"reference": f"DocumentReference/{first}"}}
    bundle["entry"][1]["resource"]["relatesTo"] = [relation]

    assert world.send("chu-ehr", "POST", "", bundle).status_code == 200
    assert status(world, first) == "current"


def test_a_relation_to_a_document_of_the_same_submission_is_rewritten(world: World):
    bundle = world.bundle(world.filing(), world.filing())
    target = bundle["entry"][1]["fullUrl"]
    bundle["entry"][3]["resource"]["relatesTo"] = [{"code": "transforms", "target": {"reference": target}}]

    answer = world.send("chu-ehr", "POST", "", bundle).get_json()

    first, second = (
        answer["entry"][index]["response"]["location"].removeprefix(f"{BASE}/").split("/_history")[0]
        for index in (1, 3)
    )
    read = world.get("camille", f"/{second}").get_json()
    assert read["relatesTo"][0]["target"]["reference"] == first


def folder(bundle, *items):
    """Build a folder beside a submission."""
    lot = bundle["entry"][0]["resource"]
    resource = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "title": "Genou",
        "code": {"coding": [{"system": FOLDER, "code": "folder"}]},
        "subject": lot["subject"],
        "date": lot["date"],
        "entry": [{"item": {"reference": item}} for item in items],
    }
    return {"fullUrl": "urn:uuid:f", "resource": resource, "request": {"method": "POST", "url": "List"}}


def new_folder(world: World):
    bundle = world.bundle()
    bundle["entry"].append(folder(bundle, bundle["entry"][1]["fullUrl"]))
    bundle["entry"][0]["resource"]["entry"].append({"item": {"reference": "urn:uuid:f"}})
    answer = world.send("chu-ehr", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["entry"][-1]["response"]["location"].split("/List/")[1].split("/")[0]


def test_a_folder_comes_with_a_submission(world: World):
    place = new_folder(world)

    read = world.get("camille", f"/List/{place}").get_json()

    assert read["entry"][0]["item"]["reference"].startswith("DocumentReference/")
    lots = world.get("camille", f"/List?patient={world.ids['camille']}&code=submissionset").get_json()
    assert {"item": {"reference": f"List/{place}"}} in lots["entry"][0]["resource"]["entry"]


@holds("MHD-65-4")
def test_a_folder_only_grows(world: World):
    place = new_folder(world)
    bundle = world.bundle()
    grown = folder(bundle, bundle["entry"][1]["fullUrl"])
    grown["resource"]["id"] = place
    grown["request"] = {"method": "PUT", "url": f"List/{place}"}
    bundle["entry"].append(grown)

    answer = world.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert len(world.get("camille", f"/List/{place}").get_json()["entry"]) == 2


@pytest.mark.parametrize(("who", "status_code"), [("camille", 403), ("other-ehr", 422)])
def test_a_folder_is_changed_by_whoever_made_it(world: World, who, status_code):
    place = new_folder(world)
    given = {"type_": OF_PATIENT, "mime": "application/pdf"}
    bundle = world.bundle(world.filing(**given | world.as_filed_by(who)))
    grown = folder(bundle, bundle["entry"][1]["fullUrl"])
    grown["resource"]["id"] = place
    grown["request"] = {"method": "PUT", "url": f"List/{place}"}
    bundle["entry"].append(grown)

    assert world.send(who, "POST", "", bundle).status_code == status_code


def test_the_patient_may_be_found_by_identifier_or_come_along(world: World):
    bundle = world.bundle()
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "184039999900222"}],
    }
    entry = {"fullUrl": "urn:uuid:p", "resource": patient, "request": {"method": "POST", "url": "Patient"}}
    bundle["entry"].append(entry)
    for index in (0, 1):
        bundle["entry"][index]["resource"]["subject"] = {"reference": "urn:uuid:p"}

    answer = world.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    created = answer.get_json()["entry"][-1]["response"]["location"].split("/Patient/")[1].split("/")[0]
    again = world.bundle()
    for index in (0, 1):
        named = "Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|184039999900222"
        again["entry"][index]["resource"]["subject"] = {"reference": named}
    assert world.send("chu-ehr", "POST", "", again).status_code == 200
    assert len(world.found("chu-ehr", f"/DocumentReference?patient={created}")) == 2


def test_a_submission_is_accepted_in_xml(world: World):

    answer = world.send("chu-ehr", "POST", "", to_xml(world.bundle()), "application/fhir+xml")

    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_a_wrong_size_only_warns_where_the_operator_says_so(world: World):

    bundle = world.bundle()
    bundle["entry"][1]["resource"]["content"][0]["attachment"]["size"] = 1
    lenient = replace(world.runtime, refuse_wrong_size=False)
    caller = caller_of(lenient, f"Bearer {world.tokens['chu-ehr']}", Origin())

    published = publication.publish(lenient, caller, bundle)

    assert [note.expression for note in published.entries[1].notes] == [
        "Bundle.entry[1].resource.content[0].attachment.size"
    ]


def test_a_closed_space_takes_no_document_and_an_unread_right_is_no_obstacle(world: World):

    world.publish("martin", place="other")
    camille = caller_of(world.runtime, f"Bearer {world.tokens['camille']}", Origin())
    lifecycle.close(world.runtime, camille, world.ids["camille"])

    answer = world.send("chu-ehr", "POST", "", world.bundle())

    assert answer.status_code == 403
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "consent-required"
