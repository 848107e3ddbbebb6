"""How the service stands, in a real Chromium, and what the journal says while only emergencies are let through (K2)."""

import re

import pytest
from playwright.sync_api import expect

from fhir_server.application.core import lockdown
from tests.pages.browsing import follow, readable_on_every_screen
from tests.pages.test_signed_in import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def stopped(site):
    lockdown.switch_on(site.runtime, "eve@desk", "release 42 shows too much")
    yield site
    lockdown.switch_off(site.runtime, "eve@desk")


def test_everybody_finds_how_the_service_stands(page):
    page.goto("/")
    follow(page.get_by_role("link", name="État du service"))
    expect(page.locator("h1")).to_have_text("État du service")
    expect(page.get_by_role("status")).to_have_text("Tout le monde est servi.")


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    ("language", "words", "kept"),
    [
        ("fr", "Seules les urgences sont servies en ce moment", "Les consentements, les masquages"),
        ("en", "Only emergencies are served now", "Consents, hidings"),
    ],
)
def test_a_stop_is_said_in_words_and_names_nobody(page, language, words, kept):
    page.goto(f"/status?lang={language}")
    expect(page.get_by_role("status")).to_have_text(words)
    said = page.locator("main")
    expect(said).to_contain_text(kept)
    expect(said).to_contain_text("Europe/Paris")
    for untold in ("UTC", "release", "eve@"):
        expect(said).not_to_contain_text(untold)


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Seules les urgences"), ("en", "Only emergencies are served now")]
)
def test_the_journal_says_in_words_that_it_is_stopped(page, language, words):
    answer = page.goto(f"/journal?person=camille&lang={language}")
    assert (answer.status, answer.headers["retry-after"]) == (503, "300")
    expect(page.locator("h1")).to_contain_text(words)
    expect(page.locator(".lines")).to_have_count(0)
    follow(page.locator("main a"))
    expect(page).to_have_url(re.compile("/status$"))


def test_whoever_is_signed_in_is_stopped_as_well(page, site):
    sign_in(page, site, "camille")
    assert page.goto("/journal?own=1").status == 200
    lockdown.switch_on(site.runtime, "eve@desk", "release 42 shows too much")
    try:
        assert page.goto("/journal?own=1").status == 503
    finally:
        lockdown.switch_off(site.runtime, "eve@desk")
    assert page.goto("/journal?own=1").status == 200


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("path", ["/status", "/journal?person=camille"])
def test_the_pages_of_a_stop_are_as_readable_as_all_others(page, path):
    page.goto(path)
    readable_on_every_screen(page)
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", "fr")


def test_the_journal_tells_afterwards_who_was_stopped_and_why(page, site):
    lockdown.switch_on(site.runtime, "eve@desk", "release 42 shows too much")
    headers = {"Authorization": f"Bearer {site.demo.tokens['paul']}"}
    path = f"{site.base}/fhir/DocumentReference?patient={site.demo.patients['camille']}"
    refused = page.request.get(path, headers=headers).status
    lockdown.switch_off(site.runtime, "eve@desk")
    assert refused == 503
    page.goto("/journal?person=camille&refused=1&own=1")
    expect(page.get_by_text("Motif : seules les urgences étaient servies.")).not_to_have_count(0)
