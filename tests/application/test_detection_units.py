"""The unit of a reader is the healthcare service that the directory names: only this unit explains an access."""

from dataclasses import replace

import pytest

from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server import worker
from fhir_server.application.core.runtime import WatchedSpaces
from fhir_server.application.detection import directory_traits
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient, add_account
from fhir_server.domain.detection.facts import Tie
from fhir_server.domain.detection.ties import ties
from tests.http.notices import kinds
from tests.world import World


@pytest.fixture
def world(world):
    return World(replace(world.runtime, watched=WatchedSpaces()), world.web, world.ids, world.tokens, world.count)


def place(world, name, *units):
    """Record that a professional practises at "other", in units of it."""
    services = [{"reference": f"HealthcareService/{world.ids[unit]}"} for unit in units]
    role = world.practice(name, "other")
    if not units:
        return f"PractitionerRole/{role}"
    known = world.get("keeper", f"/PractitionerRole/{role}").get_json() | {"healthcareService": services}
    answer = world.send("keeper", "PUT", f"/PractitionerRole/{role}", known)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return f"PractitionerRole/{role}"


def told(world):
    found = world.get("camille", f"/Communication?patient={world.ids['camille']}&_count=50").get_json()
    return kinds([entry["resource"] for entry in found.get("entry", [])])


@pytest.mark.parametrize(
    ("martins", "zoes", "explained"),
    [
        ((), (), True),
        (("surgery",), ("surgery",), True),
        (("surgery",), ("radiology",), False),
        (("surgery",), (), False),
        (("surgery", "radiology"), ("radiology",), False),
    ],
)
def test_a_colleague_explains_an_access_only_inside_the_unit_that_the_directory_names(
    world, clock, martins, zoes, explained
):
    for unit in ("surgery", "radiology"):
        world.record(unit, {"resourceType": "HealthcareService", "name": unit})
    place(world, "martin", *martins)
    place(world, "zoe", *zoes)
    world.publish()
    world.agree("camille", "zoe")
    world.agree("martin", "martin")
    for who in ("zoe", "martin"):
        assert world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code == 200
    for hours in (2, 7):
        clock.advance(hours=hours)
        worker.build(world.runtime).work_once()
    assert ("unexplained-access" in told(world)) is not explained


def test_colleagues_of_one_unit_share_it_by_the_directory(world):
    world.record("surgery", {"resourceType": "HealthcareService", "name": "surgery"})
    role = place(world, "martin", "surgery")
    practice = PractitionerRoleRef(role, f"Organization/{world.ids['other']}", "other", "10")
    martin, patient = f"Practitioner/{world.ids['martin']}", PatientId(world.ids["camille"])
    own = RepresentedPatient(patient, f"Patient/{patient}", "Camille")
    for login, person, patients in (("martin", martin, ()), ("camille", own.person, (own,))):
        account = Account(login, RequesterKind.PROFESSIONAL, person, login, (practice,), patients)
        add_account(world.runtime, account, "")
    with world.runtime.ports.store.snapshot() as snapshot:
        actor = directory_traits.of_professional(world.runtime, snapshot, martin)
        holder, _ = directory_traits.of_holder(world.runtime, snapshot, patient)
    assert {Tie.TEAM, Tie.EMPLOYER} <= set(ties(actor, holder))
