"""The decision compared with a second statement of it, in every abstract state.

The product of all axes has 5 * 10^16 states. Axes that no statement joins are not multiplied with each other: a space
of states multiplies those that a group of statements joins; the others keep a value that neither grants nor forbids.
That nothing else joins them is sampled across all axes at once. HABILIS_TEST_WHOLE_SPACE=1 multiplies more of them.
"""

import os
import random
from functools import cache

import pytest

from consent_rules.decision.decide import decide
from consent_rules.matrix.table import published
from consent_rules.model import Permit
from consent_rules.visibility import AccessFacts, Visibility
from consent_rules.vocabulary import DirectiveKind, Mark, View
from tests.laws import abstract_states as abstract
from tests.laws.abstract_spaces import DEFAULTS, EVERYTHING, SPACES, WHOLE
from tests.laws.independent_oracle import FACTS, SHOWN, grade, sees, ways

PROFILES = abstract.profiles()
MATRIX = published()
CHOSEN = WHOLE if os.environ.get("HABILIS_TEST_WHOLE_SPACE") == "1" else SPACES
SAMPLED = 20_000


def _items(action):
    return abstract.TRACES if action == "traces" else abstract.DOCUMENTS


@cache
def _seen(way, who, action, *about):
    """Return what the oracle shows by one way, as the numbers of the documents."""
    about = {"who": who} | dict(about)
    return frozenset(
        number
        for number, (facts, _) in enumerate(_items(action))
        if _tells(way, facts | about | {"cell": abstract.cell(who, facts.get("kind", ""))})
    )


def _tells(way, facts):
    return _told(way, *(facts.get(axis, "no") for axis in _axes(way)))


@cache
def _told(way, *values):
    return sees(way, dict(zip(_axes(way), values, strict=True)))


@cache
def _axes(way):
    """Return the axes on which a way of seeing depends: those of its lines, and of what these are derived from."""
    derived, found = {name for name, _ in FACTS}, {axis for name, when in SHOWN if name == way for axis, *_ in when}
    while more := {axis for name, when in FACTS if name in found for axis, *_ in when} - found:
        found |= more
    return tuple(sorted(found - derived))


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
    answer = decide(request, record, MATRIX, PROFILES[facts["profile"]])
    if not isinstance(answer, Permit):
        return None
    if facts["action"] in ("deposit", "open-emergency"):
        return frozenset()
    part = View.TRACES if facts["action"] == "traces" else View.DOCUMENTS
    return _shown(answer.views.get(part, ()), facts["action"]), answer.grade if part is View.DOCUMENTS else None


def foretold(facts):
    """Return what the oracle shows in a state, in the same words."""
    found = ways(facts)
    if not found:
        return None
    if facts["action"] in ("deposit", "open-emergency"):
        return frozenset()
    of_family = ("profile", "age", "kept", "shared") if facts["who"] == "related" else ()
    of_giver = ("kept",) if facts["given-by"] == "code-of-relative" else ()
    about = tuple((axis, facts[axis]) for axis in ("history", "withheld", *(of_family or of_giver)))
    foreseen = _foreseen(found, facts["who"], facts["action"], *about)
    return foreseen, grade(facts) if facts["action"] == "consult" else None


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


CHOICES = tuple(
    AccessFacts(abstract.SPACE, kind.value, "", Mark.NONE, None, *owner)
    for kind in DirectiveKind
    for owner in abstract.OWNERS.values()
)
TOLD = {"agreement", "declared-physician", "administrator", "emergency-opening"}


def _sampled(action):
    chance = random.Random(2027)
    for _ in range(SAMPLED):
        facts = {axis: chance.choice(values) for axis, values in EVERYTHING.items()}
        state = abstract.state(facts | {"action": action})
        answer = decide(*abstract.question(state), MATRIX, PROFILES[state["profile"]])
        if isinstance(answer, Permit):
            yield state, answer


@cache
def _marks_known(clauses):
    seen = Visibility(abstract.SPACE, clauses)
    return frozenset(n for n, (_, item) in enumerate(abstract.DOCUMENTS) if seen.knows_marks(item))


def _deposited(*owners):
    return frozenset(n for n, (facts, _) in enumerate(abstract.DOCUMENTS) if facts["owner"] in owners)


class TestFewKnowTheMarks:
    """The marks are known to the holder's side, the depositor, and whoever reads hidden documents by right (E5)."""

    def test_in_every_view(self):
        own, by_right = _deposited("person", "establishment"), ("declared", "administrator")
        for state, answer in _sampled("consult"):
            known = _marks_known(answer.views[View.DOCUMENTS])
            if state["who"] == "software":
                assert known <= _deposited("software", "establishment"), state
            elif state["who"] not in ("holder", "related"):
                appointed = state["profile"] != "ehds" and any(state[axis] == "current" for axis in by_right)
                assert appointed or known <= own, state


class TestNobodyElseReadsTheHoldersChoices:
    """Which blocks, hidings and settings the holder chose is shown to the holder and representatives only (H4, F1)."""

    @pytest.mark.parametrize("action", ["consult", "traces", "deposit", "open-emergency"])
    def test_of_every_kind_of_choice(self, action):
        for state, answer in _sampled(action):
            if state["who"] == "holder" or (state["who"] == "related" and state["authority"] != "carer"):
                continue
            seen = answer.sees(View.DIRECTIVES)
            assert not [item for item in CHOICES if item.kind not in TOLD and seen.admits(item)], state
            assert not [item for item in CHOICES if not item.owners and seen.admits(item)], state
