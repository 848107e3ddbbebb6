"""Sharing in a real Chromium: a code is made, shown and cancelled; a CDA document is read as a page."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import address_of, follow, in_own_space, readable, signed_in, sound, text_of
from tests.pages.conftest import DESK, PHONE

pytestmark = pytest.mark.browser
CDA = re.compile("arthroscopie du genou droit")


@pytest.fixture(scope="module", params=[("fr", "phone"), ("en", "desk")], ids="-".join)
def signed(request, chromium, site):
    """Camille, signed in once for all tests of a language."""
    language, size = request.param
    page = signed_in(chromium, site, "camille", language, DESK if size == "desk" else PHONE)
    yield page
    page.context.close()


@pytest.fixture
def camille(signed):
    signed.goto("/account/start")
    return in_own_space(signed, "Camille Laurent")


def test_a_code_is_made_shown_and_cancelled_and_a_name_is_chosen(camille):
    follow(camille.get_by_role("link", name=re.compile("^(Accès unique|Let in once)$")))
    sound(camille)
    camille.get_by_label(re.compile("^(Seulement ce professionnel|Only this professional)")).check()
    camille.get_by_label(re.compile("^(Nom|Name)$")).fill("Stern")
    follow(camille.get_by_role("button", name=re.compile("^(Créer le code|Make the code)$")))
    expect(camille.get_by_role("alert")).to_be_visible()
    readable(camille)
    camille.get_by_label(re.compile("Stern")).first.check()
    follow(camille.get_by_role("button", name=re.compile("^(Créer le code|Make the code)$")))
    expect(camille.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    expect(camille.locator(".code-text")).to_have_text(re.compile("^[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}$"))
    readable(camille)
    follow(camille.get_by_role("button", name=re.compile("^(Annuler ce code|Cancel this code)$")))
    expect(camille.get_by_role("status")).to_be_visible()
    sound(camille)


def test_a_cda_document_is_read_and_leads_back(camille):
    follow(camille.get_by_role("link", name=CDA))
    here = address_of(camille)
    follow(camille.get_by_role("link", name=re.compile("^(Ouvrir|Open)")).first)
    expect(camille.get_by_role("heading", level=1)).to_have_text(CDA)
    expect(camille.locator(".cda p").first).to_be_visible()
    assert text_of(camille.locator(".brand")) == "Habilis"
    sound(camille)
    follow(camille.get_by_role("link", name=re.compile("^(Retour au document|Back to the document)$")))
    assert address_of(camille) == here


def test_the_check_up_leads_to_what_it_tells_of_and_a_document_is_added(camille, tmp_path):
    follow(camille.get_by_role("link", name=re.compile("^(Bilan|Check-up)$")))
    sound(camille)
    follow(camille.get_by_role("link", name=re.compile("^(Modifier ce qui est masqué|Change what is hidden)$")))
    follow(camille.get_by_role("link", name=re.compile("^(Ajouter un document|Add a document)")))
    sound(camille)
    letter = tmp_path / "letter.txt"
    letter.write_text("Je suis allergique.")
    camille.locator("#file").set_input_files(letter)
    camille.locator("#title").fill("Mes allergies")
    camille.locator("#kind").select_option("EXPPAT_2")
    camille.locator("#hidden").check()
    follow(camille.get_by_role("button", name=re.compile("^(L’ajouter|Add it)$")))
    expect(camille.get_by_role("status")).to_be_visible()
    sound(camille)
    camille.get_by_text(re.compile("^(Le retirer|Withdraw it)$")).click()
    follow(camille.get_by_role("button", name=re.compile("^(Retirer ce document|Withdraw this document)$")))
    expect(camille.get_by_role("status")).to_be_visible()
