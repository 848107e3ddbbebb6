"""Writes docs/coverage.md: which rule, abuse case and clause of a standard is named by which test.

Run by `make coverage-docs`. The numbers and their statements are docs/rules-index.csv; a test covers a number when its
name, its docstring, or the docstring of its class or module says that number.
"""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.project import ROOT, modules

PAGE = ROOT / "docs/coverage.md"
_RULE = re.compile(r"\b(?:[A-L][1-9]\d?|I0\d|AC\d\d)\b")
_RANGE = re.compile(r"\b(AC|[A-L])(\d{1,2})(?:–|-|…|\.\.)(?:AC|[A-L])?(\d{1,2})\b")
_CLAUSE = re.compile(r"\b(?:ITI-\d+|RFC ?\d{4}|[RL]\.1111-\d+(?:-\d+)?|PPQ-\d)\b")
_SHOWN = 3


def statements() -> dict[str, str]:
    """Return every number with its statement, in the order of the index."""
    with (ROOT / "docs/rules-index.csv").open(encoding="utf-8", newline="") as index:
        return {row["number"]: row["statement"] for row in csv.DictReader(index)}


def rules_in(text: str) -> set[str]:
    """Return the rule and abuse-case numbers that a text names; a range names all that it spans."""
    found = set(_RULE.findall(text))
    for prefix, first, last in _RANGE.findall(text):
        width = 2 if prefix == "AC" or first.startswith("0") else 0
        found |= {f"{prefix}{number:0{width}}" for number in range(int(first), int(last) + 1)}
    return found


def clauses_in(text: str) -> set[str]:
    """Return the clauses of standards and of the law that a text names."""
    return {re.sub(r"^RFC(\d)", r"RFC \1", clause) for clause in _CLAUSE.findall(text)}


def described_tests() -> Iterator[tuple[str, str]]:
    """Yield each test as (file::name, what it says of itself and what encloses it says)."""
    for path in modules("tests"):
        if path.name.startswith("test_"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from _described(tree, path.relative_to(ROOT), ast.get_docstring(tree) or "")


def _described(node: ast.Module | ast.ClassDef, path: Path, above: str) -> Iterator[tuple[str, str]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _described(child, path, f"{above}\n{child.name}\n{ast.get_docstring(child) or ''}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name.startswith("test_"):
            words = child.name.replace("_", " ")
            numbers = " ".join(word.upper() for word in words.split() if _RULE.fullmatch(word.upper()))
            yield f"{path}::{child.name}", f"{above}\n{numbers}\n{ast.get_docstring(child) or ''}"


def collected() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the tests by rule number, and the tests by clause."""
    by_rule: dict[str, list[str]] = defaultdict(list)
    by_clause: dict[str, list[str]] = defaultdict(list)
    for test, text in described_tests():
        for number in rules_in(text):
            by_rule[number].append(test)
        for clause in clauses_in(text):
            by_clause[clause].append(test)
    return by_rule, by_clause


def page() -> str:
    """Return the page as it should be."""
    by_rule, by_clause = collected()
    known = statements()
    cases = [number for number in known if number.startswith("AC")]
    invariants = [number for number in known if re.fullmatch(r"I\d\d", number)]
    rules = [number for number in known if number not in {*cases, *invariants}]
    return "\n".join(
        [
            "# What the tests say that they hold",
            "",
            "Made by `make coverage-docs` from the names and docstrings of the tests; it claims nothing else.",
            "A number that no test names is listed as open: some no program can hold, others are to come.",
            "A number that is named is claimed, not proved: read the test.",
            "",
            *_section("Rules of the law", rules, known, by_rule),
            *_section("Invariants of the decision", invariants, known, by_rule),
            *_section("Abuse cases", cases, known, by_rule),
            "## Clauses of standards and of the law",
            "",
            "| clause | tests |",
            "| --- | --- |",
            *(f"| {clause} | {_named(by_clause[clause])} |" for clause in sorted(by_clause, key=_natural)),
            "",
        ]
    )


def _section(title: str, numbers: list[str], known: dict[str, str], tests: dict[str, list[str]]) -> list[str]:
    covered = [number for number in numbers if number in tests]
    rows = (f"| {number} | {known[number]} | {_named(tests[number])} |" for number in covered)
    missing = (f"- {number}: {known[number]}" for number in numbers if number not in tests)
    return [
        f"## {title}: {len(covered)} of {len(numbers)} named by a test",
        "",
        "| number | statement | tests |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"### Open ({title.lower()})",
        "",
        *missing,
        "",
    ]


def _named(tests: list[str]) -> str:
    names = sorted(tests)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name.removeprefix('tests/')}`" for name in names[:_SHOWN]) + more


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
