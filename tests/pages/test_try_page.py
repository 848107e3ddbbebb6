"""The page that tries the API, in a real Chromium without scripts, by keyboard and in both languages."""

import json

import pytest

pytestmark = pytest.mark.browser


def test_camille_searches_her_documents_by_keyboard(page, site):
    page.goto("/api")
    page.get_by_role("link", name="Essayer l’API").click()
    page.get_by_label("Jeton d’accès").fill(site.demo.tokens["camille"])
    page.get_by_label("Chemin sous").fill("DocumentReference?status=current&_count=1")
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text().startswith("200")
    shown = json.loads(page.get_by_role("region", name="Corps de la réponse").inner_text())
    assert shown["resourceType"] == "Bundle"
    assert page.url == f"{site.base}/api/try"
    assert page.get_by_label("Jeton d’accès").input_value() == ""
    assert site.demo.tokens["camille"] not in page.content()
    kept = "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"
    assert site.demo.tokens["camille"] not in page.evaluate(kept)


def test_a_refusal_is_shown_as_the_server_says_it(page, site):
    page.goto("/api/try?lang=en")
    page.get_by_role("link", name="English").click()
    page.get_by_label("Access token").fill(site.demo.tokens["stern"])
    page.get_by_label("Path below").fill(f"DocumentReference?patient={site.demo.patients['camille']}")
    page.get_by_role("button", name="Send").click()
    assert page.get_by_role("status").inner_text().startswith("403")
    assert "consent-required" in page.get_by_role("region", name="Body of the answer").inner_text()


def test_a_form_on_another_site_is_refused(page, site):
    action = f"{site.base}/api/try"
    form = f'<form method="post" action="{action}"><input name="path" value="Patient"><button>x</button></form>'
    page.route("http://elsewhere.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://elsewhere.example/")
    with page.expect_navigation() as gone:
        page.get_by_role("button").click()
    assert gone.value.status == 403
