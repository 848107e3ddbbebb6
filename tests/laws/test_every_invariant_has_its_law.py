"""The 42 invariants of the policy each have a class among the laws whose docstring is the duty."""

import ast
import re
from pathlib import Path

INVARIANTS = [f"I{number:02}" for number in range(1, 43)]


def _named():
    """Return the invariants that the docstrings of test classes name, ranges such as "I10 to I12" included."""
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                said = ast.get_docstring(node) or ""
                yield from re.findall(r"I\d\d", said)
                for first, last in re.findall(r"I(\d\d) to I(\d\d)", said):
                    yield from (f"I{number:02}" for number in range(int(first), int(last)))


def test_each_is_named():
    assert [invariant for invariant in INVARIANTS if invariant not in set(_named())] == []
