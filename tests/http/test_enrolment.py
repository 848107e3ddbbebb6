"""Enrolling many insured persons at once: each is announced as `$announce-space` announces one, or left as they are."""

import json
from dataclasses import replace

import pytest

from fhir_server.application.directory import enrolment
from fhir_server.application.directory.enrolment import Enrolled
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.directory.insured_lines import Columns
from fhir_server.domain.problem import Problem
from fhir_server.domain.search.tokens import identifier_key
from fhir_server.ports.store import AlreadyClaimed
from seed.many_patients import person
from tests.factories import all_of
from tests.http.spaces import announce, sign_in, status
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import INS, JSON_PATCH, World

COLUMNS = Columns.of(b"number;family;given;birth_date;sex;system;birth_place")
KEEPER = Client(id="keeper", name="keeper", kind=ClientKind.BACKEND, scopes="system/*.cruds")


def patient(number: int, /, **changed: str):
    one = person(number)
    values = {
        "number": one.ins_value, "family": f"Family{chr(65 + number % 26)}", "given": one.given,
        "birth_date": one.birth, "sex": one.gender, "system": INS.removeprefix("urn:oid:"), "birth_place": "69381",
    }  # fmt: skip
    line = COLUMNS.line(2, ";".join((values | changed).values()).encode())
    assert line.patient, line.fault
    return line.patient


def enrol(world: World, *patients, client: Client = KEEPER):
    return enrolment.enrol(world.runtime, client, "Ada", patients)


def found(world: World, number: int):
    """Return the Patients who have a number: nobody may search them before their space opens."""
    with world.runtime.ports.store.snapshot() as snapshot:
        tokens = identifier_key("identifier", INS, person(number).ins_value)
        ids = [id_ for _, id_ in snapshot.compartments_with("Patient", tokens, 5)]
        return [json.loads(snapshot.read("Patient", id_, all_of(id_)).body) for id_ in ids]


@BOTH
def test_each_person_has_a_space_that_waits_six_weeks_with_the_notice(world: World, clock):
    """A2, A3: as `$announce-space` announces one."""
    assert enrol(world, patient(1), patient(2)) == (Enrolled.ANNOUNCED, Enrolled.ANNOUNCED)
    (one,) = found(world, 1)
    world.ids["one"] = one["id"]
    sign_in(world, "one", "one")
    assert status(world, "one", "one") == "announced"
    bulk = world.get("one", f"/Communication?patient={one['id']}").get_json()["total"]
    announce(world)
    assert bulk == world.get("new", f"/Communication?patient={world.ids['new']}").get_json()["total"] == 1
    clock.advance(days=43)
    sign_in(world, "one", "one")
    events = world.get("one", f"/AuditEvent?patient={one['id']}&date=ge2020").get_json()["entry"]
    names = [agent["who"].get("display") for entry in events for agent in entry["resource"]["agent"]]
    assert "keeper (Ada)" in names, "the journal names who ran the command"


@BOTH
def test_who_is_enrolled_stays_as_they_are(world: World):
    assert enrol(world, patient(1)) == (Enrolled.ANNOUNCED,)
    before = found(world, 1)
    assert enrol(world, patient(1), patient(2), patient(1)) == (Enrolled.KNOWN, Enrolled.ANNOUNCED, Enrolled.KNOWN)
    assert found(world, 1) == before


@BOTH
@pytest.mark.parametrize(
    "changed", [{"family": "Durand"}, {"birth_date": "1931-01-01"}, {"birth_place": "13055"}, {"given": "Zoé"}]
)
def test_a_number_with_other_traits_changes_nothing_and_is_told(world: World, changed):
    """In the same lot and in a later one."""
    lot = enrol(world, patient(1), patient(1, **changed))
    assert lot == (Enrolled.ANNOUNCED, Enrolled.OTHER_TRAITS)
    before = found(world, 1)
    assert enrol(world, patient(1, **changed)) == (Enrolled.OTHER_TRAITS,)
    assert found(world, 1) == before


