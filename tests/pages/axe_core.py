"""axe-core in the browser of the tests: npm installs it, a test injects it, and nothing of the product contains it.

Source: https://github.com/dequelabs/axe-core (MPL-2.0), rules of WCAG 2.2 A and AA and of good practice.
"""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

from tests import npm
from tests.pages.browsing import measured

_BUILD = npm.BUILD.with_name("axe")
_RUN = """async () => {
  const found = await axe.run(document, {
    preload: false, resultTypes: ["violations"], rules: {"target-size": {enabled: true}},
  });
  return found.violations.map((one) => `${one.id} (${one.impact}): ${one.nodes.map((node) => node.html).join(" | ")}`);
}"""


@cache
def _script() -> str:
    return (npm.install(Path(__file__).with_name("axe"), _BUILD) / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[str]:
    """Return what axe finds on the page as it is shown now: rule, impact and the elements, as text."""
    if not measured(page, "'axe' in window"):
        measured(page, _script() + ";0")
    found: list[str] = measured(page, _RUN)
    return found
