"""docs/accessibility.md judges every criterion of RGAA once, and names tests that there are."""

import ast
import re
from functools import cache

from tests.conformance.project import ROOT, text_of
from tests.pages.rgaa import CRITERIA, FOR_A_PERSON, NOT_APPLICABLE, NOT_MET, TESTED, counts, criteria


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_of_the_106_criteria_has_one_row_in_order():
    wanted = [f"{theme}.{number}" for theme, most in enumerate(CRITERIA, 1) for number in range(1, most + 1)]
    assert len(wanted) == 106
    assert [one.number for one in criteria()] == wanted


def test_every_state_is_one_of_four_and_only_tests_that_there_are_show_one():
    for one in criteria():
        assert one.state in {TESTED, FOR_A_PERSON, NOT_MET, NOT_APPLICABLE}, one
        assert bool(one.tests) == (one.state == TESTED), one
        assert [name for file, name in one.tests if name not in names_in(file)] == []


def test_the_summary_counts_the_rows():
    told = re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", text_of("docs/accessibility.md"), flags=re.MULTILINE)
    assert {state: int(number) for state, number in told} == counts()
