"""The page that tries the API, in a real Chromium without scripts, by keyboard and in both languages."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import follow, leaving, measured, text_of

pytestmark = pytest.mark.browser


def test_camille_searches_her_documents_by_keyboard(page, site):
    page.goto("/api")
    follow(page.get_by_role("link", name="Essayer l’API"))
    page.get_by_label("Jeton d’accès").fill(site.demo.tokens["camille"])
    page.get_by_label("Chemin sous").fill("DocumentReference?status=current&_count=1")
    with leaving(page):
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("^200"))
    shown = json.loads(text_of(page.get_by_role("region", name="Corps de la réponse")))
    assert shown["resourceType"] == "Bundle"
    expect(page).to_have_url(f"{site.base}/api/try")
    expect(page.get_by_label("Jeton d’accès")).to_have_value("")
    kept = "[document.documentElement.outerHTML, document.cookie, {...localStorage}, {...sessionStorage}]"
    assert site.demo.tokens["camille"] not in measured(page, f"JSON.stringify({kept})")


def test_a_refusal_is_shown_as_the_server_says_it(page, site):
    page.goto("/api/try?lang=en")
    follow(page.get_by_role("link", name="English"))
    page.get_by_label("Access token").fill(site.demo.tokens["stern"])
    page.get_by_label("Path below").fill(f"DocumentReference?patient={site.demo.patients['camille']}")
    follow(page.get_by_role("button", name="Send"))
    expect(page.get_by_role("status")).to_have_text(re.compile("^403"))
    expect(page.get_by_role("region", name="Body of the answer")).to_contain_text("consent-required")


def test_a_form_on_another_site_is_refused(page, site):
    action = f"{site.base}/api/try"
    form = f'<form method="post" action="{action}"><input name="path" value="Patient"><button>x</button></form>'
    page.route("http://elsewhere.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://elsewhere.example/")
    with page.expect_navigation() as gone:
        page.get_by_role("button").click()
    assert gone.value.status == 403
