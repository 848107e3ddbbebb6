"""The journal of whoever is signed in: one's own, a child's, and nobody else's."""

import pytest
from playwright.sync_api import expect

from tests.holds import holds
from tests.pages.browsing import follow, send_password

pytestmark = pytest.mark.browser


def sign_in(page, site, login):
    page.goto("/login?lang=en")
    send_password(page, site, login)
    page.wait_for_url("**/account/**")


def test_a_patient_who_is_signed_in_reads_the_own_journal(page, site):
    sign_in(page, site, "camille")
    page.goto("/journal?own=1")
    expect(page.locator("option[selected]")).to_have_text("Camille Laurent")
    expect(page.locator(".lines li")).not_to_have_count(0)


def test_a_parent_reads_the_journal_of_a_child(page, site):
    sign_in(page, site, "marc")
    page.goto(f"/journal?person={site.demo.patients['leo']}&own=1")
    expect(page.locator("option[selected]")).to_have_text("Léo Laurent-Dubois")
    expect(page.locator(".lines li")).not_to_have_count(0)


def test_nobody_reads_the_journal_of_somebody_else(page, site):
    sign_in(page, site, "marc")
    assert page.goto(f"/journal?person={site.demo.patients['ines']}").status == 404


def test_reading_the_journal_is_in_the_journal(page, site):
    sign_in(page, site, "marc")
    page.goto("/journal?own=1")
    page.goto("/journal?own=1")
    expect(page.get_by_text("looked at the journal of accesses")).not_to_have_count(0)


@holds("V8")
def test_a_line_of_the_journal_is_contested_and_that_is_taken_back(page, site):
    sign_in(page, site, "camille")
    page.goto("/journal?lang=en")
    line = page.locator("li:has(form.contest)").first
    line.get_by_text("Is that not true?").click()
    follow(line.get_by_role("button"))
    follow(page.get_by_role("button", name="Take this back"))
    page.goto("/journal?lang=en&own=1")
    expect(page.get_by_text("contested what a professional did or declared")).to_have_count(1)
    expect(page.get_by_text("withdrew a contest")).to_have_count(1)
