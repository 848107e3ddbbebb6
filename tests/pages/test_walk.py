"""Every page of every person, in both languages, on a desk and on a telephone: no fault that a machine can find.

`tests/pages/walked` lists the pages; a page of the portal that is not listed fails here. What a machine cannot find is
in docs/accessibility.md.
"""

from collections import defaultdict
from collections.abc import Iterator
from random import randbytes
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.pages.browsing import LANGUAGES, measured, signed_in
from tests.pages.conftest import DESK, Site
from tests.pages.looks import faults, too_large
from tests.pages.walked import PEOPLE, VISITED, Visited

pytestmark = [pytest.mark.browser, pytest.mark.npm]

SAME_TITLE = {"oauth_pages.second_factor", "oauth_pages.ask_factor"}
"""The same page, shown at the sign-in and before a change to the account."""


@pytest.fixture(scope="module")
def contexts() -> Iterator[dict[tuple[str, str], BrowserContext]]:
    """The browser of each person in each language; everybody signs in once."""
    opened: dict[tuple[str, str], BrowserContext] = {}
    yield opened
    for context in opened.values():
        context.close()


def page_of(contexts, chromium: Browser, site: Site, who: str, language: str) -> Page:
    if (who, language) not in contexts:
        known = [context for (other, _), context in contexts.items() if other == who]
        if who not in site.demo.logins:  # nobody, or somebody whom the steps sign in
            state = None
        elif known:
            state = known[0].storage_state()
        else:
            state = signed_in(chromium, site, who, language).context.storage_state()
        given = {"locale": LANGUAGES[language], "viewport": DESK, "base_url": site.base}
        contexts[who, language] = chromium.new_context(**given, storage_state=state)
    return contexts[who, language].new_page()


def walk(page: Page, site: Site, one: Visited) -> Iterator[str]:
    """Go to a page and yield what is wrong with it."""
    if one.steps:
        one.steps(page, site)
    else:
        address = one.address(site.demo)
        answer = page.goto(address)
        if urlsplit(answer.url).path != urlsplit(address).path:
            yield f"leads to {answer.url}"
        yield from too_large(answer.body())
    yield from faults(page)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: who or "nobody")
def test_no_page_has_a_fault(contexts, chromium, site, who, language):
    page = page_of(contexts, chromium, site, who, language)
    found, called = [], defaultdict(set)
    for one in VISITED:
        if one.who == who:
            found += [f"{one.name}: {fault}" for fault in walk(page, site, one)]
            title, spoken = measured(page, "[document.title, document.documentElement.lang]")
            called[title].add(one.endpoint(site.app))
            found += [f"{one.name}: in {spoken}"] if spoken != language else []
    twice = {title: pages - SAME_TITLE for title, pages in called.items() if len(pages) > 1 or not title}
    found += [f"{title!r} is the title of {pages}" for title, pages in twice.items() if pages]
    page.close()
    assert not found, "\n".join(found)


WHOLE = """<!doctype html><html lang="en"><head><title>Planted</title><style>{}</style></head><body>
<header><a href="/">Home</a></header><main><h1>One</h1>{}</main></body></html>"""


def test_a_page_without_a_fault_has_none(page):
    page.set_content(
        WHOLE.format(
            "* { color: #000; background: #fff } :focus { outline: 3px solid }", "<p>Nothing is wrong here.</p>"
        )
    )
    assert list(faults(page)) == []


@pytest.mark.parametrize(
    ("sheet", "content", "told"),
    [
        ("", "<h3>Three</h3>", "headings [1, 3]"),
        ("", "<input>", "no label: <input>"),
        ("", "<img src='data:,'>", "image-alt (critical)"),
        ("", "<p onclick='0'>x</p>", "not allowed"),
        ("p { color: #aaa; background: #fff }", "<p>faint</p>", "color-contrast (serious)"),
        ("p { color: #aaa; background: #fff }", "<p>faint</p>", "dark: 2.32 faint"),
        ("p { width: 500px }", "<p>x</p>", "scrolls sideways"),
        ("main { display: flex } h1 { order: 2 }", "<p>x</p>", "out of order: <h1>"),
        ("p::before { content: 'Beware' }", "<p>x</p>", "only the sheet says"),
        (":focus { outline: none }", "<a href='/x'>link</a>", "the focus is not seen"),
        ("", "<a href='/x' tabindex='-1'>a</a><button inert>b</button>", "the Tab key does not reach <button"),
    ],
)
def test_a_fault_that_is_planted_is_found(page, sheet, content, told):
    page.set_content(WHOLE.format(sheet, content))
    assert [fault for fault in faults(page) if told in fault]


def test_a_page_that_is_too_large_is_found():
    assert list(too_large(b"a" * 1_000_000)) == []
    assert list(too_large(randbytes(31_000)))


def test_a_page_begins_with_its_document_type(web):
    for path in ("/", "/login", "/nothing"):
        assert web.get(path).text.lower().startswith("<!doctype html>")
