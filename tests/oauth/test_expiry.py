"""The person says until when an app may renew its access, and a guardian chooses documents of the child."""

import re
from datetime import UTC, datetime

import pytest

from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import Grantee, find_account
from fhir_server.application.identity.clients import find
from fhir_server.oauth.authorize import selection
from tests.oauth.conftest import PHYSIO, Person, csrf_of, query_of, redeem
from tests.oauth.steps import OFFLINE, consent_page, refresh


def decide(app, **chosen: str):
    """Answer the consent page of an app that wants to renew its access."""
    person, where, page = consent_page(app, scope=OFFLINE)
    scopes = re.findall(r'name="scope" id="[^"]+" value="([^"]+)"', page)
    form = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": scopes} | chosen
    return person.post(where, form)


def grant_of(app, runtime, **chosen: str):
    body = redeem(app.test_client(), query_of(decide(app, **chosen).headers["Location"])["code"]).get_json()
    return find_access(runtime, body["access_token"]).grant, body


@pytest.mark.parametrize(
    ("chosen", "until"),
    [
        ({"days": "1"}, datetime(2026, 3, 3, 9, tzinfo=UTC)),
        ({"days": "30"}, datetime(2026, 4, 1, 9, tzinfo=UTC)),
        ({"days": "date", "until": "2026-03-10"}, datetime(2026, 3, 10, 23, tzinfo=UTC)),
        ({"days": "date", "until": "2027-03-02"}, datetime(2027, 3, 2, 9, tzinfo=UTC)),
        ({}, datetime(2027, 3, 2, 9, tzinfo=UTC)),
        ({"days": "9000"}, datetime(2027, 3, 2, 9, tzinfo=UTC)),
    ],
)
def test_the_grant_ends_when_the_person_said_and_never_after_a_year(app, runtime, chosen, until):
    assert grant_of(app, runtime, **chosen)[0].expires == until


@pytest.mark.parametrize("day", ["", "soon", "2026-03-01", "2027-03-04", "9999-12-31", "2026-02-30", "é", "0001-01-01"])
def test_a_day_that_cannot_be_is_asked_again(app, day):
    answer = decide(app, days="date", until=day)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'name="until"' in answer.text


def test_after_that_day_nothing_is_renewed(app, web, runtime, clock):
    _, body = grant_of(app, runtime, days="date", until="2026-03-04")
    clock.advance(days=2)
    renewed = refresh(web, body["refresh_token"])
    assert renewed.status_code == 200
    clock.advance(hours=14, minutes=1)
    assert refresh(web, renewed.get_json()["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert find_access(runtime, renewed.get_json()["access_token"]) is None


def test_a_person_whose_space_is_not_open_gets_the_page_without_a_list(app):
    person = Person(app, "marc", patient="leo")
    person.authorize()
    assert 'name="document"' not in person.pages[-1]


@pytest.mark.parametrize(
    ("offer", "is_open"),
    [
        ("patient/DocumentReference.rs", True), ("patient/*.r", True), ("patient/Binary.r", True),
        ("patient/DocumentReference.c", False), ("patient/Patient.r openid", False),
    ],
)  # fmt: skip
def test_documents_are_listed_for_apps_that_read_them(runtime, offer, is_open):
    party = Grantee(find(runtime, "app"), find_account(runtime, "camille"))
    assert selection.is_open(party, offer) is is_open
    assert not selection.is_open(None, offer)
    assert not selection.is_open(Grantee(find(runtime, "pro"), find_account(runtime, "paul"), PHYSIO), offer)
