"""Fear: that a write that fails counts nothing, or leaves its event in a space that it is not about (V10, ADR 84).

A PATCH that tests an element tells by its failure what the document says; so it counts like a read.
"""

import json
from base64 import b64encode

import pytest

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.enforcement_point import record_of
from tests.adversarial.misuse import Misuse
from tests.world import JSON_PATCH, World

UNKNOWN = "urn:oid:1.2.250.1.213.1.4.99999.404"
GUESS = [{"op": "test", "path": "/type/coding/0/code", "value": "no such code"}]


@pytest.fixture
def misuse(world: World) -> Misuse:
    """Martin, in whose name somebody else has declared agreements of three strangers who have a document each."""
    found = Misuse(world)
    found.employ("chu", 5)
    for number in range(3):
        found.person(number)
        world.ids[f"document{number}"] = world.publish(patient=f"stranger{number}")
        declared = world.send("nour", "POST", "/Consent", found.declared(number, "martin"))
        assert declared.status_code == 201
    return found


def entered(misuse: Misuse, number: int) -> bool:
    """Tell whether Martin's entry into the space of a stranger has been counted."""
    with misuse.world.runtime.ports.store.snapshot() as snapshot:
        patient = PatientId(misuse.person(number))
        state = record_of(patient, snapshot.load_space(patient))
    return f"Practitioner/{misuse.world.ids['martin']}" in state.entered


def guess(misuse: Misuse, document: str):
    return misuse.world.send("martin", "PATCH", f"/DocumentReference/{document}", GUESS, JSON_PATCH)


def test_a_patch_that_fails_on_what_it_saw_counts_as_an_entry(misuse):
    assert guess(misuse, misuse.world.ids["document0"]).status_code == 422
    assert entered(misuse, 0)
    assert not entered(misuse, 1)


def test_a_patch_of_a_hidden_document_counts_no_more_than_one_of_an_unknown_one(misuse):
    assert misuse.world.hide(misuse.world.ids["document0"], "stranger0").status_code == 200
    unknown = guess(misuse, "00000000-0000-4000-8000-000000000009")
    hidden = guess(misuse, misuse.world.ids["document0"])
    assert (hidden.status_code, hidden.data) == (unknown.status_code, unknown.data)
    assert not entered(misuse, 0)


def test_guesses_by_failing_patches_meet_the_ceiling(misuse):
    world = misuse.world
    for number in range(3, 22):
        misuse.person(number)
        world.ids[f"document{number}"] = world.publish(patient=f"stranger{number}")
        who = "nour" if number < 20 else "zoe"
        assert world.send(who, "POST", "/Consent", misuse.declared(number, "martin")).status_code == 201
    statuses = [guess(misuse, world.ids[f"document{number}"]).status_code for number in range(22)]
    assert statuses == [422] * 20 + [429] * 2


def patching(criteria: str):
    data = b64encode(json.dumps([{"op": "add", "path": "/description", "value": "x"}]).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}
    return {"resource": binary, "request": {"method": "PATCH", "url": f"DocumentReference?{criteria}"}}


def told(world: World, who: str) -> list[str]:
    """Return the outcomes of the events of a space that tell of a transaction."""
    found = world.get(who, f"/AuditEvent?patient={world.ids[who]}&_count=200").get_json()["entry"]
    return [one["resource"]["outcome"] for one in found if "transaction" in json.dumps(one["resource"]["subtype"])]


def test_a_failed_patch_of_an_unknown_number_leaves_no_failure_in_the_space_of_an_earlier_entry(world: World):
    """The number names no space: the holder of another one learns nothing of it."""
    filing = world.filing()
    world.publish_all("chu-ehr", filing)
    numbers = (f"urn:oid:{filing.unique_id}", UNKNOWN)
    entries = [patching(f"identifier=urn:ietf:rfc:3986|{number}") for number in numbers]
    answer = world.send("chu-ehr", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 404
    assert told(world, "camille") == []
