"""A Consent names people and places that are known here, or it is refused by the element (interop 1).

Accepted, it would let the patient believe that somebody is blocked or let in who is nobody.
"""

import pytest

from tests.http.choices import relative
from tests.world import TERMINOLOGY

UNKNOWN = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def consent(shared_world):
    return shared_world.consent("nour", "deny")


def _refused(world, consent, who="camille"):
    answer = world.send(who, "POST", "/Consent", consent)
    issues = answer.get_json()["issue"]
    return answer.status_code, [issue["expression"][0] for issue in issues], issues[0]["details"]["coding"][0]["code"]


@pytest.mark.parametrize("type_", ["Practitioner", "PractitionerRole", "Organization", "CareTeam"])
def test_a_consent_about_nobody_is_refused(shared_world, consent, type_):
    consent["provision"]["actor"][0]["reference"] = {"reference": f"{type_}/{UNKNOWN}"}
    where = "Consent.provision.actor[0].reference.reference"
    assert _refused(shared_world, consent) == (422, [where], "unknown-reference")


def test_an_exception_for_nobody_is_refused(shared_world, consent):
    role = consent["provision"]["actor"][0]["role"]
    left_out = {"type": "permit", "actor": [{"role": role, "reference": {"reference": f"Practitioner/{UNKNOWN}"}}]}
    consent["provision"] |= {"type": "permit", "provision": [left_out | {"type": "deny"}]}
    where = "Consent.provision.provision[0].actor[0].reference.reference"
    assert _refused(shared_world, consent) == (422, [where], "unknown-reference")


@pytest.mark.parametrize(
    ("element", "reference"),
    [
        ("performer", f"Practitioner/{UNKNOWN}"),
        ("performer", f"Patient/{UNKNOWN}"),
        ("performer", f"RelatedPerson/{UNKNOWN}"),
        ("organization", f"Organization/{UNKNOWN}"),
        ("performer", "https://elsewhere.example/fhir/Practitioner/1"),
    ],
)
def test_nobody_gives_or_keeps_a_consent(shared_world, consent, element, reference):
    consent[element] = [{"reference": reference}]
    assert _refused(shared_world, consent) == (422, [f"Consent.{element}[0].reference"], "unknown-reference")


def test_a_source_that_is_unknown_is_refused(shared_world, consent):
    consent["sourceReference"] = {"reference": f"DocumentReference/{UNKNOWN}"}
    assert _refused(shared_world, consent) == (422, ["Consent.sourceReference.reference"], "unknown-reference")


def test_every_reference_that_names_nothing_is_named(shared_world, consent):
    consent["performer"] = [{"reference": f"Practitioner/{UNKNOWN}"}]
    consent["provision"]["actor"][0]["reference"] = {"reference": f"Organization/{UNKNOWN}"}
    assert len(_refused(shared_world, consent)[1]) == 2


def test_the_relative_of_another_patient_is_nobody_here(world):
    world.patient("luc", "184039999900244")
    foreign = relative(world, "lea", "luc")
    consent = world.consent("nour") | {"performer": [{"reference": foreign}]}
    unknown = world.consent("nour") | {"performer": [{"reference": f"RelatedPerson/{UNKNOWN}"}]}
    answers = [world.send("camille", "POST", "/Consent", one) for one in (consent, unknown)]
    assert answers[0].status_code == 422
    assert answers[0].data == answers[1].data


def test_a_professional_known_by_identifier_alone_gives_a_consent(world):
    by_number = {"identifier": {"system": f"{TERMINOLOGY}/none", "value": "1"}, "display": "Dr Nour"}
    consent = world.consent("nour") | {"performer": [by_number]}
    assert world.send("camille", "POST", "/Consent", consent).status_code == 201


def test_a_choice_that_no_longer_speaks_may_name_somebody_who_is_gone(world):
    consent = world.consent("nour")
    created = world.send("camille", "POST", "/Consent", consent).get_json()
    withdrawn = created | {"status": "inactive", "performer": [{"reference": f"Practitioner/{UNKNOWN}"}]}
    assert world.send("camille", "PUT", f"/Consent/{created['id']}", withdrawn).status_code == 200
