"""An establishment's admission system says who is in its care; that supports a word, and opens nothing (V1, V10)."""

import json
from dataclasses import replace

import pytest

from consent_rules.rule_profile import profile
from consent_rules.vocabulary import DirectiveKind, Grade, PatientId
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client, ClientKind
from tests.http.choices import choose
from tests.http.notices import kinds, told
from tests.http.spaces import parent
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import TRE_A07, World

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def admission_system(world: World, name="chu-adt", place="chu"):
    """Register the admission system of an establishment, and give it a token."""
    organization = f"Organization/{world.ids[place]}"
    client = Client(
        id=name, name=name, kind=ClientKind.BACKEND, scopes="system/Encounter.cu", organization=organization,
        organization_display=place, admissions=True,
    )  # fmt: skip
    clients.register(world.runtime, client)
    world.tokens[name] = world.mint(client=client, scopes="system/Encounter.cu")


def encounter(world: World, patient="camille", status="in-progress", start="2026-03-01T08:00:00Z", end=None, **more):
    period = {"start": start} | ({"end": end} if end else {})
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": ACT, "code": "IMP"},
        "subject": {"reference": f"Patient/{world.ids.get(patient, patient)}"},
        "period": period,
    } | more


def admit(world: World, who="chu-adt", **more):
    answer = world.send(who, "POST", "/Encounter", encounter(world, **more))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["id"]


def end(world: World, id_, who="chu-adt", **more):
    return world.send(who, "PUT", f"/Encounter/{id_}", encounter(world, status="finished", **more) | {"id": id_})


def facts(world: World, patient="camille"):
    with world.runtime.ports.store.snapshot() as snapshot:
        id_ = PatientId(world.ids[patient])
        record = record_of(id_, snapshot.load_space(id_))
    return [one for one in record.directives if one.kind is DirectiveKind.CARE]


@pytest.fixture
def house(world: World) -> World:
    admission_system(world)
    return world


@BOTH
def test_an_admission_is_a_fact_of_care_that_opens_nothing_alone(house: World):
    document = house.publish(place="other", who="other-ehr")
    id_ = admit(house)

    (fact,) = facts(house)
    assert (fact.id, fact.grade, fact.actors) == (id_, Grade.THIRD_PARTY, {f"Organization/{house.ids['chu']}"})
    assert fact.recorder == "Device/chu-adt"
    assert house.get("nour", f"/DocumentReference/{document}").status_code == 404
    assert end(house, id_).status_code == 200
    assert facts(house) == []


@BOTH
def test_the_patient_reads_it_and_is_told_once_for_each_beginning(house: World):
    first = admit(house)
    admit(house)
    admission_system(house, "other-adt", "other")
    admit(house, "other-adt")

    assert first in house.found("camille", f"/Encounter?patient={house.ids['camille']}")
    assert house.get("camille", f"/Encounter/{first}").get_json()["serviceProvider"] == {
        "reference": f"Organization/{house.ids['chu']}"
    }
    notices = told(house)
    assert kinds(notices) == ["care-stated", "care-stated"]
    said = {notice["payload"][0]["contentString"].partition("UTC : ")[2] for notice in notices}
    assert said == {f"{name} déclare prendre le patient en charge." for name in ("chu", "other")}
    entries = house.get("camille", f"/AuditEvent?patient={house.ids['camille']}&type=rest&_count=50").get_json()
    assert f"Encounter/{first}" in json.dumps(entries)


def test_nobody_else_reads_it_the_establishment_included(house: World):
    choose(house, house.consent("chu"))
    id_ = admit(house)
    for who in ("nour", "martin", "chu-ehr", "other-ehr"):
        assert house.get(who, f"/Encounter/{id_}").status_code == 404
    assert house.found("nour", f"/Encounter?patient={house.ids['camille']}") == []


def test_only_a_registered_admission_system_records_it_and_only_as_long_as_it_is_registered(house: World):
    for who in ("chu-ehr", "keeper", "nour", "camille"):
        assert house.send(who, "POST", "/Encounter", encounter(house)).status_code == 403
    id_ = admit(house)
    adt = clients.find(house.runtime, "chu-adt")
    clients.change(house.runtime, replace(adt, admissions=False))
    assert house.send("chu-adt", "POST", "/Encounter", encounter(house)).status_code == 403
    assert end(house, id_).status_code == 403


def test_an_establishment_changes_its_own_only(house: World):
    admission_system(house, "other-adt", "other")
    id_ = admit(house)
    unknown = "00000000-0000-4000-8000-000000000009"
    foreign, missing = end(house, id_, "other-adt"), end(house, unknown, "other-adt")
    assert (foreign.status_code, foreign.get_data()) == (404, missing.get_data())
    assert len(facts(house)) == 1


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ({"reasonCode": [{"text": "HIV"}]}, "reasonCode"),
        ({"subject": {"reference": "Patient/00000000-0000-4000-8000-000000000009"}}, "subject"),
        ({"start": "2026-03-02T10:00:00Z"}, "period.start"),
        ({"status": "planned", "start": "2026-07-02T10:00:00Z"}, "period.start"),
        ({"serviceProvider": {"reference": "Organization/elsewhere"}}, "serviceProvider"),
        ({"participant": [{"individual": {"reference": "Practitioner/nobody"}}]}, "participant"),
        ({"participant": [{"period": {}, "individual": {"reference": "Practitioner/nobody"}}]}, "participant"),
    ],
)
def test_what_is_not_minimal_or_cannot_be_is_refused_with_the_element(house: World, more, element):
    answer = house.send("chu-adt", "POST", "/Encounter", encounter(house, **more))
    assert answer.status_code in {400, 422}
    assert element in json.dumps(answer.get_json())
    assert facts(house) == []


