"""`@holds("E5")` above a test says: this test fails when E5 is broken. docs/coverage.md lists these marks.

A mark stands on one test, or on one parameter with an id: `pytest.param(…, id="optician", marks=holds("D6"))`.
"""

import csv
from pathlib import Path

import pytest

_DOCS = Path(__file__).parents[1] / "docs"


def _index(name: str) -> dict[str, str]:
    with (_DOCS / name).open(encoding="utf-8", newline="") as index:
        return {row["number"]: row["statement"] for row in csv.DictReader(index)}


RULES = _index("rules-index.csv")
"""Rules of the law, invariants of the decision and abuse cases: statement by number."""
CLAUSES = _index("clauses-index.csv")
"""Clauses of standards and of the law: what is tested of each, by name."""
INTEROP = _index("interop-index.csv")
"""Statements of interoperability guides, by number; docs/interop.md lists them."""
_EVERY = RULES | CLAUSES | INTEROP


def holds(*numbers: str) -> pytest.MarkDecorator:
    """Return the mark of a test that fails when any of these is broken.

    Raises:
        ValueError: no number is given, or no index of docs/ knows one.
    """
    unknown = [number for number in numbers if number not in _EVERY]
    if unknown or not numbers:
        raise ValueError(f"no index of docs/ (rules, clauses, interop) knows {unknown or 'no number'}")
    return pytest.mark.holds(*numbers)
