"""A choice that makes a rule fail is closed by itself; the space around it stays as it was (DESIGN 13).

Instants without a time zone stand for whatever may be wrong with a stored value: comparing them fails.
"""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_rules.consents.recording import tidied
from consent_rules.model import closed
from consent_rules.rule_profile import LAST, Span
from consent_rules.vocabulary import DirectiveKind, Purpose
from tests.rules.builders import DAY, FR, HOLDER, MARTIN, NOW, PAUL, agreement, ask, block, directive, reason, space

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the fault itself
_INSTANTS = st.datetimes(datetime(1, 1, 2), LAST.replace(tzinfo=None)).map(lambda at: at.replace(tzinfo=NOW.tzinfo))  # noqa: DTZ001


def test_a_faulty_agreement_opens_nothing_and_leaves_the_others():
    faulty = agreement("Practitioner/martin", id_="faulty", start=NAIVE)
    record = space(faulty, agreement("Practitioner/paul", id_="good"))
    assert reason(ask(MARTIN, record)) == "no-consent"
    assert ask(PAUL, record).basis == "consent"
    assert ask(HOLDER, record).basis == "patient"


def test_a_faulty_block_still_blocks_whom_it_names():
    record = space(block("Practitioner/paul", id_="faulty", end=NAIVE), agreement("Practitioner/paul", id_="good"))
    assert reason(ask(PAUL, record)) == "blocked"


def test_a_faulty_switch_stays_a_switch_of_its_mode():
    record = space(block(id_="faulty", end=NAIVE, purposes=frozenset({Purpose.BREAK_GLASS})))
    assert reason(ask(PAUL, record, purpose=Purpose.BREAK_GLASS)) == "emergency-off"
    assert reason(ask(PAUL, record)) == "no-consent"


def test_two_choices_that_fail_only_together_close_the_later_one():
    good = agreement("Practitioner/paul", id_="good")
    lifted = directive(DirectiveKind.BLOCK_LIFTED, "Practitioner/paul", id_="faulty", recorded_at=NAIVE)
    record = space(good, agreement("Practitioner/martin", id_="other"), lifted)
    assert reason(ask(PAUL, record)) == "no-consent", "a block of unknown time comes after every agreement"
    assert ask(MARTIN, record).basis == "consent"


def test_a_restricting_choice_of_which_nothing_can_be_read_refuses():
    record = space(replace(block("Practitioner/paul"), excluded=None), agreement("Practitioner/paul", id_="good"))
    assert reason(ask(PAUL, record)) == "rule-error"
    assert ask(HOLDER, record).basis == "patient"


def test_the_answer_names_the_choice_that_failed():
    answer = ask(PAUL, space(agreement("Practitioner/martin", id_="faulty", start=NAIVE)))
    assert [(rule.statement, rule.outcome, rule.consents) for rule in answer.rules if "error" in rule.outcome] == [
        ("D3", "error TypeError", ("faulty",))
    ]


def test_a_request_without_a_time_zone_is_refused_whatever_stands_in_the_space():
    assert reason(ask(PAUL, space(agreement("Practitioner/paul", start=NOW - DAY)), at=NAIVE)) == "rule-error"


@pytest.mark.parametrize("kind", DirectiveKind)
def test_what_is_closed_opens_nothing_that_was_shut(kind):
    kept = closed(directive(kind, "Practitioner/paul", start=NAIVE))
    restricting = {
        DirectiveKind.BLOCK,
        DirectiveKind.BLOCK_LIFTED,
        DirectiveKind.WITHHELD,
        DirectiveKind.HIDDEN_BY_DEFAULT,
        DirectiveKind.CARE_HISTORY_HIDDEN,
        DirectiveKind.ASK_FIRST,
    }
    assert (kept is not None) == (kind in restricting)
    assert kept is None or kept.holds_at(NOW)


@given(_INSTANTS, st.sampled_from(["6w", "1mo", "10y", "24h", "15min", "9000y"]))
def test_a_length_of_time_ends_later_than_it_begins_and_never_after_the_last_instant(start, text):
    assert start <= Span.parse(text).after(start) <= LAST


@given(_INSTANTS, _INSTANTS)
def test_whatever_an_agreement_says_the_state_can_be_tidied(start, recorded_at):
    record = space(agreement("Practitioner/paul", start=start, recorded_at=recorded_at))
    assert set(tidied(record, NOW, FR).directives) <= set(record.directives)