def test_an_appointment_supports_in_its_day_only(house: World):
    admit(house, status="planned", start="2026-03-10T08:00:00Z")
    (fact,) = facts(house)
    assert [at.isoformat() for at in (fact.start, fact.end)] == [
        "2026-03-10T08:00:00+00:00",
        "2026-03-11T08:00:00+00:00",
    ]


def test_an_admission_without_an_end_ends_by_itself(house: World, clock):
    admit(house)
    (fact,) = facts(house)
    assert fact.end == profile("fr").proofs["admission"].after(clock.now())
    clock.advance(days=91)
    admission_system(house, "other-adt", "other")
    admit(house, "other-adt")
    assert [one.recorder for one in facts(house)] == ["Device/other-adt"]


def test_a_blocked_establishment_gets_the_same_answer(house: World):
    before = house.send("chu-adt", "POST", "/Encounter", encounter(house))
    choose(house, house.consent("chu", "deny"))
    after = house.send("chu-adt", "POST", "/Encounter", encounter(house))
    assert (before.status_code, set(before.get_json())) == (after.status_code, set(after.get_json()))


@pytest.fixture
def few(house: World) -> World:
    """Four patients, and an establishment that may begin the care of three in a day."""
    fewer = replace(house.runtime.profile.ceilings, admissions_a_day_each=3)
    house.runtime = replace(house.runtime, profile=replace(house.runtime.profile, ceilings=fewer))
    house.web.application.extensions["habilis.runtime"] = house.runtime
    for number in range(4):
        house.patient(f"p{number}", f"28403999991{number}148")
    return house


@BOTH
def test_a_nation_is_not_admitted_in_a_day(few: World, clock):
    house = few
    answers = [house.send("chu-adt", "POST", "/Encounter", encounter(house, patient=f"p{n}")) for n in range(4)]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert [len(facts(house, f"p{n}")) for n in range(4)] == [1, 1, 1, 0]
    assert answers[3].get_json()["issue"][0]["details"]["coding"][0]["code"] == "ceiling-admissions-a-day"
    assert "p3" not in answers[3].get_data(as_text=True)
    again = house.send("chu-adt", "POST", "/Encounter", encounter(house, patient="p0"))
    assert again.status_code == 201
    assert int(answers[3].headers["Retry-After"]) <= 25 * 3600
    clock.advance(days=1, hours=1)
    admission_system(house, "later-adt")
    assert house.send("later-adt", "POST", "/Encounter", encounter(house, patient="p3")).status_code == 201


@BOTH
def test_a_transaction_counts_what_it_writes(few: World):
    def sent(*patients, **last):
        resources = [encounter(few, patient=name) for name in patients]
        resources[-1] |= last
        request = {"method": "POST", "url": "Encounter"}
        entries = [{"resource": one, "request": request} for one in resources]
        return few.send("chu-adt", "POST", "/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})

    for _ in range(3):
        assert sent("p0", "p1", serviceProvider={"reference": f"Organization/{few.ids['other']}"}).status_code == 422
    assert sent("p0", "p1", "p1").status_code == 200
    assert sent("p2", "p3").status_code == 429
    assert few.send("chu-adt", "POST", "/Encounter", encounter(few, patient="p2")).status_code == 201
    assert few.send("chu-adt", "POST", "/Encounter", encounter(few, patient="p3")).status_code == 429


def test_a_space_holds_few_facts(house: World):
    most = house.runtime.profile.facts_of_care
    for _ in range(most):
        admit(house)
    assert house.send("chu-adt", "POST", "/Encounter", encounter(house)).status_code == 422


def test_guardians_are_not_told_of_a_stay_that_a_minor_keeps(house: World):
    house.patient("lea", "209019999900183", "2009-01-17")
    parent(house, "marc", "lea")
    secret = {"meta": {"security": [{"system": TRE_A07, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}
    id_ = admit(house, patient="lea", **secret)

    lea = house.ids["lea"]
    assert [house.get(who, f"/Encounter/{id_}").status_code for who in ("lea", "marc")] == [200, 404]
    assert len(house.found("lea", f"/Communication?patient={lea}")) == 1
    assert house.found("marc", f"/Communication?patient={lea}") == []
    assert id_ in json.dumps(house.get("lea", f"/AuditEvent?patient={lea}&_count=50").get_json())
    assert id_ not in json.dumps(house.get("marc", f"/AuditEvent?patient={lea}&_count=50").get_json())
