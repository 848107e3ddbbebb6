"""The decision compared with a second statement of it, in every abstract state.

The product of all axes has 7 * 10^13 states. Axes that no statement joins are not multiplied with each other: a space
of states multiplies those that a group of statements joins; the others keep a value that neither grants nor forbids.
That nothing else joins them is sampled across all axes at once. HABILIS_TEST_WHOLE_SPACE=1 multiplies more of them.
"""

import os
import random
from functools import cache

import pytest

from consent_rules.enter import enter
from consent_rules.matrix import published
from consent_rules.model import Entry
from consent_rules.vocabulary import View
from tests.laws import abstract_states as abstract
from tests.laws.abstract_spaces import DEFAULTS, EVERYTHING, SPACES, WHOLE
from tests.laws.independent_oracle import sees, ways

PROFILES = abstract.profiles()
MATRIX = published()
CHOSEN = WHOLE if os.environ.get("HABILIS_TEST_WHOLE_SPACE") == "1" else SPACES
SAMPLED = 20_000


def _items(action):
    return abstract.TRACES if action == "traces" else abstract.DOCUMENTS


@cache
def _seen(way, who, history, withheld, action):
    """Return what the oracle shows by one way, as the numbers of the documents."""
    about = {"who": who, "history": history, "withheld": withheld}
    return frozenset(
        number
        for number, (facts, _) in enumerate(_items(action))
        if sees(way, facts | about | {"cell": abstract.cell(who, facts.get("kind", ""))})
    )


@cache
def _foreseen(found, *about):
    return frozenset().union(*(_seen(way, *about) for way in found))


@cache
def _shown(clauses, action):
    """Return what clauses show, as the numbers of the documents."""
    return frozenset(n for n, (_, item) in enumerate(_items(action)) if any(clause.admits(item) for clause in clauses))


def decided(facts):
    """Return what the rules show in a state: None for a refusal, else the numbers of the documents."""
    request, record = abstract.question(facts)
    answer = enter(request, record, MATRIX, PROFILES[facts["profile"]])
    if not isinstance(answer, Entry):
        return None
    if facts["action"] in ("deposit", "open-emergency"):
        return frozenset()
    part = View.TRACES if facts["action"] == "traces" else View.DOCUMENTS
    return _shown(answer.views.get(part, ()), facts["action"])


def foretold(facts):
    """Return what the oracle shows in a state, in the same words."""
    found = ways(facts)
    if not found:
        return None
    if facts["action"] in ("deposit", "open-emergency"):
        return frozenset()
    return _foreseen(found, facts["who"], facts["history"], facts["withheld"], facts["action"])


class TestTheOracleWrittenByOtherHands:
    """The decision is the one that the statements give when somebody else writes them down."""

    @pytest.mark.parametrize("name", CHOSEN)
    def test_of_every_state_the_same_is_said(self, name):
        for facts in abstract.states(DEFAULTS, **CHOSEN[name]):
            assert decided(facts) == foretold(facts), facts

    def test_across_all_axes_the_same_is_said(self):
        chance = random.Random(2026)
        for _ in range(SAMPLED):
            facts = abstract.state({axis: chance.choice(values) for axis, values in EVERYTHING.items()})
            assert decided(facts) == foretold(facts), facts

    @pytest.mark.parametrize("name", SPACES)
    def test_no_space_of_states_is_idle(self, name):
        """Each has refusals and at least two different views, else comparing would show nothing."""
        chance, axes = random.Random(2026), SPACES[name]
        some = ({axis: chance.choice(tuple(axes[axis])) for axis in axes} for _ in range(1000))
        answers = {foretold(abstract.state(DEFAULTS | facts)) for facts in some}
        assert None in answers
        assert len(answers) > 2
