"""What every page must hold, asked of a page that a browser shows. Each check returns what is wrong, as text."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from playwright.sync_api import Page

from tests.pages.axe_core import violations
from tests.pages.browsing import CONTRAST, FITS, LEVELS, MOST_BYTES, NAMELESS, measured
from tests.pages.conftest import DESK, PHONE

PICTURED_ORDER = """() => [...document.body.querySelectorAll("*")].filter((one) => {
  const style = getComputedStyle(one), isOut = style.position === "absolute" || style.position === "fixed";
  return style.order !== "0" || style.flexDirection.endsWith("reverse") || style.flexWrap.endsWith("reverse")
    || style.float !== "none" || one.tabIndex > 0 || (isOut && !one.matches(".skip, .visually-hidden"));
}).map((one) => one.outerHTML.slice(0, 120))"""
"""Elements that stand elsewhere on the screen than in the text: without the sheet they are read in another order."""
SAID_BY_THE_SHEET = """() => [...document.body.querySelectorAll("*")].flatMap((one) => ["::before", "::after"].map(
  (part) => getComputedStyle(one, part).content)).filter((said) => /^"[^"]*[\\p{L}\\p{N}]/u.test(said))"""
"""Words that only the sheet says; the numbers of an ordered list count as said by the list."""
LISTEN = """() => {
  const group = (one) => [...document.querySelectorAll(`[type=radio][name="${one.name}"]`)];
  const isSpare = (one) => one.type === "radio" && one !== (group(one).find((other) => other.checked) || group(one)[0]);
  window.reached = [];
  document.addEventListener("focusin", ({target}) => {
    const style = getComputedStyle(target);
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && target.getClientRects().length;
    reached.push([target.outerHTML.slice(0, 120), Boolean(seen)]);
  });
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")];
  const stops = all.filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility() && !isSpare(one));
  window.stops = stops.map((one) => one.outerHTML.slice(0, 120));
  const scrolled = [...document.querySelectorAll("[tabindex], pre, code, textarea, .scroll")].length;
  return [stops.length, 3 * stops.filter((one) => one.type === "date").length + scrolled];
}"""
"""Counts the controls, and where else the Tab key may stop: the parts of a date, and what scrolls."""
NARROW = {"width": 320, "height": 640}
MOST_STOPS = 60
"""A page with more controls is walked so far: the rest are rows of one table."""


def structure(page: Page) -> Iterator[str]:
    """Yield what is wrong with headings, landmarks, language, labels and scripts."""
    levels = measured(page, LEVELS)
    if levels.count(1) != 1 or levels[0] != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        yield f"headings {levels}"
    marks = measured(page, "['header', 'main'].filter((one) => document.querySelectorAll(one).length !== 1)")
    yield from (f"landmark {one}" for one in marks)
    yield from (f"no label: {one}" for one in measured(page, NAMELESS))
    foreign = (
        "[...document.querySelectorAll('[style], [onclick], iframe, script:not([src])')].map((one) => one.outerHTML)"
    )
    yield from (f"not allowed: {one}" for one in measured(page, foreign))
    yield from (f"only the sheet says: {one}" for one in measured(page, SAID_BY_THE_SHEET))


def looks(page: Page, size: dict[str, int]) -> Iterator[str]:
    """Yield what is wrong at one size: what axe finds, contrast in light and dark, order, scrolling sideways."""
    page.set_viewport_size(size)
    if not measured(page, FITS):
        yield "scrolls sideways"
    yield from (f"out of order: {one}" for one in measured(page, PICTURED_ORDER))
    yield from violations(page)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        yield from (f"{scheme}: {one}" for one in measured(page, CONTRAST))


def keyboard(page: Page) -> Iterator[str]:
    """Yield what the Tab key alone misses: controls that it does not reach in their order, a focus that is not seen."""
    controls, between = measured(page, LISTEN)
    wanted = min(controls, MOST_STOPS)
    for _ in range(wanted + min(between, MOST_STOPS)):
        page.keyboard.press("Tab")
    reached = measured(page, "reached")
    missed = Counter(measured(page, "stops")[:wanted]) - Counter(what for what, _ in reached)
    yield from (f"the Tab key does not reach {what}" for what in missed)
    yield from (f"the focus is not seen: {what}" for what, seen in reached if not seen)


def narrow(page: Page) -> Iterator[str]:
    """Yield a fault when a page scrolls sideways where 1280 px are enlarged to 400 % (WCAG 2.2, 1.4.10)."""
    page.set_viewport_size(NARROW)
    if not measured(page, FITS):
        yield "scrolls sideways at 320 px"


def on(size: dict[str, int]) -> Callable[[Page], Iterator[str]]:
    """Return the check at one size."""
    return lambda page: looks(page, size)


CHECKS: tuple[Callable[[Page], Iterator[str]], ...] = (structure, on(DESK), keyboard, on(PHONE), narrow)


def faults(page: Page) -> Iterator[str]:
    """Yield everything that is wrong with the page that is shown."""
    for check in CHECKS:
        yield from check(page)


def too_large(content: bytes) -> Iterator[str]:
    """Yield a fault when a page is larger than it may be, compressed as a proxy in front of the server may do it."""
    size = len(gzip.compress(content))
    if size > MOST_BYTES:
        yield f"{size} bytes"
