"""docs/coverage.md says what the marks of the tests say, and a mark says one true number of one test."""

import ast
import tomllib
from functools import partial

import pytest

from tests.conformance import coverage_docs
from tests.conformance.project import ROOT, modules, text_of
from tests.holds import CLAUSES, INTEROP, RULES, holds
from tests.rules import rules_docs

FEW = 3
"""Tests that may hold one number: more of them say that nobody has looked which one does."""


def held_in(source):
    return [
        (coverage_docs.numbers_of(call), test) for call, test in coverage_docs.marked(ast.parse(source), "test_x.py")
    ]


def test_the_page_is_what_the_marks_say():
    assert coverage_docs.PAGE.read_text(encoding="utf-8") == coverage_docs.page(), "run `make coverage-docs`"


def test_every_mark_names_numbers_of_an_index_and_none_twice():
    for number, tests in coverage_docs.by_number().items():
        assert number in RULES or number in CLAUSES or number in INTEROP, number
        assert len(tests) == len(set(tests)), number


def test_few_tests_hold_one_number():
    assert {number: len(tests) for number, tests in coverage_docs.by_number().items() if len(tests) > FEW} == {}


def test_every_mark_stands_on_a_test_or_on_a_parameter_with_an_id():
    """A mark of a class or a module would claim all of its tests at once."""
    strays = [f"{name}:{call.lineno}" for name, tree in coverage_docs.test_modules() for call in _strays(tree)]
    assert strays == []


def _strays(tree):
    placed = {id(call) for call, _ in coverage_docs.marked(tree, "")}
    return [call for call in coverage_docs.marks_in(tree) if id(call) not in placed]


def test_helpers_and_fixtures_hold_nothing():
    own = {ROOT / "tests/holds.py", ROOT / "tests/conformance/coverage_docs.py"}
    others = [path for path in modules("tests") if not path.name.startswith("test_") and path not in own]
    assert [path for path in others if coverage_docs.marks_in(ast.parse(path.read_text("utf-8")))] == []


@pytest.mark.parametrize("numbers", [("E99",), ("E5", "RFC 1"), ("e5",), ("",), ()])
def test_a_number_of_no_index_is_refused_where_it_is_written(numbers):
    with pytest.raises(ValueError, match=r"no index of docs/ \(rules, clauses, interop\) knows"):
        partial(holds, *numbers)()


def test_a_reason_is_given_only_for_what_is_open_or_no_function_of_the_rules():
    known = rules_docs.statements()
    others = {number for number in coverage_docs.reasons() if number not in known}
    assert others.isdisjoint(coverage_docs.by_number())
    assert others <= RULES.keys()


def test_no_number_stands_in_both_indexes():
    assert RULES.keys().isdisjoint(CLAUSES)


def test_a_docstring_and_a_name_claim_nothing():
    source = '"""E5, ITI-65."""\nclass TestE5:\n    """E5."""\n    def test_e5_holds(self):\n        """E5."""\n'
    assert held_in(source) == []


def test_a_mark_is_found_on_a_function_a_method_and_a_parameter():
    source = """
@holds("E1", "E2")
@pytest.mark.parametrize("x", [pytest.param(1, id="one", marks=holds("D6")), pytest.param(2, marks=holds("D7"))])
def test_a(x): ...

@holds("E4")
class TestB:
    @holds("E5")
    def test_b(self): ...
"""
    assert held_in(source) == [
        (["E1", "E2"], "test_x.py::test_a"),
        (["D6"], "test_x.py::test_a[one]"),
        (["E5"], "test_x.py::TestB::test_b"),
    ]
    assert [coverage_docs.numbers_of(call) for call in _strays(ast.parse(source))] == [["E4"], ["D7"]]


def test_the_mark_is_registered_and_no_other_is_taken():
    options = tomllib.loads(text_of("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    assert any(line.startswith("holds(") for line in options["markers"])
    assert "--strict-markers" in options["addopts"]
