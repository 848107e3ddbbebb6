"""docs/coverage.md says what the tests say."""

from tests.conformance import coverage_docs


def test_the_page_of_coverage_is_current():
    committed = coverage_docs.PAGE.read_text(encoding="utf-8")
    assert committed == coverage_docs.page(), "run `make coverage-docs`"


def test_every_rule_that_a_test_names_exists():
    by_rule, _ = coverage_docs.collected()
    unknown = {number: tests[0] for number, tests in by_rule.items() if number not in coverage_docs.statements()}
    assert not unknown


def test_a_range_names_every_rule_that_it_spans():
    assert coverage_docs.rules_in("holds E1–E3, AC09..AC11 and D4") == {"E1", "E2", "E3", "AC09", "AC10", "AC11", "D4"}
    assert coverage_docs.rules_in("FHIR R4 and ITI-65 over HTTP2 name no rule") == set()
    assert coverage_docs.clauses_in("RFC6902, ITI-65 and R.1111-46") == {"RFC 6902", "ITI-65", "R.1111-46"}
