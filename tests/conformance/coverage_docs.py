"""Writes docs/coverage.md: which test holds which rule, invariant, abuse case and clause of a standard.

Run by `make coverage-docs`. A test holds a number when it, or one of its parameters, bears the mark `@holds`.
"""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.conformance.project import ROOT, modules
from tests.holds import CLAUSES, RULES

PAGE = ROOT / "docs/coverage.md"
Marked = tuple[ast.Call, str]
"""The call of `holds`, and the test that it marks: `http/test_x.py::TestY::test_z[id of a parameter]`."""


def by_number() -> dict[str, list[str]]:
    """Return the tests that hold each number."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, tree in test_modules():
        for call, test in marked(tree, name):
            for number in numbers_of(call):
                found[number].append(test)
    return found


def test_modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of tests with its path under tests/."""
    for path in modules("tests"):
        if path.name.startswith("test_"):
            yield str(path.relative_to(ROOT / "tests")), ast.parse(path.read_text(encoding="utf-8"))


def marked(node: ast.Module | ast.ClassDef, name: str) -> Iterator[Marked]:
    """Yield the marks of single tests and of their parameters."""
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from marked(child, f"{name}::{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name.startswith("test_"):
            for decorator in child.decorator_list:
                yield from _of_decorator(decorator, f"{name}::{child.name}")


def _of_decorator(decorator: ast.expr, test: str) -> Iterator[Marked]:
    if is_mark(decorator):
        yield decorator, test
    for call in (node for node in ast.walk(decorator) if isinstance(node, ast.Call)):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        id_ = given.get("id")
        if isinstance(id_, ast.Constant) and "marks" in given:
            yield from ((one, f"{test}[{id_.value}]") for one in marks_in(given["marks"]))


def marks_in(node: ast.AST) -> list[ast.Call]:
    """Return every call of `holds` in a piece of source, wherever it stands."""
    return [one for one in ast.walk(node) if is_mark(one)]


def is_mark(node: ast.AST) -> bool:
    """Tell whether a node is a call of `holds`, or of the mark behind it."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "holds"


def numbers_of(call: ast.Call) -> list[str]:
    """Return the numbers that a mark names."""
    return [str(ast.literal_eval(argument)) for argument in call.args]


def reasons() -> dict[str, str]:
    """Return why no rule or no test can hold a number."""
    with (ROOT / "tests/rules/uncovered.csv").open(encoding="utf-8", newline="") as table:
        return {row["number"]: row["reason"] for row in csv.DictReader(table)}


def page() -> str:
    """Return the page as it should be."""
    tests = by_number()
    cases = {number: text for number, text in RULES.items() if number.startswith("AC")}
    invariants = {number: text for number, text in RULES.items() if re.fullmatch(r"I\d\d", number)}
    rules = {number: text for number, text in RULES.items() if number not in cases and number not in invariants}
    return "\n".join(
        [
            "# Which test checks which rule",
            "",
            "`make coverage-docs` makes this page from the marks `@holds(…)` of single tests (`tests/holds.py`).",
            "A marked test fails when somebody breaks the rule; docstrings and names of tests do not count.",
            "A number without a marked test is open: no program can check it, or its test is still missing.",
            "",
            *_section("Rules of the law", rules, tests),
            *_section("Invariants of the decision", invariants, tests),
            *_section("Abuse cases", cases, tests),
            *_section("Clauses of standards and of the law", CLAUSES, tests),
        ]
    )


def _section(title: str, known: dict[str, str], tests: dict[str, list[str]]) -> list[str]:
    held = [number for number in known if number in tests]
    rows = (f"| {number} | {known[number]} | {_named(tests[number])} |" for number in held)
    why = reasons()
    missing = [
        f"- {number}: {known[number]}" + (f" (*{why[number]}*)" if number in why else "")
        for number in known
        if number not in tests
    ]
    heading = [f"### Open ({title.lower()})", "", *missing, ""] if missing else []
    return [
        f"## {title}: {len(held)} of {len(known)} held by a test",
        "",
        "| number | statement | tests |",
        "| --- | --- | --- |",
        *rows,
        "",
        *heading,
    ]


def _named(tests: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in sorted(tests))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
