"""docs/rules.md says what the code does today, and nothing is uncovered without a reason."""

from tests.rules import rules_docs


def test_the_page_is_current():
    assert rules_docs.PAGE.read_text("utf-8") == rules_docs.page(), "run: python -m tests.rules.rules_docs"


def test_every_statement_has_a_rule_and_a_test_or_a_reason():
    assert [number for number in rules_docs.uncovered() if number not in rules_docs.reasons()] == []


def test_a_reason_is_given_only_where_a_rule_or_a_test_is_missing():
    assert set(rules_docs.reasons()) <= set(rules_docs.uncovered())


def test_a_range_names_every_rule_that_it_spans():
    assert rules_docs.rules_in("holds E1–E3, AC09..AC11 and D4") == {"E1", "E2", "E3", "AC09", "AC10", "AC11", "D4"}
    assert rules_docs.rules_in("FHIR R4 and ITI-65 over HTTP2 name no rule") == set()
