"""Steps in a real browser that never race with a page that still loads.

A click returns before the next page is there. So a test follows a link or sends a form by `follow`, which waits for the
next page; it looks at a page by `expect(…)` of Playwright, which waits for what is expected; and it asks a page by
`measured`. No other module of a browser test reads a page at once: `tests/conformance/racing.py` finds it.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from playwright.sync_api import Browser, Error, Locator, Page, expect

from tests.pages.conftest import DESK, PHONE, Site

LANGUAGES = {"fr": "fr-FR", "en": "en-GB"}
MOST_BYTES = 30_000
CONTRAST = """() => {
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.getClientRects().length) continue;
    const a = luminance(parse(getComputedStyle(node).color).slice(0, 3)), b = luminance(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faint;
}"""
NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
  .filter((control) => !control.labels || !control.labels.length).map((control) => control.outerHTML)"""
FITS = "document.documentElement.scrollWidth <= innerWidth"
LEVELS = "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((heading) => Number(heading.tagName[1]))"
TRIES = 5


def follow(control: Locator) -> None:
    """Click on a link, or on the button of a form, and wait until the next page is loaded."""
    with leaving(control.page):
        control.click()


@contextmanager
def leaving(page: Page) -> Iterator[None]:
    """Wait until the page to which the steps inside lead is loaded."""
    with page.expect_navigation():
        yield


def measured(page: Page, script: str) -> Any:
    """Return what a script finds on the page once it is loaded; begin anew when the page changes meanwhile."""
    for _ in range(TRIES):
        page.wait_for_load_state()
        try:
            return page.evaluate(script)
        except Error as why:
            if "navigat" not in str(why) and "destroyed" not in str(why):
                raise
    raise AssertionError("the page does not come to rest")


def text_of(element: Locator) -> str:
    """Return the text of an element that is on the page, for a test that looks at more than `expect` can."""
    expect(element).to_be_attached()
    element.page.wait_for_load_state()
    return element.inner_text()


def attribute(element: Locator, name: str) -> str:
    """Return an attribute of an element, once the page that holds it is loaded."""
    expect(element).to_be_attached()
    element.page.wait_for_load_state()
    return element.get_attribute(name) or ""


def address_of(page: Page) -> str:
    """Return the address of the page that `follow` has reached."""
    page.wait_for_load_state()
    return page.url


def is_there(element: Locator) -> bool:
    """Tell whether the page that `follow` has reached shows an element that some pages lack."""
    element.page.wait_for_load_state()
    return element.first.is_visible()


def signed_in(browser: Browser, site: Site, login: str, language: str = "en", size: dict[str, int] = DESK) -> Page:
    """Sign somebody in from the first page, and stay on the page that asks whose space to open."""
    page = browser.new_context(locale=LANGUAGES[language], viewport=size, base_url=site.base).new_page()
    page.goto("/")
    follow(page.get_by_role("link", name={"fr": "Se connecter", "en": "Sign in"}[language], exact=True))
    send_password(page, site, login)
    page.wait_for_url("**/account/**")
    return page


def send_password(page: Page, site: Site, login: str) -> None:
    """Fill the form of the sign-in in, and send it."""
    page.locator("input[name=login]").fill(login)
    page.locator("input[type=password]").fill(site.demo.logins[login])
    follow(page.locator("main button[type=submit]").first)


def in_own_space(page: Page, name: str) -> Page:
    """Choose a space on the page that asks whose space to open."""
    follow(page.get_by_role("link", name=name, exact=True))
    page.wait_for_url("**/documents")
    return page


def sound(page: Page) -> None:
    """Check what holds of every page: structure, contrast, width, size, no script. Come here by `follow` or `goto`."""
    expect(page.locator("h1")).to_have_count(1)
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.locator("script, [style], [onclick], iframe, img:not([alt])")).to_have_count(0)
    levels = measured(page, LEVELS)
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert measured(page, NAMELESS) == []
    readable(page)
    assert len(gzip.compress(page.request.get(page.url).body())) <= MOST_BYTES


def readable(page: Page) -> None:
    """Check that every text stands out from its ground, in light and dark, and that nothing scrolls sideways."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert measured(page, CONTRAST) == [], scheme
    page.emulate_media(color_scheme="light")
    assert measured(page, FITS)


def readable_on_every_screen(page: Page) -> None:
    """Check the same on a telephone and on a desk."""
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        assert measured(page, FITS), size
    readable(page)