@pytest.mark.parametrize("spelling", ["LEFEVRE DUPONT", "Dupont-Lefèvre", "lefèvre’dupont"])
def test_other_spellings_of_a_name_are_the_same_name(world: World, spelling):
    enrol(world, patient(1, family="Lefèvre-Dupont"))
    assert enrol(world, patient(1, family=spelling)) == (Enrolled.KNOWN,)


@BOTH
def test_two_numbers_with_five_equal_traits_are_both_enrolled_and_told(world: World):
    twin = {"number": person(1000 * 24).ins_value, "family": "FamilyB"}
    alike = patient(1, **twin)
    assert enrol(world, patient(1, family="FamilyB"), alike) == (Enrolled.ANNOUNCED, Enrolled.ALIKE)
    later = patient(1, family="FamilyB", number=person(2000 * 24).ins_value)
    assert enrol(world, later) == (Enrolled.ALIKE,)


@BOTH
def test_an_identity_of_other_software_is_left_to_it(world: World):
    other = replace(KEEPER, id="second", name="second")
    assert enrol(world, patient(1), client=other) == (Enrolled.ANNOUNCED,)
    assert enrol(world, patient(1), patient(2)) == (Enrolled.OTHER_KEEPER, Enrolled.ANNOUNCED)


@BOTH
def test_when_somebody_takes_a_number_first_the_rest_of_the_lot_goes_on(world: World):
    """The second of three persons is recorded between the plan and the commit of the lot."""
    inner = world.runtime.ports.store
    lot = [patient(1), patient(2), patient(3)]

    class Overtaken:
        """The real store, before which another process records somebody once."""

        overtook = False

        def __getattr__(self, name):
            return getattr(inner, name)

        def commit_many(self, changes):
            if not self.overtook:
                self.overtook = True
                enrol(world, lot[1])
                with pytest.raises(AlreadyClaimed):
                    inner.commit_many(changes)
                raise AlreadyClaimed(0)
            inner.commit_many(changes)

    again = replace(world.runtime, ports=replace(world.runtime.ports, store=Overtaken()))
    fates = enrolment.enrol(again, KEEPER, "Ada", lot)
    assert fates == (Enrolled.ANNOUNCED, Enrolled.KNOWN, Enrolled.ANNOUNCED)
    assert [len(found(world, number)) for number in (1, 2, 3)] == [1, 1, 1]


@BOTH
def test_a_number_that_was_another_persons_is_refused(world: World):
    id_ = world.patient("first", person(1).ins_value)
    (one,) = found(world, 1)
    moved = one | {"identifier": [one["identifier"][0] | {"value": person(5).ins_value}]}
    assert world.send("keeper", "PUT", f"/Patient/{id_}", moved).status_code == 200
    assert enrol(world, patient(1), patient(2)) == (Enrolled.REFUSED, Enrolled.ANNOUNCED)


@pytest.mark.parametrize(
    "client",
    [replace(KEEPER, scopes="system/Patient.r"), replace(KEEPER, scopes="user/Patient.c")],
)
def test_software_that_may_not_record_identities_enrols_nobody(world: World, client):
    with pytest.raises(Problem):
        enrol(world, patient(1), client=client)
    assert found(world, 1) == []


@BOTH
@pytest.mark.parametrize("days", [0, 43])
def test_the_keeper_corrects_an_identity_also_while_the_space_waits(world: World, days, clock):
    """A line that is reported with other traits is repaired in the Patient, where the Patient is wrong."""
    enrol(world, patient(1))
    clock.advance(days=days)
    (one,) = found(world, 1)
    path, right = f"/Patient/{one['id']}", one | {"name": [{"family": "Durand", "given": ["Zoé"]}]}
    assert world.send("chu-ehr", "PUT", path, right).status_code in {403, 404}, "nobody else corrects it"
    assert world.send("keeper", "PUT", path, right).status_code == 200
    assert found(world, 1)[0]["name"] == right["name"]
    patch = [{"op": "replace", "path": "/name/0/family", "value": "Martin"}]
    assert world.send("keeper", "PATCH", path, patch, JSON_PATCH).status_code == 200
    assert found(world, 1)[0]["name"][0]["family"] == "Martin"
