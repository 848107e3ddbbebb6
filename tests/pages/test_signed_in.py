"""The journal of whoever is signed in: one's own, a child's, and nobody else's."""

import pytest

from tests.holds import holds

pytestmark = pytest.mark.browser


def sign_in(page, site, login):
    page.goto("/login?lang=en")
    page.locator("input[name=login]").fill(login)
    page.locator("input[type=password]").fill(site.demo.logins[login])
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/account/**")


def test_a_patient_who_is_signed_in_reads_the_own_journal(page, site):
    sign_in(page, site, "camille")
    page.goto("/journal?own=1")
    assert page.locator("option[selected]").inner_text() == "Camille Laurent"
    assert page.locator(".lines li").count() > 0


def test_a_parent_reads_the_journal_of_a_child(page, site):
    sign_in(page, site, "marc")
    page.goto(f"/journal?person={site.demo.patients['leo']}&own=1")
    assert page.locator("option[selected]").inner_text() == "Léo Laurent-Dubois"
    assert page.locator(".lines li").count() > 0


def test_nobody_reads_the_journal_of_somebody_else(page, site):
    sign_in(page, site, "marc")
    assert page.goto(f"/journal?person={site.demo.patients['ines']}").status == 404


def test_reading_the_journal_is_in_the_journal(page, site):
    sign_in(page, site, "marc")
    page.goto("/journal?own=1")
    page.goto("/journal?own=1")
    assert page.get_by_text("looked at the journal of accesses").count() >= 1


@holds("V8")
def test_a_line_of_the_journal_is_contested_and_that_is_taken_back(page, site):
    sign_in(page, site, "camille")
    page.goto("/journal?lang=en")
    line = page.locator("li:has(form.contest)").first
    line.get_by_text("Is that not true?").click()
    line.get_by_role("button").click()
    page.get_by_role("button", name="Take this back").click()
    page.goto("/journal?lang=en&own=1")
    assert page.get_by_text("contested what a professional did or declared").count() == 1
    assert page.get_by_text("withdrew a contest").count() == 1
