"""What a granular scope leaves of what somebody sees: the union of its limits, and never more."""

from datetime import UTC, datetime, timedelta

from consent_rules.visibility import AccessFacts, Clause, Extent, Visibility, micros

BIOLOGY, LETTER = AccessFacts("camille", "11502-2", "10"), AccessFacts("camille", "34112-3", "20")
WHOLE = Visibility("camille", (Clause(knows_marks=True), Clause(owned_by=frozenset({"Practitioner/paul"}))))
NOTHING_SAID = (None, None)


def seen(visibility, *documents):
    return [visibility.admits(document) for document in documents]


def test_each_limit_opens_what_it_names():
    limits = ((frozenset({"11502-2"}), None), (None, frozenset({"20"})))
    narrowed = WHOLE.narrowed_to_any(limits)
    assert seen(narrowed, BIOLOGY, LETTER, AccessFacts("camille", "x", "y")) == [True, True, False]
    assert narrowed.knows_marks(BIOLOGY)


def test_both_conditions_of_a_limit_hold():
    narrowed = WHOLE.narrowed_to_any(((frozenset({"11502-2"}), frozenset({"20"})),))
    assert seen(narrowed, BIOLOGY, LETTER) == [False, False]


def test_no_limit_leaves_nothing_and_one_that_says_nothing_leaves_all():
    assert WHOLE.narrowed_to_any(()) == Visibility("camille")
    assert WHOLE.narrowed_to_any((NOTHING_SAID,)) == WHOLE


def test_the_documents_of_another_space_stay_out():
    narrowed = WHOLE.narrowed_to_any((NOTHING_SAID,))
    assert seen(narrowed, AccessFacts("zoe", "11502-2", "10")) == [False]


def test_what_is_excluded_is_seen_in_no_way():
    letters = Extent(kinds=frozenset({"34112-3"}))
    paul = AccessFacts("camille", "34112-3", "20", owner_person="Practitioner/paul")
    assert seen(WHOLE.without((letters,)), BIOLOGY, LETTER, paul) == [True, False, False]
    twice = WHOLE.without((letters,)).without((Extent(kinds=frozenset({"11502-2"})),))
    assert seen(twice, BIOLOGY, LETTER, paul) == [False, False, False]
    assert WHOLE.without(()) == WHOLE


def test_a_limit_narrows_what_was_narrow():
    narrow = Visibility("camille", (Clause(frozenset({"11502-2", "34112-3"}), frozenset({"10"})),))
    assert narrow.narrowed_to_any(((frozenset({"11502-2", "x"}), frozenset({"10", "20"})),)).clauses == (
        Clause(frozenset({"11502-2"}), frozenset({"10"})),
    )
    assert narrow.narrowed_to_any(((None, frozenset({"20"})), (frozenset({"x"}), None))).clauses == (
        Clause(frozenset({"11502-2", "34112-3"}), frozenset()),
        Clause(frozenset(), frozenset({"10"})),
    )


def test_an_instant_is_exact_to_the_microsecond_however_late():
    late = datetime(9000, 1, 1, tzinfo=UTC)
    assert micros(late + timedelta(microseconds=1)) - micros(late) == 1
    assert micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
