"""The console of developers: in the demonstration a sandbox app and the cast's tokens, outside it nothing at all."""

import pytest
from playwright.sync_api import expect

from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import ClientKind
from fhir_server.domain.values import ClientId
from tests.pages.browsing import readable_on_every_screen, text_of

FORM = {"name": "Tension", "redirects": "https://tension.example/back", "scope": "patient/Patient.r", "method": "none"}


@pytest.mark.browser
def test_a_developer_registers_an_app_and_asks_as_somebody(page, site):
    page.goto("/developer")
    readable_on_every_screen(page)
    page.get_by_label("Nom de l’application").fill("Tension")
    page.get_by_label("Adresses de redirection, une par ligne").fill("https://tension.example/back")
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("status")).to_contain_text("Notez ces valeurs")
    readable_on_every_screen(page)
    client = clients.find(site.runtime, ClientId(text_of(page.locator("dl.answer dd").first)))
    assert client is not None
    assert (client.kind, client.name, client.is_self_registered) == (ClientKind.PATIENT_APP, "Tension", True)
    page.goto("/developer")
    page.locator("main li a").first.click()
    page.wait_for_url("**/api/try?**")
    page.get_by_role("button", name="Envoyer").click()
    expect(page.get_by_role("status")).to_have_text("200 OK")


@pytest.mark.browser
def test_a_wrong_form_is_told_and_another_site_registers_nothing(page, site):
    sent = page.request.post(f"{site.base}/developer/apps", form=FORM | {"redirects": "http://tension.example/back"})
    assert sent.status == 422
    assert "redirect_uris" in sent.text()
    assert "Tension" in sent.text()
    for changed, status in (({"method": "x"}, 400), ({"name": "Habilis"}, 422), ({"scope": "x"}, 422)):
        assert page.request.post(f"{site.base}/developer/apps", form=FORM | changed).status == status
    foreign = page.request.post(
        f"{site.base}/developer/apps", form=FORM, headers={"Origin": "https://elsewhere.example"}
    )
    assert foreign.status == 403


def test_outside_the_demonstration_there_is_no_console_and_no_token(web, settings):
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "demo.json").write_text(
        '{"people": [], "patients": {}, "tour": [], "tokens": {"camille": "secret-token"}}'
    )
    unknown = web.get("/developers-of-nothing")
    assert web.get("/developer").status_code == unknown.status_code == 404
    assert web.get("/developer").text == unknown.text
    assert web.post("/developer/apps", data=FORM).status_code == 404
    assert "secret-token" not in web.get("/api/try?as=camille").text
    assert "/developer" not in web.get("/").text
