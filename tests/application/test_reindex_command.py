"""`habilis reindex` as an operator types it, beside a server on the same data."""

from dataclasses import replace

import orjson
import pytest

from fhir_server.application.core.search_index import facts_of
from fhir_server.domain.directory import identity_keys
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, Write
from fhir_server.registry import REGISTRY
from tests import commands
from tests.factories import all_of
from tests.world import INS, World


@pytest.fixture
def run(world: World, settings, monkeypatch, capsys):
    """Run a command beside the world; return its status and what it printed."""
    assert world
    commands.beside(settings, monkeypatch)
    return commands.runner(capsys)


def events(world: World) -> int:
    with world.runtime.ports.store.snapshot() as snapshot:
        return snapshot.count(Search("AuditEvent"), all_of(""), 10_000)


def test_the_command_says_what_it_did_and_leaves_one_audit_event(world: World, run):
    document, before = world.publish(), events(world)
    status, said = run("reindex", "--by", "Ada")
    assert (status, "have a new index" in said) == (0, True)
    assert events(world) == before + 1
    assert document in world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")
    assert world.get("nour", "/Practitioner?name=haddad").get_json()["total"] == 1


ANNE = {
    "resourceType": "Patient", "name": [{"family": "Roy", "given": ["Anne"]}], "birthDate": "1984-03-17",
    "gender": "female",
}  # fmt: skip


def forget_traits(world: World, patient: str) -> None:
    """Index a patient as a version did that knew no look-up by traits."""
    with world.runtime.ports.store.snapshot() as snapshot:
        stored = snapshot.read("Patient", patient, all_of(patient))
    assert stored is not None
    body = orjson.loads(stored.body)
    facts = facts_of(body, stored.facts.access, REGISTRY["Patient"])
    facts = replace(facts, lookup=facts.lookup - identity_keys.keys_of(body))
    write = Write(replace(stored, body=b"", facts=facts), (stored.version, stored.mark))
    world.runtime.ports.store.commit(Change((), (write,)))


def matched(world: World) -> list[str]:
    asked = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": ANNE}]}
    answer = world.send("nour", "POST", "/Patient/$match", asked)
    assert answer.status_code == 200
    return [entry["resource"]["id"] for entry in answer.get_json().get("entry", ())]


def test_a_patient_recorded_before_is_matched_by_traits_afterwards(world: World, run):
    number = {"system": INS, "value": "284039999900197"}
    patient = world.record("anne", ANNE | {"identifier": [number]})
    assert matched(world) == [patient]
    forget_traits(world, patient)
    assert matched(world) == []
    assert run("reindex", "--by", "Ada")[0] == 0
    assert matched(world) == [patient]


def test_it_goes_on_behind_a_space(world: World, run):
    _, whole = run("reindex", "--by", "Ada")
    status, rest = run("reindex", "--by", "Ada", "--after", world.ids["camille"])
    assert status == 0
    assert whole != rest
