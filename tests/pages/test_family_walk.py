"""The pages about people in a real Chromium: somebody looked up and blocked, a carer invited and ended, a child."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import DESK, PHONE
from tests.pages.test_portal import in_own_space, signed_in, sound

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("language", "size"), [("fr", PHONE), ("en", DESK)], ids=["fr-phone", "en-desk"])
def test_somebody_is_looked_up_and_blocked_and_a_carer_invited_and_ended(chromium, site, language, size):
    page = in_own_space(signed_in(chromium, site, "camille", language, size), "Camille Laurent")
    page.get_by_role("link", name=re.compile("^(Personnes|People)$")).click()
    expect(page.get_by_role("heading", name=re.compile("^(Médecin traitant|Attending physician)$"))).to_be_visible()
    sound(page)
    page.get_by_role("link", name=re.compile("^(Chercher quelqu’un, pour|Look somebody up, to)")).click()
    page.get_by_label(re.compile("^(Nom|Name)$")).fill("roux")
    page.get_by_role("button", name=re.compile("^(Chercher|Find)$")).click()
    page.get_by_role("button", name=re.compile("^(Bloquer|Block) .*Roux")).first.wait_for()
    sound(page)
    page.get_by_role("button", name=re.compile("^(Bloquer|Block) .*Roux")).first.click()
    page.get_by_role("status").get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^(Aidants|Carers)$")).click()
    page.get_by_label(re.compile("^(Nom de la personne|Name of the person)$")).fill("Rose Petit")
    last = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    page.get_by_label(re.compile("^(Dernier jour|Last day)$")).fill(last)
    page.get_by_role("button", name=re.compile("^(Créer le code|Make the code)$")).click()
    expect(page.locator("main code")).to_have_text(re.compile("^[A-Z0-9]{4}(-[A-Z0-9]{4}){2}$"))
    sound(page)
    page.get_by_role("button", name=re.compile("^(Y mettre fin maintenant|End it now) Rose Petit")).click()
    expect(page.locator("main code")).to_have_count(0)
    page.context.close()


def test_a_parent_changes_between_children_and_reads_what_changes_when(chromium, site):
    page = in_own_space(signed_in(chromium, site, "camille", "fr", PHONE), "Léo Laurent-Dubois")
    sound(page)
    expect(page.get_by_role("banner")).to_contain_text("Vous agissez ici comme représentant légal")
    page.get_by_role("link", name="Personnes", exact=True).click()
    page.get_by_role("link", name="Représentants légaux", exact=True).click()
    expect(page.get_by_role("heading", name="Passage à la majorité")).to_be_visible()
    sound(page)
    page.get_by_role("navigation", name="Espaces").get_by_role("link", name="Camille Laurent (vous)").click()
    expect(page.get_by_role("banner")).not_to_contain_text("représentant légal")
    page.goto("/account/invitation")
    expect(page.get_by_role("heading", level=1)).to_have_text("J’ai reçu une invitation")
    sound(page)
    page.context.close()
