"""`habilis reindex` on both stores: older resources are found by parameters that came after them."""

from dataclasses import replace

import orjson
import pytest

from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.spaces import reindexing
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.store import Change, Write
from fhir_server.registry import REGISTRY
from tests.ports.earlier_stores import world_on
from tests.world import World

DECEASED = AnyOf(frozenset({tokens.any_system("deceased", "true")}))
INDEX_OF_BEFORE = frozenset({"gender|*|female"})


@pytest.fixture
def world(fresh, tmp_path) -> World:
    """A world in which a patient was indexed before the parameter `deceased` was there."""
    world = world_on(tmp_path, fresh.ports)
    world.software("keeper", "system/*.cruds")
    for name in ("first", "second"):
        number = {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": f"28403999990014{'89'[name == 'second']}"}
        body = {"resourceType": "Patient", "identifier": [number], "deceasedDateTime": "2026-01-01"}
        world.record(name, body)
        forget(world, world.ids[name])
    return world


def forget(world: World, patient: str) -> None:
    """Index a patient as an earlier version did, which did not know the parameter."""
    stored = read(world, patient)
    facts = facts_of(orjson.loads(stored.body), stored.facts.access, REGISTRY["Patient"])
    facts = replace(facts, tokens=INDEX_OF_BEFORE)
    write = Write(replace(stored, body=b"", facts=facts), (stored.version, stored.mark))
    world.runtime.ports.store.commit(Change((), (write,)))


def read(world: World, patient: str):
    with world.runtime.ports.store.snapshot() as snapshot:
        return snapshot.read("Patient", patient, whole_space(ReadingReason.REINDEXING, patient))


def deceased(world: World) -> set[str]:
    """Return the names of the patients whom the index knows as deceased."""
    found = set()
    with world.runtime.ports.store.snapshot() as snapshot:
        for name in ("first", "second"):
            view = whole_space(ReadingReason.REINDEXING, world.ids[name])
            found |= {name for _ in snapshot.find(Search("Patient", (DECEASED,)), view).rows}
    return found


def test_older_resources_are_found_after_a_reindexing_and_stay_as_they_are(world):
    assert deceased(world) == set()
    before = read(world, world.ids["first"])
    for _ in range(2):
        list(reindexing.reindex(world.runtime, "ada"))
        assert deceased(world) == {"first", "second"}
    assert read(world, world.ids["first"]) == before


def test_an_interrupted_reindexing_goes_on_behind_its_last_space(world):
    run = reindexing.reindex(world.runtime, "ada")
    assert next(run)[0] == NO_SPACE
    done, _ = next(run)
    assert len(deceased(world)) == 1
    rest = [space for space, _ in reindexing.reindex(world.runtime, "ada", done)]
    assert len(rest) == 1
    assert done not in rest
    assert deceased(world) == {"first", "second"}


def test_what_somebody_changes_meanwhile_is_left_to_them(world):
    """The page was read before the change: the write of its old version meets a conflict, and the other is written."""
    stored = read(world, world.ids["first"])
    write = reindexing._indexed(REGISTRY["Patient"], stored)
    stale = replace(write, expected=(stored.version + 1, stored.mark))
    other = reindexing._indexed(REGISTRY["Patient"], read(world, world.ids["second"]))
    reindexing._write(world.runtime, (stale, other))
    assert deceased(world) == {"second"}
