"""Fear: that `$match`, a search by traits or `$ihe-pix` gives one token more identities than a search does (V10).

Each person who is returned counts, and an answer without anybody counts as one.
"""

import pytest

from tests.adversarial.misuse import IDENTIFIER, Misuse, ins_of
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_match import BY_TRAITS, NUMBER, TRAITS, TWIN, add, called, match
from tests.world import World


@pytest.fixture
def misuse(world: World) -> Misuse:
    found = Misuse(world)
    found.employ("chu", 5)
    add(world, "anne", NUMBER)
    return found


def pix(misuse: Misuse, number: str) -> int:
    return misuse.world.get("nour", f"/Patient/$ihe-pix?sourceIdentifier={IDENTIFIER}{number}").status_code


@holds("V10")
@pytest.mark.parametrize("asked", [TRAITS, called("Nobody", "Anne")], ids=["hits", "misses"])
def test_60_matches_an_hour_hits_and_misses(misuse, clock, asked):
    statuses = [match(misuse.world, "nour", asked).status_code for _ in range(64)]
    assert statuses == [200] * 60 + [429] * 4
    clock.advance(hours=1, minutes=1)
    assert match(misuse.world, "nour", asked).status_code == 200


def test_each_person_who_is_returned_counts(misuse):
    add(misuse.world, "twin", TWIN)
    statuses = [match(misuse.world, "nour", TRAITS).status_code for _ in range(33)]
    assert statuses == [200] * 30 + [429] * 3


def test_an_answer_that_would_exceed_the_ceiling_returns_nobody(misuse):
    add(misuse.world, "twin", TWIN)
    for _ in range(59):
        assert match(misuse.world, "nour", called("Nobody", "Anne")).status_code == 200
    refused = match(misuse.world, "nour", TRAITS)
    assert refused.status_code == 429
    assert misuse.world.ids["anne"] not in refused.get_data(as_text=True)
    lines = misuse.world.get(
        "anne", f"/AuditEvent?patient={misuse.world.ids['anne']}&subtype=urn:habilis:operation|match"
    )
    assert lines.get_json()["total"] == 0


@pytest.mark.parametrize("known", [True, False], ids=["hits", "misses"])
def test_60_cross_references_an_hour(misuse, known):
    numbers = [NUMBER if known else ins_of(700 + number) for number in range(63)]
    assert [pix(misuse, number) for number in numbers] == [200 if known else 404] * 60 + [429] * 3


@BOTH
def test_every_way_of_looking_up_counts_together(misuse):
    world = misuse.world
    for number in range(15):
        assert match(world, "nour", called(f"Nobody{number}", "Anne")).status_code == 200
        assert world.get("nour", BY_TRAITS).status_code == 200
        assert pix(misuse, ins_of(700 + number)) == 404
        assert world.get("nour", f"/Patient?identifier={IDENTIFIER}{ins_of(800 + number)}").status_code == 200
    answers = [
        match(world, "nour", TRAITS),
        match(world, "nour", called("Nobody", "Anne")),
        world.get("nour", BY_TRAITS),
    ]
    assert [one.status_code for one in answers] == [429] * 3
    assert answers[0].get_json() == answers[1].get_json()
    assert pix(misuse, NUMBER) == 429


def test_a_batch_is_no_way_round(misuse):
    entries = [("GET", BY_TRAITS.removeprefix("/"), None) for _ in range(5)]
    answer = misuse.world.send("nour", "POST", "", {
        "resourceType": "Bundle", "type": "batch",
        "entry": [{"request": {"method": method, "url": url}} for method, url, _ in entries],
    })  # fmt: skip
    assert misuse.world.ids["anne"] not in answer.get_data(as_text=True)


def test_refused_questions_tell_nothing_and_cost_nothing(misuse):
    for _ in range(65):
        assert 400 <= match(misuse.world, "nour", {"resourceType": "Patient"}).status_code < 429
    assert match(misuse.world, "nour", TRAITS).status_code == 200
