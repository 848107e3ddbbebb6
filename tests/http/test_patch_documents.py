"""PATCH of a document: hide and show, archive, withdraw (PDSm flux 03 and 04, https://interop.esante.gouv.fr/ig/fhir/pdsm/)."""

import pytest

from consent_rules.vocabulary import Capacity
from tests.holds import holds
from tests.world import FHIR_JSON, JSON_PATCH, TRE_A07, World

ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
MISSPELT = TRE_A07.replace("Statut", "Status")


def label(code, system=TRE_A07):
    return {"coding": [{"system": system, "code": code} if system else {"code": code}]}


def codes(answer):
    return [label["coding"][0]["code"] for label in answer.get_json()["securityLabel"]]


def operation(**parts):
    """Build a FHIRPath Patch of one operation; `value` is given as (name, value)."""
    built = []
    for name, value in parts.items():
        kind = "valueCode" if name == "type" else "valueString"
        built.append({"name": name, value[0]: value[1]} if name == "value" else {"name": name, kind: value})
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": built}]}


HIDE = operation(
    type="add", path="DocumentReference", name="securityLabel", value=("valueCodeableConcept", label("MASQUE_PS"))
)
SHOW = operation(type="delete", path="DocumentReference.securityLabel.where(coding.exists(code='MASQUE_PS'))")


def patch(world: World, who, document, body, mime=JSON_PATCH, **headers):
    return world.send(who, "PATCH", f"/DocumentReference/{document}", body, mime, **headers)


@holds("REST-7")
def test_hiding_by_fhirpath_patch_and_showing_by_value(world: World):
    document = world.publish()

    assert codes(patch(world, "camille", document, HIDE, FHIR_JSON)) == ["N", "MASQUE_PS"]
    assert codes(patch(world, "camille", document, SHOW, FHIR_JSON)) == ["N"]
    assert patch(world, "camille", document, SHOW, FHIR_JSON).status_code == 200


@holds("L5")
@pytest.mark.parametrize("system", [TRE_A07, MISSPELT, "", "urn:oid:1.2.250.1.213.1.1.4.13"])
@pytest.mark.parametrize("code", ["MASQUE_PS", "masque_ps"])
def test_a_mark_hides_under_every_spelling(world: World, system, code):
    """L5: the guides spell the code system in two ways."""
    document = world.publish()
    world.agree("camille", "martin")

    patch(world, "camille", document, [{"op": "add", "path": "/securityLabel/-", "value": label(code, system)}])

    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404


def test_hiding_by_the_business_identifier(world: World):
    filing = world.filing()
    document = world.publish_all("chu-ehr", filing)[0]
    query = f"?identifier=urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"

    answer = world.send("camille", "PATCH", f"/DocumentReference{query}", HIDE)

    assert answer.status_code == 200
    assert answer.get_json()["id"] == document
    assert codes(answer) == ["N", "MASQUE_PS"]


def test_an_ambiguous_business_identifier_changes_nothing(world: World):
    filing = world.filing()
    world.publish_all("chu-ehr", filing)
    world.publish_all("other-ehr", world.refiled(filing, "other-ehr"))

    answer = world.send(
        "camille", "PATCH", f"/DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{filing.unique_id}", HIDE
    )

    assert answer.status_code == 412
    assert answer.get_json()["issue"][0]["code"] == "multiple-matches"


@pytest.mark.parametrize("query", ["?identifier=,", "?colour=blue", "?_format=json", "?author.family=x", ""])
def test_a_conditional_patch_needs_criteria_that_are_known(world: World, query):
    assert world.send("camille", "PATCH", f"/DocumentReference{query}", HIDE).status_code == 400


def test_the_version_of_who_knows_the_marks_guards_the_patch(world: World):
    document = world.publish()

    assert patch(world, "camille", document, HIDE, FHIR_JSON, If_Match='W/"1"').status_code == 412
    assert patch(world, "camille", document, HIDE, FHIR_JSON, If_Match='W/"1-0"').status_code == 200
    assert patch(world, "camille", document, SHOW, FHIR_JSON, If_Match='W/"1-0"').status_code == 412
    assert patch(world, "camille", document, SHOW, FHIR_JSON, If_Match='W/"1-1"').status_code == 200


def test_replacing_the_first_label_by_a_mark_keeps_the_confidentiality(world: World):
    document = world.publish()

    answer = patch(
        world, "camille", document, [{"op": "replace", "path": "/securityLabel/0", "value": label("MASQUE_PS")}]
    )

    assert codes(answer) == ["N", "MASQUE_PS"]


@holds("E6", "L6")
def test_a_label_replaced_by_its_index_never_drops_a_mark_of_another_axis(world: World):
    document = world.publish()
    world.hide(document)
    replaced = [{"op": "replace", "path": "/securityLabel/1", "value": label("MASQUE_PT")}]

    answer = patch(world, "camille", document, replaced)

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.securityLabel"]
    assert codes(world.get("camille", f"/DocumentReference/{document}")) == ["N", "MASQUE_PS"]


