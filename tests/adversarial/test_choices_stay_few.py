"""Fear: that a professional fills a stranger's space with agreements, so that each decision about it gets slow (AC40).

Measured before: 1,000 agreements of later made each read of the record cost 136 ms instead of 2.4.
"""

from dataclasses import replace

import pytest

from consent_rules.consents.recording import tidied
from consent_rules.vocabulary import Capacity, DirectiveKind
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.settings import limits
from tests.http.choices import INACTIVE, choose
from tests.http.spaces import call, reason
from tests.rules.builders import FR, NOW, block, space
from tests.world import JSON_PATCH


@pytest.fixture(autouse=True)
def few(world):
    assert world.web.application  # it puts its own limits in force when it is built
    before = limits.put_in_force(replace(limits.in_force(), choices=6, agreements=3))
    yield
    limits.put_in_force(before)


def _directives(world):
    patient = world.ids["camille"]
    with world.runtime.ports.store.snapshot() as snapshot:
        return record_of(patient, snapshot.load_space(patient)).directives


def _refused(answer):
    return answer.status_code, answer.get_json()["issue"][0]["details"]["coding"][0]["code"]


def test_a_professional_writes_down_few_agreements_and_takes_no_room_from_others(world):
    for _ in range(3):
        choose(world, world.consent("zoe"), "zoe")
    assert _refused(world.send("zoe", "POST", "/Consent", world.consent("zoe"))) == (422, "too-many-choices")
    choose(world, world.consent("martin"), "martin")
    for _ in range(6):
        choose(world, world.consent("nour"))


def test_all_professionals_together_leave_the_holder_and_emergencies_their_room(world):
    for who in ("zoe", "martin"):
        for _ in range(3):
            choose(world, world.consent(who), who)
    assert _refused(
        world.send(
            "nour",
            "POST",
            "/Consent",
            world.consent("nour"),
        )
    ) == (422, "too-many-choices")
    choose(world, world.consent("nour", "deny"))
    world.in_mode("zoe-btg", "zoe", ("28", "other", Capacity.NONE), "BTG")
    assert call(world, "zoe-btg", "break-glass", body=reason()).status_code == 200


def test_a_holder_keeps_as_many_choices_as_may_be_and_makes_room_by_withdrawing(world):
    made = [choose(world, world.consent("nour")) for _ in range(6)]
    assert _refused(world.send("camille", "POST", "/Consent", world.consent("martin"))) == (422, "too-many-choices")
    assert world.send("camille", "PATCH", f"/Consent/{made[0]}", INACTIVE, JSON_PATCH).status_code == 200
    choose(world, world.consent("martin"))


def test_a_block_that_is_lifted_again_and_again_leaves_one_mark(world):
    for _ in range(8):
        made = choose(world, world.consent("nour", "deny"))
        assert world.send("camille", "PATCH", f"/Consent/{made}", INACTIVE, JSON_PATCH).status_code == 200
    choose(world, world.consent("martin"))
    assert [one.kind for one in _directives(world)].count(DirectiveKind.BLOCK_LIFTED) == 1


def test_an_emergency_opened_again_and_again_is_loaded_once(world):
    world.in_mode("nour-btg", "nour", ("10", "chu", Capacity.NONE), "BTG")
    for _ in range(5):
        assert call(world, "nour-btg", "break-glass", body=reason()).status_code == 200
    assert [one.kind for one in _directives(world)].count(DirectiveKind.EMERGENCY_OPENING) <= 2


def test_the_latest_of_the_same_lifted_blocks_stays_and_one_of_unknown_time_too():
    lifted = [block("Practitioner/paul", id_=str(n), recorded_at=NOW) for n in range(3)]
    marks = [replace(one, kind=DirectiveKind.BLOCK_LIFTED) for one in lifted]
    other = replace(block("Practitioner/lea", id_="other"), kind=DirectiveKind.BLOCK_LIFTED)
    unknown = replace(marks[0], id="unknown", recorded_at=None)
    kept = tidied(space(*marks, other, unknown), NOW, FR).directives
    assert [one.id for one in kept] == ["2", "other", "unknown"]
