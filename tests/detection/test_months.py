"""Detection on a small hospital's two weeks: what it explains, finds and leaves alone, and what the ceilings refuse.

`make bench-detection` plays whole months; the numbers of the rule profile were chosen by other seeds than these.
"""

import pytest

from consent_rules.rule_profile import profile
from tests.detection.misuse import KINDS, plant
from tests.detection.month import Size, month_of
from tests.detection.scoring import EARLIER, HELD_BACK, TUNING, Score, score
from tests.holds import holds

SMALL = Size(people=12_000, professionals=240, days=14)


@pytest.fixture(scope="module")
def played() -> Score:
    return score(EARLIER[0], profile("fr"), SMALL, KINDS)


def test_no_month_that_judges_was_used_for_tuning():
    assert not set(TUNING) & {*HELD_BACK, *EARLIER}
    assert not set(EARLIER) & set(HELD_BACK)
    assert len(HELD_BACK) == 2 * len(EARLIER) < len(TUNING)


def test_a_seed_gives_the_same_month_each_time():
    size = Size(people=2_000, professionals=60, days=3)
    first, second = (month_of(1, size) for _ in range(2))
    assert plant(first, KINDS) == plant(second, KINDS)
    assert first.accesses == second.accesses


@holds("V19")
def test_nearly_all_accesses_are_explained_by_somebody_else(played):
    assert played.share_explained >= 0.95


@holds("V21")
def test_planted_misuse_is_found_within_a_day(played):
    assert len(played.found) == len(KINDS)
    assert {one.kind for one in played.found if one.by_rules} >= {"scraper"}


def test_a_scraper_reads_a_hundred_spaces_at_most(played):
    assert 0 < played.most_read <= 100


def test_false_alarms_are_few(played):
    """In a small town many more staff and patients share a street, a name or a workplace than in a large one."""
    assert played.false_per_10_000 <= 6


def test_ceilings_refuse_nobody_whose_access_has_better_evidence_and_no_emergency(played):
    assert played.better_met == 0
    assert played.emergencies_met == 0
    assert played.emergencies > 0


def test_hardly_any_declared_access_in_ordinary_care_meets_a_ceiling(played):
    assert played.declared > 300
    assert played.share_met < 0.001