def test_a_patch_that_adds_and_removes_marks_by_name_does_both(world: World):
    document = world.publish()
    world.hide(document)
    operations = [
        {"op": "add", "path": "/securityLabel/-", "value": label("MASQUE_PT")},
        {"op": "test", "path": "/securityLabel/1/coding/0/code", "value": "MASQUE_PS"},
        {"op": "remove", "path": "/securityLabel/1"},
    ]

    assert codes(patch(world, "camille", document, operations)) == ["N", "MASQUE_PT"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/type", {"text": "other"}),
        ("/subject/reference", "Patient/1"),
        ("/content/0/attachment/url", "https://elsewhere.example/"),
        ("/masterIdentifier/value", "urn:oid:1"),
        ("/custodian", {"display": "x"}),
        ("/meta/security", [{"code": "R"}]),
        ("/description", "x"),
    ],
)
@holds("PDSM-2")
def test_no_other_element_can_be_changed(world: World, path, value):
    document = world.publish()

    answer = patch(world, "chu-ehr", document, [{"op": "add", "path": path, "value": value}])

    assert answer.status_code == 405
    issue = answer.get_json()["issue"][0]
    assert issue["code"] == "not-supported"
    assert issue["expression"] == [f"DocumentReference.{path.split('/')[1]}"]


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ({"op": "add"}, 400),
        ([{"op": "paint", "path": "/status", "value": "x"}], 400),
        ([{"op": "replace", "path": "/extension/0", "value": {}}], 422),
        ([{"op": "test", "path": "/status", "value": "superseded"}], 422),
        ([{"op": "replace", "path": "/securityLabel", "value": "MASQUE_PS"}], 422),
        ([{"op": "replace", "path": "/status", "value": "current "}], 422),
        ([{"op": "replace", "path": "/id", "value": "x"}], 400),
        ([{"op": "add", "path": "/securityLabel/-", "value": label("ALL")}], 422),
    ],
)
def test_what_is_no_patch_changes_nothing(world: World, operations, status):
    document = world.publish()
    before = world.get("camille", f"/DocumentReference/{document}").get_data()

    assert patch(world, "camille", document, operations).status_code == status
    assert world.get("camille", f"/DocumentReference/{document}").get_data() == before


@pytest.mark.parametrize("mime", ["text/plain", "application/strategic-merge-patch+json"])
def test_other_patch_formats_are_refused(world: World, mime):
    assert patch(world, "camille", world.publish(), b"<x/>", mime).status_code == 415


@pytest.mark.parametrize("who", ["camille", "chu-ehr"])
def test_archiving_makes_a_new_version_for_everybody(world: World, who):
    document = world.publish()
    extension = [{"url": ARCHIVED, "valueBoolean": True}]

    answer = patch(world, who, document, [{"op": "add", "path": "/extension", "value": extension}])

    assert answer.status_code == 200
    assert answer.get_json()["extension"] == extension
    assert answer.headers["ETag"] == 'W/"2-0"'
    back = patch(world, who, document, [{"op": "replace", "path": "/extension/0/valueBoolean", "value": False}])
    assert back.get_json()["extension"][0]["valueBoolean"] is False


