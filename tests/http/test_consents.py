"""Choices about access over HTTP (ITI-108): each holds from the next request on (rules C1 to C4, F1 to F5, D4, G4)."""

import pytest

from tests.holds import holds
from tests.world import FHIR_JSON, JSON_PATCH, TERMINOLOGY, World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
INACTIVE = [{"op": "replace", "path": "/status", "value": "inactive"}]


def reads(world: World, who):
    """Return the status of a search of the space."""
    return world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code


@holds("C1", "ITI-108")
def test_without_a_consent_nobody_enters_and_with_one_the_professional_does(world: World):
    assert reads(world, "martin") == 403

    answer = world.agree("camille", "martin")

    assert answer.status_code == 201
    assert answer.headers["ETag"] == 'W/"1"'
    assert reads(world, "martin") == 200


@holds("C2")
def test_a_consent_of_the_team_reaches_every_member(world: World):
    world.agree("camille", "chu")

    assert reads(world, "nour") == 200
    assert reads(world, "martin") == 403


@holds("C6")
def test_a_professional_writes_down_what_the_patient_agreed_to(world: World):
    answer = world.agree("martin", "martin")

    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert reads(world, "martin") == 200
    assert world.get("martin", f"/Consent/{answer.get_json()['id']}").status_code == 200
    assert world.get("nour", f"/Consent/{answer.get_json()['id']}").status_code == 404


@holds("C4")
def test_a_consent_to_one_professional_does_not_hold_for_ever(world: World, clock):
    world.agree("martin", "martin")
    clock.advance(days=400)

    assert reads(world, "martin") == 403


@holds("F1")
@pytest.mark.parametrize("how", ["patch", "update", "fhirpath"])
@holds("PCF-2")
def test_a_withdrawal_holds_at_the_next_request(world: World, how):
    consent = world.agree("camille", "martin").get_json()
    path = f"/Consent/{consent['id']}"
    if how == "patch":
        answer = world.send("camille", "PATCH", path, INACTIVE, JSON_PATCH, If_Match='W/"1"')
    elif how == "update":
        answer = world.send("camille", "PUT", path, consent | {"status": "inactive"})
    else:
        parts = [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Consent.status"},
            {"name": "value", "valueCode": "inactive"},
        ]
        body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
        answer = world.send("camille", "PATCH", path, body, FHIR_JSON)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["ETag"] == 'W/"2"'
    assert reads(world, "martin") == 403


@holds("F1", "F6")
def test_the_holder_reads_to_whom_the_space_is_open_and_since_when(world: World):
    for actor, day in (("martin", "2026-03-01"), ("chu", "2026-02-01")):
        assert world.agree("camille", actor, dateTime=f"{day}T09:00:00Z").status_code == 201
    found = world.get("camille", f"/Consent?patient={world.ids['camille']}&_count=50").get_json()["entry"]
    listed = {
        actor["reference"]["reference"]: entry["resource"]["dateTime"][:10]
        for entry in found
        for actor in entry["resource"]["provision"].get("actor", ())
        if "reference" in actor["reference"]
    }
    assert listed == {
        f"Practitioner/{world.ids['martin']}": "2026-03-01",
        f"Organization/{world.ids['chu']}": "2026-02-01",
    }


@holds("F3")
def test_a_block_beats_every_agreement_and_is_not_told(world: World):
    world.agree("camille", "martin")
    stranger = world.get("zoe", f"/DocumentReference?patient={world.ids['camille']}")

    world.agree("camille", "martin", "deny")

    blocked = world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
    assert (blocked.status_code, blocked.get_data()) == (stranger.status_code, stranger.get_data())


@holds("F5")
def test_lifting_a_block_does_not_revive_the_agreement(world: World, clock):
    world.agree("camille", "martin")
    block = world.agree("camille", "martin", "deny").get_json()
    world.send("camille", "PATCH", f"/Consent/{block['id']}", INACTIVE, JSON_PATCH)
    assert reads(world, "martin") == 403
    clock.advance(minutes=1)

    world.send("camille", "POST", "/Consent", world.consent("martin") | {"dateTime": "2026-03-02T09:01:00Z"})

    assert reads(world, "martin") == 200


@holds("E3")
def test_the_declared_physician_reads_what_is_hidden(world: World):
    document = world.publish()
    world.hide(document)

    answer = world.send("camille", "POST", "/Consent", world.consent("martin", role=PCP))

    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]


@pytest.mark.parametrize(
    ("type_", "actor", "role"),
    [("deny", "nour", None), ("permit", "chu", None), ("permit", "martin", PCP), ("permit", "other", None)],
)
def test_a_professional_records_no_choice_but_an_agreement_for_one_who_treats(world: World, type_, actor, role):
    consent = world.consent(actor, type_, role) if role else world.consent(actor, type_)

    answer = world.send("martin", "POST", "/Consent", consent)

    assert answer.status_code == (201 if (type_, actor) == ("permit", "other") else 403)


