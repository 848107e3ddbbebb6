"""A professional whose declarations are suspended reads so on their pages: in general words, and whom to ask (V13)."""

from urllib.parse import urlsplit

import pytest

from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.application.identity.accounts import find_account
from fhir_server.domain.caller import Caller
from tests.oauth.test_credentials import signed_in, with_factor

OFFICER, WHO = Caller.of_operator("officer"), "Practitioner/martin"
TOLD = "Your declarations open no new space for now"
PAGES = ("/account/apps", "/account/sign-in", "/account/passkeys", "/account/notices")


def shown(person, language="en"):
    return [person.get(path, lang=language).text for path in PAGES]


@pytest.mark.parametrize("subject", [WHO, "Organization/chu"])
def test_each_page_of_the_account_tells_it_until_it_ends(app, runtime, subject):
    supervising.suspend(runtime, subject, OFFICER, "Camille and Noa contest what was declared")
    person = signed_in(app, "martin")
    for text in shown(person):
        assert TOLD in text
        assert "ask the data-protection officer" in text
        assert "emergencies" in text
        assert not any(told in text for told in ("Camille", "Noa", "contest"))
    assert all("délégué à la protection des données" in text for text in shown(person, "fr"))
    breakers.resume(runtime, subject, OFFICER, "cleared")
    assert not any(TOLD in text for text in shown(person))


def test_the_page_says_the_same_whatever_the_cause(app, runtime):
    person = signed_in(app, "martin")
    said = []
    for begin in (breakers.suspend_for_contests, lambda *of: supervising.suspend(of[0], of[1], OFFICER, "by hand")):
        begin(runtime, WHO)
        said.append(person.get("/account/apps", lang="en").text)
        breakers.resume(runtime, WHO, OFFICER, "cleared")
    assert said[0] == said[1]


def test_an_app_that_is_to_be_authorized_leads_to_it_too(app, runtime, clock):
    supervising.suspend(runtime, find_account(runtime, "luc").person, OFFICER, "under inquiry")
    person = with_factor(app, clock)
    where = urlsplit(person.ask(client_id="pro", scope="openid user/DocumentReference.rs").headers["Location"]).path
    assert TOLD in person.get(where, lang="en").text


@pytest.mark.parametrize("who", ["camille", "luc"])
def test_nobody_else_reads_it(app, runtime, who):
    supervising.suspend(runtime, WHO, OFFICER, "under inquiry")
    assert not any(TOLD in text for text in shown(signed_in(app, who)))