@pytest.mark.parametrize("value", ["true", 1, None])
def test_the_archive_flag_is_a_boolean(world: World, value):
    operations = [{"op": "add", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": value}]}]
    assert patch(world, "camille", world.publish(), operations).status_code == 422


def test_a_reader_who_did_not_deposit_neither_archives_nor_hides(world: World):
    document = world.publish()
    world.agree("camille", "martin")
    archive = [{"op": "add", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": True}]}]

    assert patch(world, "martin", document, archive).status_code == 403
    assert patch(world, "martin", document, HIDE, FHIR_JSON).status_code == 403


def test_only_the_depositor_corrects_the_confidentiality(world: World):
    document = world.publish()
    restricted = [{"op": "replace", "path": "/securityLabel/0", "value": label("R", CONFIDENTIALITY)}]

    assert patch(world, "camille", document, restricted).status_code == 403
    assert codes(patch(world, "chu-ehr", document, restricted)) == ["R"]


@pytest.mark.parametrize("by", ["patch", "delete"])
@holds("PDSM-5")
def test_the_author_withdraws_a_document_which_is_gone_for_everybody(world: World, by):
    document = world.publish()
    binary = world.get("chu-ehr", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["url"]
    withdrawn = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]

    if by == "patch":
        answer = patch(world, "chu-ehr", document, withdrawn)
        assert answer.get_json()["status"] == "entered-in-error"
    else:
        answer = world.send("chu-ehr", "DELETE", f"/DocumentReference/{document}")
        assert answer.status_code == 204

    for who in ("camille", "chu-ehr"):
        assert world.found(who, f"/DocumentReference?patient={world.ids['camille']}") == []
        assert world.get(who, f"/DocumentReference/{document}").status_code == 410
        assert world.get(who, binary.partition("/fhir")[2]).status_code in (404, 410)
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404


@pytest.mark.parametrize("who", ["camille", "martin"])
def test_nobody_else_withdraws_it(world: World, who):
    document = world.publish()
    world.agree("camille", "martin")
    withdrawn = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]

    assert patch(world, who, document, withdrawn).status_code == 403
    assert world.send(who, "DELETE", f"/DocumentReference/{document}").status_code == 403
    assert world.get(who, f"/DocumentReference/{document}").status_code == 200


def test_sharing_an_app_makes_no_depositor(world: World):
    document = world.publish("nour")
    world.agree("camille", "martin")

    assert world.send("martin", "DELETE", f"/DocumentReference/{document}").status_code == 403
    assert world.send("nour", "DELETE", f"/DocumentReference/{document}").status_code == 204


@pytest.mark.parametrize("way", ["PATCH", "DELETE"])
def test_a_colleague_who_wrote_nothing_of_it_withdraws_no_document_of_the_establishment(world: World, way):
    """J2: the author alone; what the software of an establishment filed is not every colleague's to withdraw."""
    document = world.publish()
    if way == "PATCH":
        withdrawn = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
        answer = patch(world, "nour", document, withdrawn)
    else:
        answer = world.send("nour", "DELETE", f"/DocumentReference/{document}")

    assert answer.status_code == 403
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "not-author"
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 200


@pytest.mark.parametrize("by", ["number", "role", "role by id"])
def test_whoever_wrote_a_document_of_the_establishment_withdraws_it(world: World, by):
    number = [{"system": "https://rpps.esante.gouv.fr", "value": "10009999999"}]
    world.record("vera", {"resourceType": "Practitioner", "identifier": number, "name": [{"family": "Vera"}]})
    world.in_mode("vera", "vera", ("10", "chu", Capacity.NONE))
    world.practice("vera", "chu")
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{world.ids['vera']}"}}
    author = {
        "number": {"resourceType": "Practitioner", "identifier": number, "name": [{"family": "Vera"}]},
        "role": role | {"practitioner": {"identifier": number[0]}},
        "role by id": role,
    }[by]
    document = world.publish(author=author | {"id": "author"})

    assert world.send("nour", "DELETE", f"/DocumentReference/{document}").status_code == 403
    assert world.send("vera", "DELETE", f"/DocumentReference/{document}").status_code == 204


def test_deleting_twice_is_no_fault(world: World):
    document = world.publish()
    for _ in range(2):
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code == 204


@pytest.mark.parametrize(("first", "second"), [("superseded", "current"), ("current", "unknown")])
def test_a_status_goes_one_way(world: World, first, second):
    document = world.publish()
    status = [{"op": "replace", "path": "/status", "value": first}]
    assert patch(world, "chu-ehr", document, status).status_code == 200

    answer = patch(world, "chu-ehr", document, [{"op": "replace", "path": "/status", "value": second}])

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.status"]


@holds("E9")
def test_a_result_to_announce_is_closed_to_the_patient_until_it_is_lifted(world: World):
    world.agree("camille", "nour")
    document = world.publish("nour", marks=("INVISIBLE_PATIENT",))

    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 404
    assert codes(world.get("nour", f"/DocumentReference/{document}")) == ["N", "INVISIBLE_PATIENT"]
    lifted = patch(world, "nour", document, [{"op": "remove", "path": "/securityLabel/1"}])
    assert lifted.status_code == 200, lifted.get_data(as_text=True)
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 200


@holds("E11")
def test_a_result_to_announce_opens_by_itself_after_a_month(world: World, clock):
    document = world.publish("nour", marks=("INVISIBLE_PATIENT",))
    clock.advance(days=30)
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 404
    clock.advance(days=2)
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 200


def test_what_the_patient_saw_is_not_closed_to_the_patient(world: World):
    document = world.publish("nour")
    sealed = [{"op": "add", "path": "/securityLabel/-", "value": label("INVISIBLE_PATIENT")}]

    assert patch(world, "nour", document, sealed).status_code == 422
    bundle = world.bundle(world.filing(replaces=document, marks=("INVISIBLE_PATIENT",)))
    assert world.send("nour", "POST", "", bundle).status_code == 422


def test_the_patient_hides_a_document_under_a_patient_token_for_this_space_only(world: World):
    world.patient("marc", "184039999900123")
    document = world.publish()

    answer = world.hide(document, "marc")

    assert answer.status_code == 404
    assert answer.get_data() == world.hide("3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e", "marc").get_data()


def test_a_patch_that_changes_nothing_is_a_reading_and_says_so(world):
    """A11: a `test` alone answers the document, so it is told as a first access, and as no change."""
    assert world.agree("camille", "martin").status_code == 201
    document = world.publish()
    asked = [{"op": "test", "path": "/status", "value": "current"}]
    for notices in (1, 1):
        assert world.send("martin", "PATCH", f"/DocumentReference/{document}", asked, JSON_PATCH).status_code == 200
        told = world.get("camille", f"/Communication?patient={world.ids['camille']}").get_json()
        assert told["total"] == notices
    of_martin = f"/AuditEvent?patient={world.ids['camille']}&agent=Practitioner/{world.ids['martin']}&_count=1"
    (event,) = [entry["resource"] for entry in world.get("camille", of_martin).get_json()["entry"]]
    assert event["action"] == "R"
    assert event["outcomeDesc"] == "nothing-changed"
    assert "visibilité" not in event["text"]["div"]
