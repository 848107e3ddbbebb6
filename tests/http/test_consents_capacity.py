"""Posts that change the rules, from the practice situation of the token: coordinating and occupational physicians."""

from dataclasses import replace

import orjson
import pytest

from consent_rules.vocabulary import Capacity, RequesterKind
from fhir_server.application.directory.professionals import find_professional
from fhir_server.application.identity import accounts
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from tests.holds import holds
from tests.world import World, client_of

OCCUPATIONAL, COORDINATING = Capacity.OCCUPATIONAL_PHYSICIAN, Capacity.COORDINATING_PHYSICIAN


def reads(world: World, who):
    return world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code


@pytest.fixture
def letting(settings, runtime):
    """Return a world whose profile lets occupational physicians in."""
    served = replace(runtime, profile=replace(runtime.profile, occupational_physicians=True))
    return World(served, client_of(settings, served)).open()


@holds("I4")
def test_an_occupational_physician_is_off_by_default_whatever_the_patient_says(world: World):
    """Off unless the profile lets them in (I4); the refusal says what the caller is and nothing of the patient."""
    world.professional("otto", "10", "other", OCCUPATIONAL)
    before = world.get("otto", f"/DocumentReference?patient={world.ids['camille']}")

    assert world.agree("camille", "otto").status_code == 201

    after = world.get("otto", f"/DocumentReference?patient={world.ids['camille']}")
    assert (before.status_code, before.get_data()) == (403, after.get_data())
    assert world.agree("otto", "otto").status_code == 403


@holds("I4")
def test_where_it_is_on_the_consent_names_the_physician(letting: World):
    """An express consent, never that of an establishment (I4)."""
    letting.professional("otto", "10", "other", OCCUPATIONAL)
    letting.agree("camille", "other")
    assert (reads(letting, "martin"), reads(letting, "otto")) == (200, 403)

    letting.agree("camille", "otto")

    assert reads(letting, "otto") == 200


@holds("C14")
def test_a_coordinating_physician_reads_with_the_residents_agreement(world: World):
    """C14."""
    world.professional("cleo", "10", "other", COORDINATING)
    assert reads(world, "cleo") == 403
    world.agree("camille", "cleo")
    assert reads(world, "cleo") == 200


def test_the_directory_says_the_post(world: World):
    """A role states it by a coding beside the profession; an unknown one is none."""
    system = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
    number = {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700000333"}
    person = world.record("otto", {"resourceType": "Practitioner", "identifier": [number]})
    for post in ("occupational-physician", "wizard"):
        codings = [{"coding": [{"system": system, "code": "10"}]}]
        codings.append({"coding": [{"system": "urn:habilis:capacity", "code": post}]})
        role = {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{person}"}}
        role |= {"organization": {"reference": f"Organization/{world.ids['other']}"}, "code": codings}
        world.record(post, role)

    found = find_professional(world.runtime, "899700000333")

    assert found is not None
    posts = {practice.role.partition("/")[2]: practice.capacity for practice in found.practices}
    assert posts == {world.ids["occupational-physician"]: OCCUPATIONAL, world.ids["wizard"]: Capacity.NONE}


def test_an_account_keeps_the_post_and_an_older_one_has_none(world: World):
    practice = PractitionerRoleRef("", "Organization/x", "x", "10", capacity=COORDINATING)
    account = Account("cleo", RequesterKind.PROFESSIONAL, "Practitioner/c", "Cleo", practices=(practice,))
    accounts.add_account(world.runtime, account, "correct horse battery staple")
    kept = accounts.find_account(world.runtime, "cleo")
    assert kept is not None
    assert kept.practices[0].capacity is COORDINATING

    entry = world.runtime.ports.vault.get(*accounts.entry_name("cleo"), world.runtime.now())
    raw = orjson.loads(entry.value)
    del raw["account"]["practices"][0]["capacity"]
    older = accounts.of_entry(replace(entry, value=orjson.dumps(raw)))
    assert older.practices[0].capacity is Capacity.NONE
