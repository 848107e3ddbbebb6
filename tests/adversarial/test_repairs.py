"""`habilis repair`: what an earlier version stored and no door takes any more is found, named, withdrawn and told."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Proof
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.spaces import consent_repairs
from fhir_server.domain import record_codec
from fhir_server.ports.store import Change, SpaceWrite
from tests.http.choices import choose
from tests.http.notices import kinds, told
from tests.world import JSON_PATCH


def _state(world, name="camille"):
    with world.runtime.ports.store.snapshot() as snapshot:
        space = snapshot.load_space(world.ids[name])
    return space, record_of(world.ids[name], space)


def _store(world, state, space):
    write = SpaceWrite(space.patient, space.revision, state)
    world.runtime.ports.store.commit(Change((), spaces=(write,)))


def _let_begin_later(world, id_):
    """Change what a Consent says in the decision state, as an earlier version took it."""
    space, record = _state(world)
    later = [
        replace(one, start=datetime(9999, 12, 31, tzinfo=UTC), proof=Proof.ORAL) if one.id == id_ else one
        for one in record.directives
    ]
    _store(world, record_codec.dump(replace(record, directives=tuple(later))), space)


def _spoil(world, id_, **values):
    space, record = _state(world)
    held = orjson.loads(record_codec.dump(record))
    for one in held["directives"]:
        if one["id"] == id_:
            one.update(values)
    _store(world, orjson.dumps(held), space)


@pytest.fixture
def post_dated(world):
    id_ = choose(world, world.consent("zoe"), "zoe")
    _let_begin_later(world, id_)
    return id_


def test_a_dry_run_names_the_choice_and_changes_nothing(world, post_dated):
    before = _state(world)
    found = list(consent_repairs.faults(world.runtime))
    assert [(one.consent, one.why) for one in found] == [(post_dated, consent_repairs.POST_DATED)]
    assert _state(world) == before


def test_a_repair_withdraws_the_choice_tells_the_holder_and_leaves_a_trace(world, post_dated):
    consent_repairs.repair(world.runtime, world.ids["camille"], "ops@host")
    assert list(consent_repairs.faults(world.runtime)) == []
    assert world.get("camille", f"/Consent/{post_dated}").get_json()["status"] == "inactive"
    assert "choice-closed" in kinds(told(world))
    events = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}").get_json()["entry"]
    told_of = [one for one in events if f"Consent/{post_dated}" in str(one) and "repair-choices" in str(one)]
    assert len(told_of) == 1


@pytest.mark.parametrize("spoilt", [{"kind": "of-a-later-version"}, {"start": 2**62}, {"purposes": ["UNKNOWN"]}])
def test_a_choice_that_cannot_be_read_opens_nothing_and_closes_nothing_else(world, spoilt):
    lost, kept = choose(world, world.consent("nour")), choose(world, world.consent("martin"))
    _spoil(world, lost, **spoilt)
    patient = world.ids["camille"]
    assert world.get("nour", f"/DocumentReference?patient={patient}").status_code == 403
    assert world.get("martin", f"/DocumentReference?patient={patient}").status_code == 200
    assert kept != lost


def test_a_block_that_cannot_be_read_whole_still_blocks(world):
    choose(world, world.consent("martin"))
    block = choose(world, world.consent("martin", "deny"))
    _spoil(world, block, end="no instant")
    assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403


def test_the_next_choice_of_anybody_closes_what_cannot_be_read_and_tells_of_it(world):
    lost = choose(world, world.consent("nour"))
    _spoil(world, lost, purposes=["UNKNOWN"])
    choose(world, world.consent("martin"))
    assert _state(world)[1].unread == frozenset()
    assert world.get("camille", f"/Consent/{lost}").get_json()["status"] == "inactive"
    assert kinds(told(world)).count("choice-closed") == 1


def test_a_choice_that_cannot_be_read_can_be_withdrawn_by_its_holder(world):
    lost = choose(world, world.consent("nour"))
    _spoil(world, lost, purposes=["UNKNOWN"])
    withdrawal = [{"op": "replace", "path": "/status", "value": "inactive"}]
    assert world.send("camille", "PATCH", f"/Consent/{lost}", withdrawal, JSON_PATCH).status_code == 200


def test_a_directive_keeps_what_it_says_when_the_state_is_written_again(world):
    choose(world, world.consent("nour"))
    record = _state(world)[1]
    named = [Directive("x", DirectiveKind.BLOCK, frozenset({"Practitioner/a"}))]
    with_more = replace(record, directives=(*record.directives, *named), unread=frozenset({"x"}))
    assert record_codec.load(record_codec.dump(with_more)) == with_more
