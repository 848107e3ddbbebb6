"""An operator's own profile with other numbers is served by those numbers: none of them is in the code (V1 to V13).

Every number differs from those of `fr` and `ehds`.
"""

import re
from dataclasses import replace
from importlib.resources import files

import pytest

from consent_rules.vocabulary import Purpose
from tests.adversarial.misuse import IDENTIFIER, Misuse, ins_of
from tests.adversarial.test_ways_round_ceilings import look_up
from tests.http.spaces import call
from tests.http.test_admissions import admission_system, encounter
from tests.http.test_invitations import WRONG, asked, invite, redeem
from tests.world import World

OTHER = {
    "named_consent": "2h",
    "declared_team_consent": "5d",
    "clock_skew": "20min",
    "invitation": "7min",
    "longest_invitation": "11min",
    "spaces_an_hour": 3,
    "spaces_a_day": 16,
    "identities_an_hour": 4,
    "emergency_window": "1h",
    "emergency_second_factor": 2,
    "deposits_an_hour": 1,
    "admissions_a_day_each": 1,
    "failed_codes_an_hour": 2,
    "doubled": 2,
    "doublings_a_day": 2,
    "breaker_days": 2,
}


def written(numbers):
    """Return the French profile with other numbers."""
    text = files("consent_rules").joinpath("data", "countries", "fr.toml").read_text("utf-8")
    for key, value in numbers.items():
        told = f'"{value}"' if isinstance(value, str) else str(value)
        text, found = re.subn(rf"(?m)^{key} = [^#\n]+", f"{key} = {told} ", text)
        assert found == 1, key
    return text


@pytest.fixture
def settings(settings, tmp_path):
    """The settings of an operator with a profile of their own."""
    path = tmp_path / "other.toml"
    path.write_text(written(OTHER), "utf-8")
    return replace(settings, rule_profile=str(path))


@pytest.fixture
def misuse(world: World) -> Misuse:
    return Misuse(world)


def opened(misuse, first):
    """Open spaces on a word until a ceiling refuses; return how many were opened."""
    return next(number for number in range(40) if misuse.opens("nour", first + number) != 200)


def looked_up(misuse, first):
    """Look identities up until a ceiling refuses; return how many were found."""
    return next(number for number in range(40) if look_up(misuse, first + number) != 200)


def test_a_ceiling_is_doubled_as_often_as_the_profile_says(misuse, clock):
    misuse.log_in("nour")
    assert looked_up(misuse, 0) == 4
    for total in (4, 8):
        clock.advance(seconds=1)  # a login counts that comes after the refusal
        misuse.log_in("nour")
        assert looked_up(misuse, total) == total
    clock.advance(seconds=1)
    misuse.log_in("nour")
    assert look_up(misuse, 20) == 429
    clock.advance(hours=1, minutes=2)
    assert looked_up(misuse, 20) == 4 * 4


def test_one_login_answers_the_refusals_of_two_ceilings(misuse, clock):
    misuse.log_in("nour")
    assert (opened(misuse, 0), opened(misuse, 3)) == (3, 0)  # what a refusal looks up fills the other ceiling
    clock.advance(seconds=1)
    misuse.log_in("nour")
    assert opened(misuse, 4) == 3


def test_the_breaker_counts_the_days_of_the_profile(misuse, clock):
    first = opened(misuse, 0)
    clock.advance(days=1, hours=1)
    second = opened(misuse, first)
    clock.advance(days=1, hours=1)
    assert (first, second, opened(misuse, first + second)) == (3, 3, 0)


def test_a_word_holds_for_the_times_of_the_profile(misuse, clock):
    for number, actor in enumerate(("nour", "chu")):
        assert misuse.world.send("nour", "POST", "/Consent", misuse.declared(number, actor)).status_code == 201
    seen = []
    for hours in (0, 1.99, 0.02, 117.98, 0.02):  # just before and after two hours, and just before and after five days
        clock.advance(hours=hours)
        misuse.log_in("nour")
        seen.append((misuse.enters("nour", 0), misuse.enters("nour", 1)))
    assert seen == [(200, 200), (200, 200), (403, 200), (403, 200), (403, 403)]


def test_identities_are_counted_to_the_number_of_the_profile(world: World):
    found = [world.get("nour", f"/Patient?identifier={IDENTIFIER}{ins_of(number)}").status_code for number in range(6)]
    assert found == [200] * 4 + [429] * 2


def test_emergencies_ask_for_a_login_from_the_number_of_the_profile_on(misuse):
    misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
    reason = asked(reason="coma")
    paths = [f"/Patient/{misuse.person(number)}/$break-glass" for number in range(3)]
    assert [misuse.world.send("nour", "POST", path, reason).status_code for path in paths] == [200, 200, 401]


def test_a_code_lives_and_is_tried_as_the_profile_says(world: World, clock):
    late = invite(world)
    clock.advance(minutes=8)
    assert redeem(world, "martin", late).status_code == 422
    assert call(world, "camille", "invite", "camille", asked(minutes=12)).status_code == 422
    right = invite(world, minutes=11)
    assert redeem(world, "martin", WRONG).status_code == 422
    assert redeem(world, "martin", right).status_code == 429
    assert redeem(world, "nour", right).status_code == 200


def test_an_establishment_begins_as_many_stays_as_the_profile_says(misuse):
    admission_system(misuse.world)
    bodies = [encounter(misuse.world, patient=misuse.person(number)) for number in range(2)]
    assert [misuse.world.send("chu-adt", "POST", "/Encounter", body).status_code for body in bodies] == [201, 429]
