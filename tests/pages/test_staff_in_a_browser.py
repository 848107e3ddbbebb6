"""An officer and an operator in a real Chromium: each page of theirs, in French on a phone and in English on a desk."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect

from fhir_server.domain.case_files import CaseKind
from seed import cast
from tests.http.cases import a_case, open_as_worker
from tests.pages.browsing import LANGUAGES, follow, send_password, sound
from tests.pages.conftest import DESK, PHONE, Site

pytestmark = pytest.mark.browser
VIEWS = pytest.mark.parametrize(("language", "size"), [("fr", PHONE), ("en", DESK)], ids=["fr-phone", "en-desk"])


def at_work(browser: Browser, site: Site, login: str, language: str, size: dict[str, int]) -> Page:
    """Sign somebody of the staff in, who has one role and arrives at its first page."""
    page = browser.new_context(locale=LANGUAGES[language], viewport=size, base_url=site.base).new_page()
    page.goto("/login")
    send_password(page, site, login)
    return page


@VIEWS
def test_an_officer_opens_a_case_searches_and_sees_who_is_suspended(chromium, site, language, size):
    people = SimpleNamespace(runtime=site.runtime, ids={"luc": site.demo.professionals["luc"], **site.demo.patients})
    told = {"evidence": {"name": 4, "alone": 3}, "display": "Luc Bernard"}
    open_as_worker(people, replace(a_case(people, CaseKind.DETECTION, "luc", "camille", "same-name"), **told))
    page = at_work(chromium, site, "dana", language, size)
    page.wait_for_url("**/account/officer/queue")
    sound(page)
    follow(page.locator(".documents-list a").first)
    sound(page)
    expect(page.get_by_label(re.compile("^(Décision|Decision)$"))).to_be_visible()
    follow(page.get_by_role("link", name=re.compile("^(Rechercher|Search)$")))
    page.locator("#from").fill("2026-05-01")
    page.locator("#to").fill("2026-05-02")
    follow(page.get_by_role("search").get_by_role("button"))
    sound(page)
    for name in ("^Suspensions$", "^(Matrice|Matrix)$"):
        follow(page.get_by_role("navigation").get_by_role("link", name=re.compile(name)))
        sound(page)
    page.context.close()


@VIEWS
def test_an_operator_looks_at_each_page_and_meets_no_patient(chromium, site, language, size):
    page = at_work(chromium, site, "oscar", language, size)
    page.wait_for_url("**/account/operator/state")
    words = {word for part in cast.PATIENTS for word in (part.key, part.given, part.family, part.ins)}
    names = re.compile("|".join([*site.demo.patients.values(), *(rf"\b{word}\b" for word in words)]), re.IGNORECASE)
    for name in ("^(État|State)$", "^(Tâches|Tasks)$", "^Installation$"):
        follow(page.get_by_role("navigation").get_by_role("link", name=re.compile(name)))
        sound(page)
        expect(page.locator("main")).not_to_contain_text(names)
    page.context.close()
