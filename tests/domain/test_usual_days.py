"""What is usual for an establishment, from its own past; and by how much a case grows that is met very often."""

from datetime import date, timedelta

import pytest

from fhir_server.domain.case_files import grows_by
from fhir_server.domain.usual_days import DailyCounts

MONDAY, WINDOW = date(2026, 3, 2), 28


def past(*numbers):
    """Return the counts of days that end the day before MONDAY."""
    counts = DailyCounts()
    for place, number in enumerate(numbers):
        for each in range(number):
            counts.note(MONDAY - timedelta(days=len(numbers) - place), f"{place} {each}", WINDOW)
    return counts


@pytest.mark.parametrize(
    ("numbers", "usual"),
    [
        ((), 0),
        ((20,), 20),
        ((4, 20), 12),
        ((5, 6), 6),
        ((20, 22, 900), 22),
        ((3, 0, 0), 0),
        ((*[10] * 20, *[0] * 8), 10),
        ((100, *[10] * 28), 10),
    ],
)
def test_the_usual_day_is_the_median_of_the_days_before_since_the_first_known_one(numbers, usual):
    assert past(*numbers).usual(MONDAY, WINDOW) == usual


def test_today_is_no_part_of_what_is_usual():
    counts = past(4, 4)
    assert [counts.note(MONDAY, f"today {each}", WINDOW) for each in range(9)][-1] == 9
    assert counts.usual(MONDAY, WINDOW) == 4


def test_the_same_opening_counts_once():
    counts = DailyCounts()
    assert [counts.note(MONDAY, name, WINDOW) for name in ("a", "a", "b", "b")] == [1, 1, 2, 2]


def test_what_is_kept_stays_small_and_late_news_changes_only_its_own_day():
    counts = past(*[3] * 400)
    counts.note(MONDAY, "today", WINDOW)
    assert counts.note(MONDAY - timedelta(days=1), "late", WINDOW) == 4
    assert counts.note(MONDAY - timedelta(days=200), "far too late", WINDOW) == 0
    assert (len(counts.days), len(counts.latest)) == (WINDOW + 1, 20)


def test_a_case_says_two_digits_of_how_often_and_a_flood_costs_few_writes():
    grown = {times: sum(grows_by(one) for one in range(1, times + 1)) for times in (1, 9, 99, 100, 109, 110, 12_345)}
    assert grown == {1: 1, 9: 9, 99: 99, 100: 100, 109: 100, 110: 110, 12_345: 12_000}
    assert sum(grows_by(one) > 0 for one in range(1, 100_001)) == 370
