"""The life of a space: every change legal or illegal, and terms that pass by themselves (A1, A3, A7–A11, A13)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from consent_rules.lifecycle import TRANSITIONS, after_death, age_at, erased_at, is_minor, may_move, status_at
from consent_rules.model import Deny, RuleApplied
from consent_rules.vocabulary import Action, SpaceStatus
from tests.holds import holds
from tests.rules.builders import ADULT, CHILD, DAY, FR, HOLDER, NOW, PAUL, agreement, ask, reason, space

S = SpaceStatus
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("before", "after"), list(product(SpaceStatus, SpaceStatus)), ids=str)
def test_every_change_is_legal_with_a_statement_or_refused(before, after):
    record = space(status=before, since=NOW, erasure_asked_at=NOW)
    answer = may_move(record, after, NOW, FR)
    if (before, after) == (S.ANNOUNCED, S.ACTIVE):
        assert (answer.reason, answer.rules[0].statement) == ("too-early", "A3")
    elif (before, after) == (S.CLOSED, S.ERASED):
        assert answer == RuleApplied("A9", "permit")
    elif (before, after) in TRANSITIONS:
        assert answer == RuleApplied(TRANSITIONS[before, after], "permit")
    else:
        assert answer.reason == "illegal-transition"
        assert answer.rules[0].outcome == f"a space cannot change from {before} to {after}"


def test_the_legal_changes_are_these():
    assert {(a.value, b.value): statement for (a, b), statement in TRANSITIONS.items()} == {
        ("announced", "opposed"): "A1",
        ("announced", "active"): "A3",
        ("opposed", "active"): "A10",
        ("active", "suspended"): "A11",
        ("active", "closed"): "A7",
        ("suspended", "active"): "A11",
        ("suspended", "closed"): "A7",
        ("closed", "active"): "A10",
        ("closed", "erased"): "A8",
    }


@holds("A3")
def test_a_space_opens_six_weeks_after_the_notice_and_not_before():
    record = space(status=S.ANNOUNCED, since=NOW)
    term = NOW + timedelta(weeks=6)
    assert status_at(record, term - SECOND, FR) is S.ANNOUNCED
    assert status_at(record, term, FR) is S.ACTIVE


def test_an_open_space_needs_no_job_to_be_entered():
    record = space(agreement("Organization/cabinet"), status=S.ANNOUNCED, since=NOW - timedelta(weeks=6))
    assert ask(PAUL, record).basis == "care-team"
    assert reason(ask(PAUL, record, at=NOW - DAY)) == "announced"


@holds("A1")
def test_an_opposition_stands_for_good():
    record = space(status=S.OPPOSED, since=NOW)
    assert status_at(record, NOW + 9000 * DAY, FR) is S.OPPOSED


@holds("A11")
def test_a_suspended_space_closes_after_six_weeks_and_is_erased_after_the_archive():
    record = space(status=S.SUSPENDED, since=NOW)
    closing = NOW + timedelta(weeks=6)
    assert status_at(record, closing - SECOND, FR) is S.SUSPENDED
    assert status_at(record, closing, FR) is S.CLOSED
    assert status_at(record, closing.replace(year=2036) - SECOND, FR) is S.CLOSED
    assert status_at(record, closing.replace(year=2036), FR) is S.ERASED


@holds("A8")
def test_a_closed_space_is_erased_after_ten_years():
    record = space(status=S.CLOSED, since=NOW)
    assert status_at(record, NOW.replace(year=2036) - SECOND, FR) is S.CLOSED
    assert status_at(record, NOW.replace(year=2036), FR) is S.ERASED


@holds("A9")
def test_an_express_request_erases_within_three_months():
    record = space(status=S.CLOSED, since=NOW, erasure_asked_at=NOW + DAY)
    assert erased_at(record, NOW, FR) == datetime(2026, 6, 3, 9, tzinfo=UTC)
    assert status_at(record, datetime(2026, 6, 3, 9, tzinfo=UTC), FR) is S.ERASED


def test_a_late_request_does_not_prolong_the_archive():
    asked = NOW.replace(year=2036) - DAY
    record = space(status=S.CLOSED, since=NOW, erasure_asked_at=asked)
    assert erased_at(record, NOW, FR) == NOW.replace(year=2036)


def test_erasure_before_the_archive_ends_needs_a_request():
    answer = may_move(space(status=S.CLOSED, since=NOW), S.ERASED, NOW, FR)
    assert isinstance(answer, Deny)
    assert (answer.reason, answer.rules[0].statement) == ("too-early", "A8")


@pytest.mark.parametrize("status", SpaceStatus)
def test_a_state_of_unknown_date_stays(status):
    assert status_at(space(status=status), NOW + 90000 * DAY, FR) is status


@pytest.mark.parametrize("status", [S.ACTIVE, S.ERASED])
def test_active_and_erased_spaces_stay(status):
    assert status_at(space(status=status, since=NOW), NOW + 90000 * DAY, FR) is status


def test_a_space_whose_archive_has_ended_is_directed_by_nobody():
    record = space(status=S.CLOSED, since=NOW.replace(year=2016))
    assert reason(ask(HOLDER, record, Action.DIRECT)) == "erased"
    assert ask(HOLDER, record, Action.DIRECT, at=NOW - DAY).basis == "patient"


@holds("A14")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (S.ACTIVE, S.CLOSED),
        (S.SUSPENDED, S.CLOSED),
        (S.ANNOUNCED, S.OPPOSED),
        (S.OPPOSED, S.OPPOSED),
        (S.CLOSED, S.CLOSED),
        (S.ERASED, S.ERASED),
    ],
)
def test_a_death_ends_a_space_for_good(before, after):
    """A14: an open space closes, one not yet open never opens, and nobody opens either again."""
    record = after_death(space(status=before, since=NOW), NOW + DAY, FR)
    assert (record.status, record.deceased) == (after, True)
    assert record.since == (NOW if before is after else NOW + DAY)
    answer = may_move(record, S.ACTIVE, NOW + DAY, FR)
    assert answer.reason == "illegal-transition"
    if (after, S.ACTIVE) in TRANSITIONS:
        assert answer.rules == (RuleApplied("A14", "the patient has died"),)
    assert status_at(record, NOW + 100 * DAY, FR) is after


def test_after_a_death_a_closed_space_may_still_be_erased():
    record = after_death(space(status=S.ACTIVE, erasure_asked_at=NOW), NOW, FR)
    assert may_move(record, S.ERASED, NOW, FR) == RuleApplied("A9", "permit")


def test_age_counts_whole_years():
    born = date(2008, 2, 29)
    assert age_at(born, date(2026, 2, 28)) == 17
    assert age_at(born, date(2026, 3, 1)) == 18
    assert age_at(None, date(2026, 3, 1)) is None


def test_minors_are_those_known_to_be_under_age():
    assert is_minor(space(born=CHILD), NOW, FR)
    assert not is_minor(space(born=ADULT), NOW, FR)
    assert not is_minor(space(born=None), NOW, FR)
    assert not is_minor(space(born=NOW.date().replace(year=2008)), NOW, FR)
    assert is_minor(space(born=NOW.date().replace(year=2008)), NOW - DAY, FR)
    assert not is_minor(space(born=CHILD), NOW, replace(FR, majority_age=7))
