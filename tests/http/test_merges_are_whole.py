"""A merge is stored whole or not at all, its undoing gives back the same bytes, and no decision uses half of it."""

import pytest

from consent_rules.vocabulary import PatientId
from fhir_server.application.spaces import lifecycle
from fhir_server.domain.caller import Origin
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.ports.store import StoreUnavailable
from tests.http.merges import agreed, merge, twice, unmerge
from tests.http.stores import BOTH, another, runtime, store
from tests.world import World, client_of

__all__ = ["another", "runtime", "store"]
SPACES = ("camille", "double")


@pytest.fixture
def world(runtime, settings):
    made = World(runtime, client_of(settings, runtime)).open()
    twice(made)
    return made


def state(world, name):
    with world.runtime.ports.store.snapshot() as snapshot:
        return snapshot.load_space(world.ids[name]).state


def stored(world, name):
    """Return the state of a space without the merge, and what is found in it."""
    types = ("DocumentReference", "Consent", "List", "Provenance")
    found = [world.get(name, f"/{type_}?patient={world.ids[name]}").get_json().get("entry") for type_ in types]
    return state(world, name), found


@BOTH
def test_the_undoing_gives_back_the_same_bytes(world):
    for name in SPACES:
        world.publish(patient=name)
        agreed(world, name, "martin")
    agreed(world, "double", "nour", "deny")
    before = [stored(world, name) for name in SPACES]
    merge(world)
    assert state(world, "camille") != before[0][0]
    unmerge(world)
    assert [stored(world, name) for name in SPACES] == before


@BOTH
@pytest.mark.parametrize("act", [merge, unmerge])
def test_a_store_that_fails_keeps_all_or_nothing(world, monkeypatch, act):
    if act is unmerge:
        merge(world)
    before = [(state(world, name), world.get("keeper", f"/Patient/{world.ids[name]}").data) for name in SPACES]
    commits, commit = [], type(world.runtime.ports.store).commit

    def fails(self, change):
        if not change.writes:
            return commit(self, change)
        commits.append(change)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(type(world.runtime.ports.store), "commit", fails)
    assert act(world).status_code == 503
    monkeypatch.undo()
    assert [(state(world, n), world.get("keeper", f"/Patient/{world.ids[n]}").data) for n in SPACES] == before
    (only,) = commits
    assert {one.patient for one in only.spaces} == {world.ids[name] for name in SPACES}
    assert {one.after.id for one in only.writes if one.after.type == "Patient"} == {world.ids[name] for name in SPACES}
    assert {trace.event.facts.access.compartment for trace in only.traces} == {world.ids[name] for name in SPACES}
    assert act(world).status_code == 200


@BOTH
def test_a_filing_that_was_decided_before_the_other_space_closed_is_decided_again(world, monkeypatch):
    merge(world)
    holder = caller_of(world.runtime, f"Bearer {world.tokens['double']}", Origin("127.0.0.1"))
    commit, closed = type(world.runtime.ports.store).commit, []

    def closes_first(self, change):
        if not closed and any(one.after.type == "DocumentReference" for one in change.writes):
            closed.append(True)
            lifecycle.close(world.runtime, holder, PatientId(world.ids["double"]))
        return commit(self, change)

    monkeypatch.setattr(type(world.runtime.ports.store), "commit", closes_first)
    assert world.send("chu-ehr", "POST", "", world.bundle()).status_code == 403
    assert closed
