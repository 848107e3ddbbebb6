"""The pages in a real Chromium: readable, usable by keyboard, alone with their own sheet, in French and in English."""

import re
from itertools import pairwise

import pytest

from tests.pages.conftest import DESK, PHONE

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
CONTRAST = """() => {
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.getClientRects().length) continue;
    const a = luminance(parse(getComputedStyle(node).color).slice(0, 3)), b = luminance(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faint;
}"""


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_one_heading_its_landmarks_and_its_language(page, path):
    page.goto(path)
    assert page.locator("h1").count() == 1
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert page.get_by_role("navigation").count() == 2
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.title()
    levels = [int(name[1]) for name in page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(h => h.tagName)")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("path", PATHS)
def test_every_text_stands_out_from_its_ground(page, path):
    page.goto(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == [], scheme


@pytest.mark.parametrize("path", PATHS)
def test_a_page_never_scrolls_sideways(page, path):
    page.goto(path)
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size


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
    assert page.locator("script, [style], [onclick], iframe").count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_every_control_has_a_label_and_every_image_an_alternative(page, path):
    page.goto(path)
    nameless = "all => all.filter(c => !c.labels || !c.labels.length).map(c => c.outerHTML)"
    assert page.locator("input, select, textarea").evaluate_all(nameless) == []
    assert page.locator("img:not([alt])").count() == 0


def test_the_first_tab_reaches_the_skip_link_and_it_leads_to_the_content(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_focus_is_seen(page):
    page.goto("/journal")
    page.get_by_label("Journal de").focus()
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert page.evaluate(outline) == "3px"


def test_the_landing_page_says_that_it_is_a_demonstration_and_hands_out_what_works(page, site):
    page.goto("/")
    assert "Démonstration" in page.locator(".banner").inner_text()
    for name in ("Camille Laurent", "Paul Morel", "Zoé Petit", "Dr Julien Martin", "MaTension", "Dana Weiss"):
        assert page.get_by_role("heading", name=name, exact=True).count() == 1, name
    page.get_by_text("Jeton de Paul Morel").click()
    shown = page.locator("details[open] .token").inner_text()
    answer = page.request.get(
        f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}",
        headers={"Authorization": f"Bearer {shown}"},
    )
    assert answer.status == 200


def test_each_request_of_the_tour_is_a_line_to_copy(page, site):
    page.goto("/")
    lines = page.locator(".steps pre").all_inner_texts()
    assert len(lines) == 5
    assert all(line.startswith("curl -s ") and site.demo.fhir in line for line in lines)


def test_the_language_changes_by_a_link_and_is_remembered(page):
    page.goto("/journal?person=camille")
    page.get_by_role("link", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", name="Journal of accesses").count() == 1
    assert "person=camille" in page.url
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == "en"


def test_without_scripts_the_pages_say_the_same(chromium, site):
    context = chromium.new_context(java_script_enabled=False, locale="fr-FR", base_url=site.base)
    page = context.new_page()
    page.goto("/journal?person=camille")
    assert page.locator(".lines li").count() > 0
    context.close()


def test_the_journal_tells_who_what_and_why_in_plain_sentences(page, site):
    search = f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}&status=current"
    report = f"{site.demo.fhir}/DocumentReference/{site.demo.documents['camille-hospital-report']}"
    for who, path in (("paul", search), ("paul", report), ("stern", search)):  # other tests have filled the page
        page.request.get(path, headers={"Authorization": f"Bearer {site.demo.tokens[who]}"})
    page.goto("/journal?person=camille")
    told = page.locator("main").inner_text()
    assert "Paul Morel (Cabinet de kinésithérapie des Lilas) a consulté la liste des documents" in told
    assert "Compte rendu d’hospitalisation : ligamentoplastie du genou droit" in told
    assert "Fondement : votre accord à l’équipe de soins." in told
    assert "Dr Félix Stern (Centre de santé du Port) a demandé à consulter la liste des documents" in told
    assert "Motif : vous n’avez pas donné votre accord." in told


def test_the_journal_shows_refusals_alone_when_asked(page, site):
    path = f"{site.demo.fhir}/DocumentReference?patient={site.demo.patients['camille']}"
    page.request.get(path, headers={"Authorization": f"Bearer {site.demo.tokens['stern']}"})
    page.goto("/journal?person=camille")
    page.get_by_label("Refus seulement").check()
    page.get_by_role("button", name="Afficher").click()
    assert page.locator(".lines li").count() == page.locator(".lines li.refused").count() > 0


def test_the_readers_own_actions_appear_only_when_asked(page):
    page.goto("/journal?person=camille")
    assert page.get_by_text(re.compile("Camille Laurent a consulté le journal")).count() == 0
    page.goto("/journal?person=camille&own=1")
    assert page.get_by_text(re.compile("Camille Laurent a consulté le journal")).count() > 0


def test_a_result_sealed_from_the_patient_leaves_no_sign_in_the_journal(page):
    page.goto("/journal?person=camille&own=1")
    assert "biopsie" not in page.locator("main").inner_text()


def test_an_unknown_person_has_no_journal(page):
    assert page.goto("/journal?person=nobody").status == 404


def test_the_interface_page_lists_what_the_openapi_document_says(page, site):
    page.goto("/api")
    spec = page.request.get(f"{site.base}/api/openapi.json").json()
    operations = [m for item in spec["paths"].values() for m in item if m != "parameters"]
    assert page.locator("tbody tr").count() == len(operations) > 20


class TestMatrix:
    """The published matrix, for people (D1, D2)."""

    def test_lists_the_professions_and_leads_to_the_row_of_one(self, page):
        page.goto("/matrix")
        page.get_by_role("link", name="Masseur-kinésithérapeute").click()
        assert page.get_by_role("heading", level=2).inner_text() == "Masseur-kinésithérapeute"
        assert page.get_by_text("54 types de documents sur 114.").is_visible()
        row = page.get_by_role("row").filter(has_text="34112-3")
        assert row.inner_text().split("\t")[0].strip() == "oui"
        assert "d’après SEED" in row.inner_text()
        blood = page.get_by_role("row").filter(has_text="11502-2")
        assert blood.inner_text().split("\t")[0].strip() == "non"

    def test_a_profession_is_chosen_in_a_form(self, page):
        page.goto("/matrix?lang=en")
        page.get_by_label("Profession", exact=True).select_option("28")
        page.get_by_role("button", name="Show").click()
        assert page.get_by_role("heading", level=2).inner_text() == "Optician"
        assert page.get_by_label("Profession", exact=True).input_value() == "28"

    def test_what_is_unknown_in_its_address_is_left_aside(self, page):
        page.goto("/matrix?profession=%3Cscript%3E&version=2019-01-01")
        assert page.get_by_role("heading", level=2).count() == 0
        assert page.get_by_label("Version").input_value() == "2023-10-26"
