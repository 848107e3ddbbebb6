"""The pages of an account tell times as the journal does: in the time zone of the readers, never in UTC."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fhir_server.http.pages import language
from tests.oauth.conftest import Person, csrf_of, query_of, redeem
from tests.oauth.steps import OFFLINE, consent_page, enrol, may_enrol, sign_in
from tests.oauth.test_passkeys import Authenticator, add

LATE = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
"""Half past midnight of the next day in Paris."""
TEMPLATES = Path(language.__file__).parent / "templates"
SHOWN = "3 mars 2026, 00:30"
ZONE = "Les heures sont des heures locales (Europe/Paris)."


@pytest.fixture
def late(app, clock) -> Person:
    clock.at = LATE
    return Person(app)


def test_the_apps_of_a_person(late, app):
    where = late.authorize(scope=OFFLINE)
    assert redeem(app.test_client(), query_of(where)["code"]).status_code == 200
    page = late.get("/account/apps", lang="fr").text
    assert page.count(SHOWN) == 2  # since, and last used
    assert ZONE in page


def test_what_changed_of_late_and_the_news_of_it(late, clock, runtime):
    sign_in(late)
    may_enrol(late, runtime)
    enrol(late, clock)
    for path in ("/account/sign-in", "/account/apps"):
        page = late.get(path, lang="fr").text
        assert f"{SHOWN}</time>" in page
        assert page.count(ZONE) == 1


def test_passkeys(late, runtime):
    sign_in(late)
    may_enrol(late, runtime)
    assert add(late, Authenticator()).status_code == 303
    page = late.get("/account/passkeys", lang="fr").text
    assert f"{SHOWN}</time>" in page
    assert ZONE in page


@pytest.mark.usefixtures("late")
def test_a_last_day_is_a_day_of_the_readers_calendar(app):
    _, _, page = consent_page(app, scope=OFFLINE)
    assert 'min="2026-03-03"' in page
    assert 'max="2027-03-03"' in page


@pytest.mark.parametrize(("day", "status"), [("2026-03-02", 422), ("2026-03-03", 303)])
@pytest.mark.usefixtures("late")
def test_a_day_that_has_ended_there_is_asked_again(app, day, status):
    person, where, page = consent_page(app, scope=OFFLINE)
    scopes = re.findall(r'name="scope" id="[^"]+" value="([^"]+)"', page)
    form = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": scopes}
    assert person.post(where, form | {"days": "date", "until": day}).status_code == status


def test_an_instant_at_the_end_of_the_calendar_is_told_as_it_is(app):
    with app.test_request_context("/?lang=en"):
        assert language.told_instant(datetime.max.replace(tzinfo=UTC)) == "31 December 9999, 23:59"


def test_no_template_writes_an_instant_in_another_way():
    for path in TEMPLATES.rglob("*.html"):
        shown = re.sub(r'datetime="[^"]*"', "", path.read_text())
        assert "UTC" not in shown, path.name
        assert "isoformat" not in shown, path.name
        assert path.name == "journal.html" or "strftime" not in shown, path.name
