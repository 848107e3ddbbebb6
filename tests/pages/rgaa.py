"""The criteria of RGAA 4.1.2 as docs/accessibility.md judges them, and how many have which state."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "accessibility.md"
CRITERIA = (9, 2, 3, 13, 8, 2, 5, 10, 4, 14, 13, 11, 12)
"""How many criteria each theme has, by its number."""
TESTED, FOR_A_PERSON, NOT_MET, NOT_APPLICABLE = "tested", "for a person", "not met", "not applicable"
_ROW = re.compile(r"^\| (\d+\.\d+) \| ([^|]+) \| ([a-z ]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Criterion:
    """One criterion. number: such as "10.7". shown: the tests that show it, or why it is not applicable."""

    number: str
    about: str
    state: str
    shown: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """The tests that are named: (file, name)."""
        return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", self.shown)


def criteria() -> list[Criterion]:
    """Return the rows of the page, in order."""
    return [Criterion(*found) for found in _ROW.findall(PAGE.read_text("utf-8"))]


def counts() -> Mapping[str, int]:
    """Return how many criteria have each state."""
    return Counter(one.state for one in criteria())
