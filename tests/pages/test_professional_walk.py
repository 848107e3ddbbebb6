"""The desk in a real Chromium, in both languages, on a desktop and a phone: from the sign-in to a filed document."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import LANGUAGES, address_of, follow, send_password, sound
from tests.pages.conftest import DESK, PHONE
from tests.pages.professionals import NUMBER

pytestmark = pytest.mark.browser
TEXT = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Seen today."}


@pytest.fixture(params=[("fr", DESK), ("en", PHONE)], ids=["fr-desk", "en-phone"])
def martin(request, chromium, site):
    language, size = request.param
    page = chromium.new_context(locale=LANGUAGES[language], viewport=size, base_url=site.base).new_page()
    page.goto("/login")
    send_password(page, site, "martin")
    page.wait_for_url("**/patients")
    yield page
    page.context.close()


def heading(page):
    return expect(page.get_by_role("heading", level=1))


def test_a_physician_finds_a_patient_reads_and_files(martin):
    sound(martin)
    expect(martin.get_by_role("banner")).to_contain_text("Dr Julien Martin")
    martin.locator("#number").fill(NUMBER)
    follow(martin.get_by_role("button", name=re.compile("^(Chercher|Find)$")))
    heading(martin).to_have_text("Camille Laurent")
    sound(martin)
    assert NUMBER not in address_of(martin)
    follow(martin.get_by_role("link", name="Documents", exact=True))
    heading(martin).to_contain_text("Camille Laurent")
    sound(martin)
    follow(martin.get_by_role("link", name=re.compile("anatomie pathologique")))
    heading(martin).to_contain_text("anatomie")
    sound(martin)
    follow(martin.get_by_role("link", name=re.compile("Camille Laurent")))
    follow(martin.get_by_role("link", name=re.compile("Déposer un document|File a document")))
    sound(martin)
    martin.locator("#file").set_input_files(TEXT)
    martin.locator("#title").fill("Note")
    martin.locator("#kind").select_option(index=1)
    follow(martin.get_by_role("button", name=re.compile("^(Déposer|File it)$")))
    expect(martin.get_by_role("status")).to_be_visible()
    sound(martin)


def test_without_ground_the_page_says_what_is_missing_and_other_pages_are_sound(martin, site):
    patients = address_of(martin)
    for page in ("team", "accesses"):
        martin.goto(f"{patients}/{site.demo.patients['camille']}/{page}")
        sound(martin)
    martin.goto(f"{patients}/00000000-0000-4000-8000-000000000009")
    heading(martin).to_have_text(re.compile("D’abord une preuve|Evidence first"))
    sound(martin)
    follow(martin.get_by_role("link", name=re.compile("Déclarer une urgence|Declare an emergency")))
    heading(martin).to_have_text(re.compile("reconnecter|sign in once more"))
    sound(martin)
