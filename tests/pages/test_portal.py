"""The portal in a real Chromium: from the first page to a document and out again, in both languages, on a phone too."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import LANGUAGES, address_of, follow, in_own_space, leaving, measured, signed_in, sound
from tests.pages.conftest import DESK, PHONE

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(language, size) for language in LANGUAGES for size in ("desk", "phone")], ids="-".join)
def camille(request, chromium, site):
    language, size = request.param
    page = signed_in(chromium, site, "camille", language, DESK if size == "desk" else PHONE)
    yield in_own_space(page, "Camille Laurent")
    page.context.close()


def test_from_the_first_page_to_a_document_and_out_again(camille, site):
    sound(camille)
    expect(camille.get_by_text("Camille Laurent")).not_to_have_count(0)
    title = re.compile("ligamentoplastie du genou droit")
    follow(camille.get_by_role("link", name=title))
    sound(camille)
    expect(camille.get_by_role("heading", level=1)).to_have_text(title)
    with camille.expect_download() as waiting:
        camille.get_by_role("link", name=re.compile("Télécharger|Download")).first.click()
    assert waiting.value.suggested_filename.endswith(".pdf")
    follow(camille.get_by_role("button", name=re.compile("Se déconnecter|Sign out")))
    camille.wait_for_url("**/login")
    camille.goto(f"/account/spaces/{site.demo.patients['camille']}/documents")
    camille.wait_for_url("**/login?then=**")


def test_a_text_opens_as_text(camille):
    follow(camille.get_by_role("link", name=re.compile("Mes remarques pour les soignants")))
    follow(camille.get_by_role("link", name=re.compile("^(Ouvrir|Open)")).first)
    expect(camille.locator("script")).to_have_count(0)
    assert "sandbox" in camille.request.get(address_of(camille)).headers["content-security-policy"]


def test_the_child_in_view_is_named_on_every_page(chromium, site):
    page = signed_in(chromium, site, "marc")
    in_own_space(page, "Léo Laurent-Dubois")
    expect(page.get_by_role("banner")).to_contain_text("Léo Laurent-Dubois")
    follow(page.get_by_role("link", name="Change"))
    in_own_space(page, "Marc Dubois")
    expect(page.get_by_role("banner")).to_contain_text("Marc Dubois")
    page.context.close()


def test_hiding_is_seen_before_it_is_done_and_undone_after(camille):
    follow(camille.get_by_role("link", name=re.compile("IRM du genou")))
    follow(camille.get_by_role("link", name=re.compile("^(Qui peut le voir|Who can see it),")))
    sound(camille)
    of_team = camille.get_by_role("listitem").filter(has_text="Cabinet de kinésithérapie des Lilas")
    expect(of_team).to_contain_text(re.compile("(ne le voit pas|does not see it)"))
    follow(camille.get_by_role("button", name=re.compile("Le masquer|Hide it")))
    sound(camille)
    expect(camille.get_by_role("status")).to_be_visible()
    follow(camille.get_by_role("button", name=re.compile("^(Annuler|Undo)$")))
    expect(camille.get_by_role("button", name=re.compile("Le masquer|Hide it"))).to_be_visible()


def test_a_team_is_blocked_and_let_in_again(camille):
    follow(camille.get_by_role("link", name=re.compile("^(Personnes|People)$")))
    sound(camille)
    follow(camille.get_by_role("button", name=re.compile("^(Bloquer|Block) .*CHU-A")).first)
    sound(camille)
    follow(camille.get_by_role("status").get_by_role("button"))
    expect(camille.get_by_role("button", name=re.compile("^(Bloquer|Block) .*CHU-A")).first).to_be_visible()


def test_filters_are_chosen_seen_and_removed(camille):
    camille.get_by_label(re.compile("^(Classe|Class)$")).select_option("42")
    follow(camille.get_by_role("button", name=re.compile("^(Chercher|Find)$")))
    sound(camille)
    expect(camille.locator(".documents-list > li")).to_have_count(2)
    follow(camille.get_by_role("link", name=re.compile("^(retirer|remove)")))
    expect(camille.locator(".documents-list > li").nth(2)).to_be_visible()


def test_the_journal_and_the_apps_lead_back_to_the_documents(camille):
    follow(camille.get_by_role("link", name="Journal", exact=True))
    expect(camille.get_by_role("banner")).to_contain_text("Camille Laurent")
    follow(camille.get_by_role("link", name=re.compile("^(Applications|Apps)$")))
    follow(camille.get_by_role("link", name="Documents", exact=True))
    expect(camille.get_by_role("banner")).to_contain_text("Camille Laurent")


def test_the_keyboard_alone_leads_from_the_list_to_a_document(camille):
    camille.keyboard.press("Tab")
    camille.keyboard.press("Enter")
    for _ in range(20):
        camille.keyboard.press("Tab")
        if measured(camille, "document.activeElement.closest('.documents-list') !== null"):
            break
    with leaving(camille):
        camille.keyboard.press("Enter")
    camille.wait_for_url(re.compile("/documents/[0-9a-f-]{36}$"))
