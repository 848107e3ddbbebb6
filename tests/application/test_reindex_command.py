"""`habilis reindex` as an operator types it, beside a server on the same data."""

import pytest

from fhir_server.domain.search.criteria import Search
from tests import commands
from tests.factories import all_of
from tests.world import World


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


def test_it_goes_on_behind_a_space(world: World, run):
    _, whole = run("reindex", "--by", "Ada")
    status, rest = run("reindex", "--by", "Ada", "--after", world.ids["camille"])
    assert status == 0
    assert whole != rest
