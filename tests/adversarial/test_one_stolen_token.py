"""Fear: that one physician's token and nothing but a word opens a nation (V10 and V11).

The same attacks once opened 4,789 spaces a minute; the figures here are what the profile `fr` lets through.
"""

import pytest

from consent_rules.vocabulary import Purpose
from tests.adversarial.misuse import IDENTIFIER, Misuse, ins_of
from tests.holds import holds
from tests.world import INS as INS_SYSTEM
from tests.world import World

STRANGERS = 130


@pytest.fixture
def misuse(world: World) -> Misuse:
    found = Misuse(world)
    found.employ("chu", 5)
    return found


def challenge(answer):
    return answer.headers.get("WWW-Authenticate", "")


@holds("V10")
def test_one_token_opens_20_spaces_an_hour_and_60_a_day(misuse, clock):
    misuse.log_in("nour")
    clock.advance(minutes=10)
    opened, hours = 0, []
    for _ in range(5):
        entered = next(n for n in range(STRANGERS) if misuse.opens("nour", opened + n) != 200)
        hours.append(entered)
        opened += entered
        clock.advance(hours=1, minutes=1)
    assert hours == [20, 20, 20, 0, 0]


@holds("V11")
def test_a_fresh_second_factor_doubles_the_ceiling_once_a_day(misuse, clock):
    misuse.log_in("nour")
    clock.advance(minutes=10)
    statuses = [misuse.opens("nour", number) for number in range(21)]
    assert statuses == [200] * 20 + [403]
    refused = misuse.world.send("nour", "POST", "/Consent", misuse.declared(20, "nour"))
    assert refused.status_code == 401
    assert challenge(refused) == (
        'Bearer realm="habilis", error="insufficient_user_authentication", acr_values="eidas2", max_age="300"'
    )
    misuse.log_in("nour")
    assert [misuse.opens("nour", number) for number in range(20, 41)].count(200) == 20
    misuse.log_in("nour")
    last = misuse.world.send("nour", "POST", "/Consent", misuse.declared(41, "nour"))
    assert last.status_code == 429
    assert 0 < int(last.headers["Retry-After"]) <= 3660
    assert "spaces-an-hour" in last.get_data(as_text=True)


def test_a_weak_login_doubles_nothing(misuse):
    misuse.log_in("nour", acr="eidas1")
    assert [misuse.opens("nour", number) for number in range(25)].count(200) == 20


def test_with_every_step_up_one_token_opens_120_spaces_a_day(misuse, clock):
    opened = 0
    for _ in range(6):
        misuse.log_in("nour")
        opened += next(n for n in range(STRANGERS) if misuse.opens("nour", opened + n) != 200)
        clock.advance(hours=1, minutes=1)
    assert opened == 120


def test_a_batch_stops_at_what_is_left_and_says_which_entries_were_done(misuse):
    declare = [("POST", "Consent", misuse.declared(number, "nour")) for number in range(30)]
    search = [("GET", f"DocumentReference?patient={misuse.person(number)}", None) for number in range(30)]
    statuses = misuse.batch("nour", *declare, *search)
    assert statuses[:30] == [201] * 20 + [429] * 10
    assert statuses[30:] == [200] * 20 + [403] * 10


def test_a_transaction_above_the_ceiling_declares_nothing(misuse):
    entries = [("POST", "Consent", misuse.declared(number, "nour")) for number in range(21)]
    assert misuse.batch("nour", *entries, kind="transaction") == [429]
    assert misuse.batch("nour", *entries[:20], kind="transaction") == [201] * 20


def test_the_answer_at_a_ceiling_names_no_patient(misuse):
    for number in range(20):
        misuse.opens("nour", number)
    refused = misuse.world.send("nour", "POST", "/Consent", misuse.declared(20, "nour"))
    assert refused.status_code == 429
    assert misuse.person(20) not in refused.get_data(as_text=True)
    assert ins_of(120) not in refused.get_data(as_text=True)


def test_agreements_for_the_team_and_for_colleagues_count_for_who_declares_them(misuse):
    actors = ("chu", "zoe", "nour")
    done = [
        misuse.world.send("nour", "POST", "/Consent", misuse.declared(number, actors[number % 3])).status_code
        for number in range(30)
    ]
    assert done.count(201) == 20


def test_a_colleague_named_by_somebody_else_enters_on_an_own_count(misuse):
    for number in range(20):
        assert misuse.world.send("nour", "POST", "/Consent", misuse.declared(number, "martin")).status_code == 201
    entered = [misuse.enters("martin", number) for number in range(20)]
    assert entered == [200] * 20
    misuse.world.send("martin", "POST", "/Consent", misuse.declared(21, "martin"))
    assert misuse.enters("martin", 21) == 403


def test_reads_in_an_open_space_count_once(misuse):
    for number in range(20):
        assert misuse.opens("nour", number) == 200
    for _ in range(3):
        statuses = [misuse.enters("nour", number) for number in range(20)]
        assert statuses == [200] * 20


def test_the_patient_s_own_agreement_counts_nothing(misuse):
    for number in range(20):
        misuse.opens("nour", number)
    assert misuse.world.agree("camille", "nour").status_code == 201
    assert misuse.world.get("nour", f"/DocumentReference?patient={misuse.world.ids['camille']}").status_code == 200


@pytest.mark.parametrize("known", [True, False], ids=["hits", "misses"])
def test_60_identities_an_hour_are_looked_up_hits_and_misses(misuse, clock, known):
    first = 100 if known else 700
    paths = [f"/Patient?identifier={IDENTIFIER}{ins_of(first + number)}" for number in range(70)]
    assert [misuse.world.get("nour", path).status_code for path in paths] == [200] * 60 + [429] * 10
    clock.advance(hours=1, minutes=1)
    assert misuse.world.get("nour", paths[0]).status_code == 200


@pytest.mark.parametrize("known", [True, False], ids=["hits", "misses"])
def test_every_way_of_looking_up_counts_alike(misuse, known):
    first = 100 if known else 700
    for number in range(30):
        misuse.world.get("nour", f"/DocumentReference?patient.identifier={IDENTIFIER}{ins_of(first + number)}")
        named = {"identifier": {"system": INS_SYSTEM, "value": ins_of(first + 40 + number)}}
        misuse.world.send("nour", "POST", "/Consent", misuse.world.consent("nour", "deny") | {"patient": named})
    assert misuse.world.get("nour", f"/Patient?identifier={IDENTIFIER}{ins_of(800)}").status_code == 429


def test_a_blocked_and_an_unknown_space_count_alike(misuse):
    world = misuse.world
    assert world.agree("camille", "nour", "deny").status_code == 201
    blocked = f"/DocumentReference?patient.identifier={IDENTIFIER}284039999900148"
    assert {world.get("nour", blocked).status_code for _ in range(60)} == {403}
    refused = [world.get("nour", path) for path in (blocked, blocked.replace("00148", "77777"))]
    assert [one.status_code for one in refused] == [429, 429]
    assert refused[0].get_json() == refused[1].get_json()


def test_from_the_fourth_emergency_on_each_asks_for_a_login_of_its_own(misuse, clock):
    misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
    assert [break_glass(misuse, number).status_code for number in range(5)] == [200] * 4 + [401]
    assert 'max_age="0"' in challenge(break_glass(misuse, 4))
    for number in range(4, 9):
        clock.advance(minutes=1)
        misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
        assert break_glass(misuse, number).status_code == 200


def break_glass(misuse, number):
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}
    return misuse.world.send("nour", "POST", f"/Patient/{misuse.person(number)}/$break-glass", parameters)
