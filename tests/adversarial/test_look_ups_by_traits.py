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


def entry_of(way: str, number: int) -> dict:
    """Return an entry of a Bundle that looks somebody up, in one of the four ways."""
    url = {
        "traits": BY_TRAITS.removeprefix("/"),
        "misses": f"Patient?family=Nobody{number}&given=anne&birthdate=1984-03-17",
        "number": f"Patient/$ihe-pix?sourceIdentifier={IDENTIFIER}{NUMBER}",
    }.get(way)
    if url:
        return {"request": {"method": "GET", "url": url}}
    given = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": TRAITS}]}
    return {"request": {"method": "POST", "url": "Patient/$match"}, "resource": given}


def asked_together(world: World, entries: list[dict], kind: str = "batch") -> list[dict]:
    answer = world.send("nour", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["entry"]


def statuses(entries: list[dict]) -> list[str]:
    return [entry["response"]["status"][:3] for entry in entries]


@pytest.mark.parametrize("way", ["match", "traits", "number", "misses"])
def test_a_batch_is_no_way_round(misuse, way):
    """Each entry is decided, counted and told in the journal as alone: a batch gives no more than 60 an hour."""
    world = misuse.world
    found = asked_together(world, [entry_of(way, number) for number in range(70)])
    assert statuses(found) == ["200"] * 60 + ["429"] * 10
    assert [world.ids["anne"] in str(entry) for entry in found] == [way != "misses"] * 60 + [False] * 10
    assert len({str(entry) for entry in found[60:]}) == 1
    assert match(world, "nour", TRAITS).status_code == 429
    by_nour = f"/AuditEvent?patient={world.ids['anne']}&agent=Practitioner/{world.ids['nour']}&_summary=count"
    assert world.get("anne", f"{by_nour}&outcome=0").get_json()["total"] == (0 if way == "misses" else 60)


@BOTH
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_1000_entries_of_all_ways_give_60_identities(misuse, kind):
    """Entries that only read are answered in a transaction, too: each alone, after the writes."""
    ways = ["traits", "number", "misses"] + (["match"] if kind == "batch" else [])
    found = asked_together(misuse.world, [entry_of(ways[number % len(ways)], number) for number in range(1000)], kind)
    assert statuses(found) == ["200"] * 60 + ["429"] * 940
    assert misuse.world.ids["anne"] not in str(found[60:])


def test_a_batch_that_would_exceed_the_ceiling_returns_nobody_of_that_entry(misuse):
    world = misuse.world
    add(world, "twin", TWIN)
    found = asked_together(world, [entry_of("misses", 0), *(entry_of("match", number) for number in range(31))])
    assert statuses(found) == ["200"] * 30 + ["429"] * 2
    for name in ("anne", "twin"):
        assert world.ids[name] not in str(found[30:])


def test_a_transaction_runs_no_match(misuse):
    """It records who was looked up, which a transaction that fails could not undo."""
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry_of("match", 0)]}
    answer = misuse.world.send("nour", "POST", "", bundle)
    assert answer.status_code == 400
    assert misuse.world.ids["anne"] not in answer.get_data(as_text=True)


@pytest.mark.parametrize("who", ["anne", "camille"])
def test_whoever_may_look_nobody_up_may_not_by_a_batch(misuse, who):
    world = misuse.world
    found = world.send(who, "POST", "", {
        "resourceType": "Bundle", "type": "batch", "entry": [entry_of("match", 0)],
    }).get_json()["entry"]  # fmt: skip
    assert statuses(found) == ["403"]


def test_refused_questions_tell_nothing_and_cost_nothing(misuse):
    for _ in range(65):
        assert 400 <= match(misuse.world, "nour", {"resourceType": "Patient"}).status_code < 429
    assert match(misuse.world, "nour", TRAITS).status_code == 200