@holds("C7")
def test_software_without_a_person_records_no_agreement(world: World):
    assert world.agree("chu-ehr", "nour").status_code == 403


def test_the_insurers_software_declares_a_physician(world: World):
    answer = world.send("keeper", "POST", "/Consent", world.consent("martin", role=PCP))

    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert reads(world, "martin") == 200


def test_an_emergency_mode_is_switched_off_for_all(world: World):
    consent = world.consent("martin", "deny")
    purpose = {"system": f"{TERMINOLOGY}/v3-ActReason", "code": "BTG"}
    consent["provision"] = {"type": "deny", "purpose": [purpose]}

    answer = world.send("camille", "POST", "/Consent", consent)

    assert answer.status_code == 201, answer.get_data(as_text=True)


def test_nobody_changes_what_another_wrote_down(world: World):
    consent = world.agree("martin", "martin").get_json()

    assert world.send("nour", "PATCH", f"/Consent/{consent['id']}", INACTIVE, JSON_PATCH).status_code == 404
    assert world.send("martin", "PATCH", f"/Consent/{consent['id']}", INACTIVE, JSON_PATCH).status_code == 200
    assert reads(world, "martin") == 403


def test_a_professional_does_not_change_what_the_patient_said(world: World):
    consent = world.agree("camille", "martin").get_json()

    answer = world.send("martin", "PUT", f"/Consent/{consent['id']}", consent)

    assert answer.status_code == 403


def test_the_patient_is_not_changed(world: World):
    world.patient("marc", "184039999900123")
    consent = world.agree("camille", "martin").get_json()
    moved = consent | {"patient": {"reference": f"Patient/{world.ids['marc']}"}}

    answer = world.send("camille", "PUT", f"/Consent/{consent['id']}", moved)

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["Consent.patient"]


def test_a_stale_version_changes_nothing(world: World):
    consent = world.agree("camille", "martin").get_json()

    answer = world.send("camille", "PATCH", f"/Consent/{consent['id']}", INACTIVE, JSON_PATCH, If_Match='W/"7"')

    assert answer.status_code == 412
    assert reads(world, "martin") == 200


@pytest.mark.parametrize("who", ["camille", "nour"])
def test_an_unknown_consent_is_not_found(world: World, who):
    answer = world.send(who, "PATCH", "/Consent/3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e", INACTIVE, JSON_PATCH)
    assert answer.status_code == 404


def document(reference):
    return {"meaning": "instance", "reference": {"reference": reference}}


def _nobody_named(consent):
    consent["provision"]["actor"][0]["reference"] = {"display": "Dr X"}


@holds("ITI-108")
@pytest.mark.parametrize(
    ("broken", "expression"),
    [
        (lambda c: c["provision"].update(dataPeriod={"start": "soon"}), "Consent.provision.dataPeriod"),
        (lambda c: c["provision"].update(data=[document("Observation/1")]), "Consent.provision.data[0].reference"),
        (lambda c: c["provision"].update(data=[document("DocumentReference/unknown")]), "Consent.provision"),
        (lambda c: c["provision"].update(securityLabel=[{"code": "X"}]), "Consent.provision.securityLabel"),
        (lambda c: c.update(scope={"coding": [{"code": "research"}]}), "Consent.scope"),
        (lambda c: c.pop("dateTime"), "Consent.dateTime"),
        (lambda c: c["provision"].pop("type"), "Consent.provision.type"),
        (_nobody_named, "Consent.provision.actor[0].reference"),
        (lambda c: c.pop("status"), "Consent.status"),
        (lambda c: c.pop("policy"), "Consent"),
    ],
)
def test_a_consent_that_cannot_be_honoured_exactly_is_refused_by_element(shared_world, folder, broken, expression):
    consent = shared_world.consent("martin")
    broken(consent)
    before = shared_world.dump(folder)

    answer = shared_world.send("camille", "POST", "/Consent", consent)

    assert answer.status_code in (400, 422), answer.get_data(as_text=True)
    named = [place for issue in answer.get_json()["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(expression) for place in named), named
    assert shared_world.dump(folder) == before


def test_an_unknown_patient_is_named_to_a_professional(world: World):
    unknown = {"patient": {"reference": "Patient/no"}}
    answer = world.send("martin", "POST", "/Consent", world.consent("martin") | unknown)
    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["Consent.patient"]


def test_the_identifier_of_a_consent_may_be_created_once(world: World):
    consent = world.consent("martin") | {"identifier": [{"system": "urn:x", "value": "1"}]}
    first = world.send("camille", "POST", "/Consent", consent, If_None_Exist="identifier=urn:x|1")
    second = world.send("camille", "POST", "/Consent", consent, If_None_Exist="identifier=urn:x|1")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.get_json()["id"] == second.get_json()["id"]
