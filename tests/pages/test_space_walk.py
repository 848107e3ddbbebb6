"""The pages of a space in a real Chromium, in both languages, on a desk and on a telephone; all is undone."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import LANGUAGES, follow, in_own_space, signed_in, sound
from tests.pages.conftest import DESK, PHONE

pytestmark = pytest.mark.browser
UNDO = re.compile("^(Annuler|Undo)$")


@pytest.fixture(params=[(language, size) for language in LANGUAGES for size in ("desk", "phone")], ids="-".join)
def camille(request, chromium, site):
    language, size = request.param
    page = signed_in(chromium, site, "camille", language, DESK if size == "desk" else PHONE)
    yield in_own_space(page, "Camille Laurent")
    page.context.close()


def go(page, words: str):
    """Follow an item of the navigation, and check the page that it leads to."""
    follow(page.get_by_role("navigation").get_by_role("link", name=re.compile(f"^({words})$")))
    sound(page)


def undo(page):
    expect(page.get_by_role("status")).to_be_visible()
    sound(page)
    follow(page.get_by_role("status").get_by_role("button", name=UNDO))


def test_every_page_of_the_space_is_sound_and_every_change_is_undone(camille):
    go(camille, "Urgence|Emergency")
    follow(camille.get_by_role("button", name=re.compile("^(Fermer cet accès|Close this)$")).first)
    undo(camille)
    go(camille, "Demandes|Requests")
    follow(camille.get_by_role("button", name=re.compile("^(Me demander d’abord|Ask me first)$")))
    undo(camille)
    go(camille, "Applications|Apps")
    go(camille, "Mon espace|My space")
    follow(camille.get_by_role("button", name=re.compile("^(Fermer cet espace|Close this space)$")))
    undo(camille)
    go(camille, "Journal")
    follow(camille.get_by_role("link", name=re.compile("^(Imprimer ou garder|Print or keep)")))
    sound(camille)
    follow(camille.get_by_role("button", name=re.compile("^(L’afficher|Show it)")))
    expect(camille.locator(".lines li")).not_to_have_count(0)
