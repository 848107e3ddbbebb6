"""The pages in a real Chromium: readable, usable by keyboard, alone with their own sheet, in French and in English."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.pages.browsing import LEVELS, NAMELESS, follow, measured, readable_on_every_screen, text_of

pytestmark = pytest.mark.browser

PATHS = (
    "/",
    "/journal",
    "/journal?person=camille",
    "/journal?person=camille&own=1",
    "/api",
    "/api/try",
    "/status",
    "/matrix",
    "/matrix?profession=70",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_one_heading_its_landmarks_and_its_language(page, path):
    page.goto(path)
    expect(page.locator("h1")).to_have_count(1)
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("navigation")).to_have_count(2)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page).to_have_title(re.compile(r"\S"))
    levels = measured(page, LEVELS)
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("path", PATHS)
def test_every_text_stands_out_and_a_page_never_scrolls_sideways(page, path):
    page.goto(path)
    readable_on_every_screen(page)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_asks_nothing_of_anybody_else_and_breaks_none_of_its_own_rules(page, site, path):
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    response = page.goto(path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert all(url.startswith(site.base) for url in asked)
    assert complaints == []
    expect(page.locator("script, [style], [onclick], iframe")).to_have_count(0)


@pytest.mark.parametrize("path", PATHS)
def test_every_control_has_a_label_and_every_image_an_alternative(page, path):
    page.goto(path)
    assert measured(page, NAMELESS) == []
    expect(page.locator("img:not([alt])")).to_have_count(0)


def test_the_first_tab_reaches_the_skip_link_and_it_leads_to_the_content(page):
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_the_focus_is_seen(page):
    page.goto("/journal")
    page.get_by_label("Journal de").focus()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_css("outline-width", "3px")


def test_the_landing_page_says_that_it_is_a_demonstration_and_hands_out_what_works(page, site):
    page.goto("/")
    expect(page.locator(".banner")).to_contain_text("Démonstration")
    for name in ("Camille Laurent", "Paul Morel", "Zoé Petit", "Dr Julien Martin", "MaTension", "Dana Weiss"):
        expect(page.get_by_role("heading", name=name, exact=True)).to_have_count(1)
    page.get_by_text("Jeton de Paul Morel").click()
    shown = text_of(page.locator("details[open] .token"))
    answer = page.request.get(
        f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}",
        headers={"Authorization": f"Bearer {shown}"},
    )
    assert answer.status == 200


def test_each_request_of_the_tour_is_a_line_to_copy(page, site):
    page.goto("/")
    lines = page.locator(".steps pre")
    expect(lines).to_have_text([re.compile(rf"^curl -s .*{re.escape(site.demo.fhir)}", re.DOTALL)] * 5)


def test_the_language_changes_by_a_link_and_is_remembered(page):
    page.goto("/journal?person=camille")
    follow(page.get_by_role("link", name="English"))
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="Journal of accesses")).to_have_count(1)
    expect(page).to_have_url(re.compile("person=camille"))
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_without_scripts_the_pages_say_the_same(chromium, site):
    context = chromium.new_context(java_script_enabled=False, locale="fr-FR", base_url=site.base)
    page = context.new_page()
    page.goto("/journal?person=camille")
    expect(page.locator(".lines li")).not_to_have_count(0)
    context.close()


def test_the_journal_tells_who_what_and_why_in_plain_sentences(page, site):
    search = f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}&status=current"
    report = f"{site.demo.fhir}/DocumentReference/{site.demo.documents['camille-hospital-report']}"
    for who, path in (("paul", search), ("paul", report), ("stern", search)):  # other tests have filled the page
        page.request.get(path, headers={"Authorization": f"Bearer {site.demo.tokens[who]}"})
    page.goto("/journal?person=camille")
    told = page.locator("main")
    for sentence in (
        "Paul Morel (Cabinet de kinésithérapie des Lilas) a consulté la liste des documents",
        "Compte rendu d’hospitalisation : ligamentoplastie du genou droit",
        "Fondement : votre accord à l’équipe de soins.",
        "Dr Félix Stern (Centre de santé du Port) a demandé à consulter la liste des documents",
        "Motif : vous n’avez pas donné votre accord.",
    ):
        expect(told).to_contain_text(sentence)


def test_the_journal_shows_refusals_alone_when_asked(page, site):
    path = f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}"
    page.request.get(path, headers={"Authorization": f"Bearer {site.demo.tokens['stern']}"})
    page.goto("/journal?person=camille")
    page.get_by_label("Refus seulement").check()
    follow(page.get_by_role("button", name="Afficher"))
    expect(page.locator(".lines li.refused")).not_to_have_count(0)
    expect(page.locator(".lines li:not(.refused)")).to_have_count(0)


def test_the_readers_own_actions_appear_only_when_asked(page):
    page.goto("/journal?person=camille")
    expect(page.get_by_text(re.compile("Camille Laurent a consulté le journal"))).to_have_count(0)
    page.goto("/journal?person=camille&own=1")
    expect(page.get_by_text(re.compile("Camille Laurent a consulté le journal"))).not_to_have_count(0)


def test_a_result_sealed_from_the_patient_leaves_no_sign_in_the_journal(page):
    page.goto("/journal?person=camille&own=1")
    expect(page.locator("main")).not_to_contain_text("biopsie")


def test_an_unknown_person_has_no_journal(page):
    assert page.goto("/journal?person=nobody").status == 404


def test_the_interface_page_lists_what_the_openapi_document_says(page, site):
    page.goto("/api")
    spec = page.request.get(f"{site.base}/api/openapi.json").json()
    operations = [m for item in spec["paths"].values() for m in item if m != "parameters"]
    assert len(operations) > 20
    expect(page.locator("tbody tr")).to_have_count(len(operations))


class TestMatrix:
    """The published matrix, for people (D1, D2)."""

    def test_lists_the_professions_and_leads_to_the_row_of_one(self, page):
        page.goto("/matrix")
        follow(page.get_by_role("link", name="Masseur-kinésithérapeute"))
        expect(page.get_by_role("heading", level=2)).to_have_text("Masseur-kinésithérapeute")
        expect(page.get_by_text("54 types de documents sur 114.")).to_be_visible()
        row = page.get_by_role("row").filter(has_text="34112-3")
        expect(row.locator("td, th").first).to_have_text("oui")
        expect(row).to_contain_text("d’après SEED")
        blood = page.get_by_role("row").filter(has_text="11502-2")
        expect(blood.locator("td, th").first).to_have_text("non")

    def test_a_profession_is_chosen_in_a_form(self, page):
        page.goto("/matrix?lang=en")
        page.get_by_label("Profession", exact=True).select_option("28")
        follow(page.get_by_role("button", name="Show"))
        expect(page.get_by_role("heading", level=2)).to_have_text("Optician")
        expect(page.get_by_label("Profession", exact=True)).to_have_value("28")

    def test_what_is_unknown_in_its_address_is_left_aside(self, page):
        page.goto("/matrix?profession=%3Cscript%3E&version=2019-01-01")
        expect(page.get_by_role("heading", level=2)).to_have_count(0)
        expect(page.get_by_label("Version")).to_have_value("2023-10-26")
