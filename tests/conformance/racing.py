"""Reads in tests of a browser that race with a page that still loads.

A click of Playwright returns before the next page is there. What a test reads at once may then be of the page before.
Tests therefore look by `expect(…)`, which waits, or by the steps of `tests/pages/browsing.py`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

HELPER = "tests/pages/browsing.py"
"""The one module that may read at once, as its steps wait first."""
READS = frozenset({
    "all_inner_texts", "all_text_contents", "bounding_box", "content", "count", "evaluate", "evaluate_all",
    "get_attribute", "inner_html", "inner_text", "input_value", "is_checked", "is_disabled", "is_editable",
    "is_enabled", "is_hidden", "is_visible", "query_selector", "query_selector_all", "text_content",
})  # fmt: skip
_OF_TEXTS = frozenset({"count"})
WAITS = frozenset({"wait_for_timeout", "sleep"})
"""Waits for a time instead of an event."""
_PAGES = frozenset({"camille", "page", "phone"})
"""Names under which tests keep a page, whose address changes when the next page comes."""


def racing_reads(root: Path) -> list[str]:
    """Return every racing read of a browser test below a tree, as `path:line name`."""
    return [found for path in browser_modules(root) for found in _in_module(root, path)]


def browser_modules(root: Path) -> Iterator[Path]:
    """Yield the modules of tests that drive a browser, without the helper."""
    for path in sorted((root / "tests").rglob("*.py")):
        text = path.read_text("utf-8")
        drives = "playwright.sync_api" in text or "tests.pages.browsing" in text or "mark.browser" in text
        if drives and path not in {root / HELPER, Path(__file__)}:
            yield path


def _in_module(root: Path, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _races(node.func, node.args):
            yield f"{path.relative_to(root)}:{node.lineno} {node.func.attr}"
        elif isinstance(node, ast.Assert):
            yield from (f"{path.relative_to(root)}:{node.lineno} {name}" for name in _addresses(node))


def _races(called: ast.Attribute, given: list[ast.expr]) -> bool:
    """Tell whether a call reads a page at once. Texts have methods of the same names: `text.count("a")`."""
    if called.attr in _OF_TEXTS:
        return not given and not isinstance(called.value, ast.Constant)
    return called.attr in READS | WAITS


def _addresses(node: ast.Assert) -> Iterator[str]:
    """Yield the addresses of pages that an assertion compares at once."""
    named = (part for part in ast.walk(node) if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name))
    yield from (f"{part.value.id}.url" for part in named if part.attr == "url" and part.value.id in _PAGES)
