"""Rule profiles: the packaged ones, every fault named, and a country that is added without code."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consent_rules import rule_profile
from consent_rules.rule_profile import Ceilings, Detection, ProfileError, RuleProfile, Span, parse, profile
from consent_rules.vocabulary import Mark, Proof
from tests.holds import holds
from tests.rules.builders import (
    MARTIN,
    NOW,
    PAUL,
    SOCIAL_WORKER,
    agreement,
    ask,
    document,
    entered,
    reason,
    sees,
    space,
)

FR_TEXT = (Path(rule_profile.__file__).parent / "data" / "countries" / "fr.toml").read_text("utf-8")


def changed(*pairs):
    text = FR_TEXT
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


def test_the_packaged_ones_are_french_and_european():
    assert rule_profile.names() == ("ehds", "fr")
    assert profile("fr").name == "fr"
    assert profile("ehds").name == "ehds"


def test_french_terms_are_those_of_the_law():
    fr = profile("fr")
    assert (fr.notice, fr.suspension) == (Span.parse("6w"), Span.parse("6w"))
    assert (fr.archive, fr.erasure) == (Span.parse("10y"), Span.parse("3mo"))
    assert (fr.information_of_sealed, fr.sealed) == (Span.parse("2w"), Span.parse("1mo"))
    assert (fr.carers_per_patient, fr.patients_per_carer, fr.majority_age) == (3, 5, 18)
    assert (fr.break_glass, fr.regulation) == (Span.parse("24h"), Span.parse("1h"))
    assert not fr.non_health_roles
    assert not fr.occupational_physicians


def test_the_european_one_differs_in_who_reads_what_is_hidden_and_in_the_will_of_minors():
    fr, ehds = profile("fr"), profile("ehds")
    different = {item.name for item in fields(RuleProfile) if getattr(fr, item.name) != getattr(ehds, item.name)}
    hidden = {"declared_physician_sees_hidden", "administrator_sees_hidden"}
    assert different == {"name", "minor_limits_representatives", *hidden}
    assert (fr.minor_limits_representatives, ehds.minor_limits_representatives) == (False, True)


def test_an_unknown_name_is_refused():
    with pytest.raises(ProfileError, match="there is no rule profile `uk`; there are ehds, fr"):
        profile("uk")


def test_a_name_is_no_path():
    with pytest.raises(ProfileError, match="there is no rule profile"):
        profile("../countries/fr")


def test_a_file_gives_a_profile_of_ones_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(changed(('name = "fr"', 'name = "own"'), ("majority_age = 18", "majority_age = 19")), "utf-8")
    assert rule_profile.from_file(path) == replace(profile("fr"), name="own", majority_age=19)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"\xff", "cannot be read"), (b"name", "this is no TOML"), (b"name = 1", "is missing")],
)
def test_a_file_that_is_none_says_why(tmp_path, content, message):
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProfileError, match=message):
        rule_profile.from_file(path)


def test_every_key_is_explained_where_it_stands():
    for item in (*fields(RuleProfile), *fields(Ceilings), *fields(Detection)):
        assert f"\n{item.name} = " in FR_TEXT or f"{item.name}]\n" in FR_TEXT


@holds("V10", "V11")
def test_what_one_key_opens_has_the_limits_of_the_page_of_evidence():
    assert profile("fr").ceilings == Ceilings(
        spaces_an_hour=20,
        spaces_a_day=60,
        spaces_a_day_each=30,
        identities_an_hour=60,
        identities_an_hour_each=60,
        emergency_window=Span.parse("12h"),
        emergency_second_factor=4,
        emergency_officer=8,
        emergency_usual_days=3,
        emergency_usual_window=Span.parse("28d"),
        deposits_an_hour=60,
        admissions_a_day_each=30,
        cards_a_day=150,
        failed_codes_an_hour=10,
        failed_codes_an_hour_in_all=10_000,
        requests_a_second=50,
        requests_a_minute=600,
        client_requests_a_minute=6000,
        doubled=2,
        doublings_a_day=1,
        breaker_days=3,
        breaker_window=Span.parse("30d"),
        breaker_contests=2,
    )


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("majority_age = 18", "adult = 18")], "profile key `adult` is unknown"),
        ([("majority_age = 18", "")], "profile key `majority_age` is missing"),
        ([("majority_age = 18", 'majority_age = "18"')], "profile key `majority_age` must be int"),
        ([("majority_age = 18", "majority_age = true")], "profile key `majority_age` must be int"),
        ([('notice = "6w"', "notice = 6")], "profile key `notice` must be str"),
        ([('notice = "6w"', 'notice = "6 weeks"')], "`6 weeks` is no length of time such as 24h, 6w, 1mo or 10y"),
        ([("non_health_roles = false", "non_health_roles = 0")], "profile key `non_health_roles` must be bool"),
        ([("spaces_an_hour = 20", "spaces = 20")], "profile key `ceilings.spaces` is unknown"),
        ([("spaces_an_hour = 20", "")], "profile key `ceilings.spaces_an_hour` is missing"),
        ([("spaces_an_hour = 20", 'spaces_an_hour = "20"')], "profile key `ceilings.spaces_an_hour` must be int"),
        (
            [('care_history_kinds = ["REMB"]', 'care_history_kinds = "REMB"')],
            "profile key `care_history_kinds` must be list",
        ),
        ([('card = "24h"', 'handshake = "24h"')], "profile key `proofs`: 'handshake' is not a valid Proof"),
        (
            [('card = "24h"', 'card = "soon"')],
            "profile key `proofs`: `soon` is no length of time such as 24h, 6w, 1mo or 10y",
        ),
    ],
)
def test_a_fault_names_its_key(pairs, message):
    with pytest.raises(ProfileError) as caught:
        parse(changed(*pairs))
    assert str(caught.value) == message


def test_proofs_that_are_no_table_are_named():
    settled, ceilings = FR_TEXT.split("[ceilings]")
    with pytest.raises(ProfileError, match="profile key `proofs` must be dict"):
        parse(settled.partition("[proofs]")[0] + 'proofs = ["card"]\n[ceilings]' + ceilings)


def test_ceilings_that_are_no_table_are_named():
    settled, ceilings = FR_TEXT.split("[ceilings]")
    detection = ceilings.partition("[detection]")[2]
    with pytest.raises(ProfileError, match="profile key `ceilings` must be dict"):
        parse(settled.replace("[proofs]", "ceilings = 20\n[proofs]") + "[detection]" + detection)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15min", datetime(2026, 1, 31, 9, 15, tzinfo=UTC)),
        ("24h", datetime(2026, 2, 1, 9, tzinfo=UTC)),
        ("90d", datetime(2026, 5, 1, 9, tzinfo=UTC)),
        ("6w", datetime(2026, 3, 14, 9, tzinfo=UTC)),
        ("1mo", datetime(2026, 2, 28, 9, tzinfo=UTC)),
        ("11mo", datetime(2026, 12, 31, 9, tzinfo=UTC)),
        ("12mo", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("10y", datetime(2036, 1, 31, 9, tzinfo=UTC)),
    ],
)
def test_a_length_of_time_ends_where_the_calendar_says(text, expected):
    assert Span.parse(text).after(datetime(2026, 1, 31, 9, tzinfo=UTC)) == expected


def test_a_month_ends_on_the_last_day_of_february_in_a_leap_year():
    assert Span.parse("1mo").after(datetime(2024, 1, 30, tzinfo=UTC)) == datetime(2024, 2, 29, tzinfo=UTC)


def test_a_country_is_added_without_code():
    elsewhere = parse(
        changed(
            ('name = "fr"', 'name = "elsewhere"'),
            ("non_health_roles = false", "non_health_roles = true"),
            ('named_consent = "24h"', 'named_consent = "15min"'),
            ('oral = "24h"', 'oral = "1h"'),
            ("declared_physician_sees_hidden = true", "declared_physician_sees_hidden = false"),
        )
    )
    assert elsewhere.proofs[Proof.ORAL] == Span.parse("1h")
    worker = replace(PAUL, profession=SOCIAL_WORKER)
    team = space(agreement("Organization/cabinet"))
    assert entered(ask(worker, team, rules=elsewhere)).basis == "care-team"
    assert reason(ask(worker, team)) == "not-entitled"
    named = space(agreement("Practitioner/martin", recorded_at=NOW))
    assert entered(ask(MARTIN, named, rules=elsewhere, at=NOW + timedelta(minutes=14))).basis == "consent"
    assert reason(ask(MARTIN, named, rules=elsewhere, at=NOW + timedelta(minutes=15))) == "consent-used"
    assert not sees(ask(MARTIN, named, rules=elsewhere), document(marks=Mark.MASQUE_PS))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("address = 12", "profile key `detection.points` must be dict"),
        ('address = "6"', "profile key `detection.points.address` must be int"),
    ],
)
def test_points_of_detection_are_a_table_of_numbers(said, problem):
    before, _, points = FR_TEXT.partition("[detection.points]")
    text = FR_TEXT.replace("address = 12", said) if '"' in said else before + "points = 6\n"
    assert "address" in points
    with pytest.raises(ProfileError, match=problem):
        parse(text)
