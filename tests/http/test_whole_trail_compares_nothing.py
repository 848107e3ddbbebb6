"""A search of the audit log of all spaces compares no events one by one: its cost has other bounds (ADR 109, 118)."""

import pytest

from tests.http.test_reviews import of_people
from tests.world import World


@pytest.mark.parametrize("query", ["_sort=action,date", "agent-name:contains=a"])
def test_nothing_is_compared_one_by_one_over_all_spaces(world: World, query):
    """To ignore the criterion would widen the answer."""
    of_people(world)
    answer = world.get("dana", f"/AuditEvent?date=ge2026-03-02&date=lt2026-03-03&{query}")
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (400, "not-supported")
