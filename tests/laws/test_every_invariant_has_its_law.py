"""The 42 invariants of the policy are each held by a law of this folder."""

from tests.conformance.coverage_docs import by_number

INVARIANTS = [f"I{number:02}" for number in range(1, 43)]


def test_each_is_held_by_a_law():
    held = by_number()
    without = [one for one in INVARIANTS if not any(test.startswith("laws/") for test in held.get(one, ()))]
    assert without == []
