"""The portal in a real Chromium: from the first page to a document and out again, in both languages, on a phone too."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.conftest import DESK, PHONE, Site
from tests.pages.test_pages import CONTRAST

pytestmark = pytest.mark.browser
LANGUAGES = {"fr": "fr-FR", "en": "en-GB"}
MOST_BYTES = 30_000


def signed_in(browser: Browser, site: Site, login: str, language: str = "en", size: dict = DESK) -> Page:
    """Sign somebody in from the first page."""
    context = browser.new_context(locale=LANGUAGES[language], viewport=size, base_url=site.base)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name={"fr": "Se connecter", "en": "Sign in"}[language], exact=True).click()
    page.locator("input[name=login]").fill(login)
    page.locator("input[type=password]").fill(site.demo.logins[login])
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/account/start")
    return page


def in_own_space(page: Page, name: str) -> Page:
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url("**/documents")
    return page


@pytest.fixture(params=[(language, size) for language in LANGUAGES for size in ("desk", "phone")], ids="-".join)
def camille(request, chromium, site):
    language, size = request.param
    page = signed_in(chromium, site, "camille", language, DESK if size == "desk" else PHONE)
    yield in_own_space(page, "Camille Laurent")
    page.context.close()


def sound(page: Page) -> None:
    """Check what holds of every page: structure, contrast, width, size, no script."""
    assert page.locator("h1").count() == 1
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("script, [style], [onclick], iframe").count() == 0
    nameless = "all => all.filter(c => !c.labels || !c.labels.length).map(c => c.outerHTML)"
    assert page.locator("input:not([type=hidden]), select, textarea").evaluate_all(nameless) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == [], scheme
    page.emulate_media(color_scheme="light")
    sent = page.request.get(page.url, headers={"Accept-Encoding": "gzip"})
    assert int(sent.headers.get("content-length", len(sent.body()))) <= MOST_BYTES


def test_from_the_first_page_to_a_document_and_out_again(camille, site):
    sound(camille)
    assert camille.get_by_text("Camille Laurent").count() >= 1
    title = re.compile("ligamentoplastie du genou droit")
    camille.get_by_role("link", name=title).click()
    sound(camille)
    expect(camille.get_by_role("heading", level=1)).to_have_text(title)
    with camille.expect_download() as waiting:
        camille.get_by_role("link", name=re.compile("Télécharger|Download")).first.click()
    assert waiting.value.suggested_filename.endswith(".pdf")
    camille.get_by_role("button", name=re.compile("Se déconnecter|Sign out")).click()
    camille.wait_for_url("**/login")
    camille.goto(f"/account/spaces/{site.demo.patients['camille']}/documents")
    camille.wait_for_url("**/login")


def test_a_text_opens_as_text(camille):
    camille.get_by_role("link", name=re.compile("Mes remarques pour les soignants")).click()
    camille.get_by_role("link", name=re.compile("^(Ouvrir|Open)")).first.click()
    assert camille.locator("script").count() == 0
    assert "sandbox" in camille.request.get(camille.url).headers["content-security-policy"]


def test_the_child_in_view_is_named_on_every_page(chromium, site):
    page = signed_in(chromium, site, "marc")
    in_own_space(page, "Léo Laurent-Dubois")
    expect(page.get_by_role("banner")).to_contain_text("Léo Laurent-Dubois")
    page.get_by_role("link", name="Change").click()
    in_own_space(page, "Marc Dubois")
    expect(page.get_by_role("banner")).to_contain_text("Marc Dubois")
    page.context.close()


def test_hiding_is_seen_before_it_is_done_and_undone_after(camille):
    camille.get_by_role("link", name=re.compile("IRM du genou")).click()
    camille.get_by_role("link", name=re.compile("^(Qui peut le voir|Who can see it),")).click()
    sound(camille)
    of_team = camille.get_by_role("listitem").filter(has_text="Cabinet de kinésithérapie des Lilas")
    expect(of_team).to_contain_text(re.compile("(ne le voit pas|does not see it)"))
    camille.get_by_role("button", name=re.compile("Le masquer|Hide it")).click()
    sound(camille)
    expect(camille.get_by_role("status")).to_be_visible()
    camille.get_by_role("button", name=re.compile("^(Annuler|Undo)$")).click()
    expect(camille.get_by_role("button", name=re.compile("Le masquer|Hide it"))).to_be_visible()


def test_a_team_is_blocked_and_let_in_again(camille):
    camille.get_by_role("link", name=re.compile("^(Personnes|People)$")).click()
    sound(camille)
    camille.get_by_role("button", name=re.compile("^(Bloquer|Block) .*CHU-A")).first.click()
    sound(camille)
    camille.get_by_role("status").get_by_role("button").click()
    assert camille.get_by_role("button", name=re.compile("Mettre fin au blocage|End the block")).count() <= 1


def test_filters_are_chosen_seen_and_removed(camille):
    camille.get_by_label(re.compile("^(Classe|Class)$")).select_option("42")
    camille.get_by_role("button", name=re.compile("^(Chercher|Find)$")).click()
    sound(camille)
    assert camille.locator(".documents-list > li").count() == 2
    camille.get_by_role("link", name=re.compile("^(retirer|remove)")).click()
    assert camille.locator(".documents-list > li").count() > 2


def test_the_journal_and_the_apps_lead_back_to_the_documents(camille):
    camille.get_by_role("link", name="Journal", exact=True).click()
    expect(camille.get_by_role("banner")).to_contain_text("Camille Laurent")
    camille.get_by_role("link", name=re.compile("^(Applications|Apps)$")).click()
    camille.get_by_role("link", name=re.compile("^(Vos pages|Your pages)$")).click()
    in_own_space(camille, "Camille Laurent")


def test_the_keyboard_alone_leads_from_the_list_to_a_document(camille):
    camille.keyboard.press("Tab")
    camille.keyboard.press("Enter")
    for _ in range(20):
        camille.keyboard.press("Tab")
        if camille.evaluate("document.activeElement.closest('.documents-list') !== null"):
            break
    camille.keyboard.press("Enter")
    camille.wait_for_url(re.compile("/documents/[0-9a-f-]{36}$"))
