"""Pages for anybody: who reads what, who holds the keys, whom to tell of a weakness, the accessibility declaration."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import expect

from consent_rules.matrix import comparison
from fhir_server.http.pages.public import accessibility
from fhir_server.http.pages.public.keys import HOLDERS
from fhir_server.http.pages.public.security import PATH, SETTING
from fhir_server.settings.security import read_security
from tests.pages.browsing import readable_on_every_screen

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("/who-reads", "/who-reads?profession=70&document=34112-3", "/keys", "/security", "/accessibility")
ENGLISH = {"Accept-Language": "en", "Accept": "text/html"}


@pytest.fixture
def get(world):
    def page(path: str, language: str = "en"):
        return world.web.get(path, headers=ENGLISH | {"Accept-Language": language}, base_url="http://localhost:8080")

    return page


def test_a_pair_is_answered_in_a_sentence_as_the_matrix_says(world, get):
    matrix = world.runtime.matrix
    granted = next(cell for cell in matrix.cells.values() if cell.access)
    refused = next(cell for cell in matrix.cells.values() if not cell.access)
    for cell, sentence in ((granted, "may read this type"), (refused, "may not read this type")):
        page = get(f"/who-reads?profession={cell.profession}&document={cell.kind}").text
        assert sentence in page
        assert page.count("This profession may") == 1


def test_a_type_of_document_lists_the_professions_that_may_read_it(world, get):
    matrix, kind = world.runtime.matrix, next(cell.kind for cell in world.runtime.matrix.cells.values() if cell.access)
    listed = re.findall(r"<li>([^<]+)</li>", get(f"/who-reads?document={kind}", "fr").text.split("<h2>")[1])
    cells = [(one, matrix.cell(one.code, kind)) for one in matrix.professions.values()]
    granted = {one.label_fr for one, cell in cells if cell and cell.access}
    assert {unescape(one) for one in listed} == granted
    assert granted


def test_what_a_version_changes_is_told_with_its_day_and_for_whom(world, get):
    versions = world.runtime.matrices.versions
    page = get("/who-reads").text
    for older, newer in pairwise(versions):
        count = len(comparison.differences(older, newer))
        assert str(newer.effective.year) in page
        assert (count > 0) == ("from this day on" in page)
    assert len(versions) > 1 or "no change is announced" in page


@pytest.mark.parametrize("query", ["?profession=x&document=y", "?profession=%00&document=" + "9" * 3000, "?x=1"])
def test_unknown_codes_count_as_none(get, query):
    answer = get(f"/who-reads{query}")
    assert answer.status_code == 200
    assert "This profession may" not in answer.text


def test_the_page_of_keys_has_the_rows_of_the_threat_model():
    model = (ROOT / "docs" / "threat-model.md").read_text().split("## Attackers")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in model.splitlines() if line.startswith("| ")]
    assert [one.model for one in HOLDERS] == rows[2:]


def test_each_row_says_what_somebody_could_read(get):
    page = get("/keys").text
    assert page.count("<h3>") == len(HOLDERS)


def test_without_a_contact_there_is_no_security_txt(get):
    assert get(PATH).status_code == 404
    assert "named no address" in get("/security").text


def test_the_contact_is_published_until_the_day_that_is_set(world, get, monkeypatch, clock):
    until = (clock.at + timedelta(days=30)).isoformat()
    contact = read_security(
        {"HABILIS_SECURITY_CONTACT": "mailto:security@example.org", "HABILIS_SECURITY_EXPIRES": until}
    )
    monkeypatch.setitem(world.web.application.config, SETTING, contact)
    answer = get(PATH)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@example.org"
    assert datetime.fromisoformat(fields["Expires"]) == clock.at + timedelta(days=30)
    assert fields["Canonical"] == f"http://localhost:8080{PATH}"
    assert "security@example.org" in get("/security").text
    clock.advance(days=31)
    assert get(PATH).status_code == 404
    assert "named no address" in get("/security").text


WRONG = (
    {"HABILIS_SECURITY_CONTACT": "mailto:a@example.org"},
    {"HABILIS_SECURITY_EXPIRES": "2027-01-01T00:00:00Z"},
    {"HABILIS_SECURITY_CONTACT": "security@example.org", "HABILIS_SECURITY_EXPIRES": "2027-01-01T00:00:00Z"},
    {"HABILIS_SECURITY_CONTACT": "http://example.org", "HABILIS_SECURITY_EXPIRES": "2027-01-01T00:00:00Z"},
    {"HABILIS_SECURITY_CONTACT": "mailto:a@b\nX: y", "HABILIS_SECURITY_EXPIRES": "2027-01-01T00:00:00Z"},
    {"HABILIS_SECURITY_CONTACT": "mailto:a@example.org", "HABILIS_SECURITY_EXPIRES": "2027-01-01"},
)


@pytest.mark.parametrize("environment", WRONG)
def test_a_contact_that_rfc_9116_does_not_allow_is_refused_by_name(environment):
    with pytest.raises(ValueError, match="HABILIS_SECURITY_"):
        read_security(environment)


def test_no_rate_is_stated_before_an_audit_and_every_foot_mentions_it(get, monkeypatch):
    assert "not yet been assessed" in get("/accessibility").text
    for path in ("/", "/matrix", "/keys", "/login"):
        assert "Accessibility: not yet assessed" in get(path).text, path
    monkeypatch.setattr(accessibility, "AUDIT", accessibility.Audit(50, 100, datetime(2026, 12, 1, tzinfo=UTC).date()))
    assert "50 %" in get("/accessibility").text


def test_pages_for_anybody_need_no_session_and_no_script_and_are_small(get):
    for path in PAGES:
        answer = get(path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert answer.text.count("<h1>") == 1


@pytest.mark.browser
def test_they_are_readable_on_every_screen_and_led_to_from_the_foot(page):
    for path in PAGES[1:]:
        page.goto(path)
        readable_on_every_screen(page)
    page.goto("/")
    page.get_by_role("contentinfo").get_by_role("link", name="Qui lit quoi").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Qui lit quoi")
    page.get_by_label("Type de document").select_option(index=3)
    page.get_by_role("button", name="Afficher").click()
    expect(page.get_by_role("heading", level=2)).to_have_count(2)
