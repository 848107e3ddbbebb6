"""docs/coverage.md says what the tests say."""

import re

from tests.conformance import coverage_docs


def test_the_page_of_coverage_claims_nothing_that_no_test_says():
    """A page that is behind only claims too little; `make coverage-docs` renews it."""
    by_rule, by_clause = coverage_docs.collected()
    said = {
        number: {test.removeprefix("tests/") for test in tests} for number, tests in {**by_rule, **by_clause}.items()
    }
    rows = re.findall(r"^\| ([^|]+) \|.*?(`.*)\|$", coverage_docs.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows
    for number, tests in rows:
        assert set(re.findall(r"`([^`]+)`", tests)) <= said[number], "run `make coverage-docs`"


def test_the_page_of_coverage_lists_every_number_of_the_index_once():
    text = coverage_docs.PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^(?:\| |- )([A-L]\d+|AC\d\d)(?: \||:)", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(coverage_docs.statements())


def test_every_rule_that_a_test_names_exists():
    by_rule, _ = coverage_docs.collected()
    unknown = {number: tests[0] for number, tests in by_rule.items() if number not in coverage_docs.statements()}
    assert not unknown


def test_a_range_names_every_rule_that_it_spans():
    assert coverage_docs.rules_in("holds E1–E3, AC09..AC11 and D4") == {"E1", "E2", "E3", "AC09", "AC10", "AC11", "D4"}
    assert coverage_docs.rules_in("FHIR R4 and ITI-65 over HTTP2 name no rule") == set()
    assert coverage_docs.clauses_in("RFC6902, ITI-65 and R.1111-46") == {"RFC 6902", "ITI-65", "R.1111-46"}
