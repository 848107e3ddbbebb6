"""The notices on the page of the journal: told in words, reviews with their day, and to the reader alone (G3, H1)."""

from dataclasses import replace

import pytest

from consent_rules.model import Requester
from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.app import create_app
from fhir_server.application import emergencies, spaces
from fhir_server.domain.caller import Caller
from seed import enrolment
from seed.loading import load_demonstration
from tests.conftest import Loaded


@pytest.fixture
def server(settings, runtime):
    settings = replace(settings, demo=True)
    people = load_demonstration(runtime, settings.data_dir)
    return Loaded(create_app(settings, runtime).test_client(), runtime, people)


def page(server, person="camille", language="en"):
    answer = server.web.get(f"/journal?person={person}&lang={language}")
    return answer.status_code, answer.get_data(as_text=True)


def test_a_first_access_is_told(server):
    server.get(f"DocumentReference?patient={server.people.patients['camille']}", "paul")
    _, english = page(server)
    assert "looked at this space for the first time." in english
    assert "Notices</h2>" in english
    _, french = page(server, language="fr")
    assert "a consulté cet espace pour la première fois." in french
    assert "Notifications</h2>" in french


def test_an_emergency_is_told_with_its_reason_and_its_review(server):
    requester = Requester(
        RequesterKind.PROFESSIONAL,
        "Practitioner/awa",
        organization="Organization/chu",
        client="Device/d",
        profession="10",
    )
    caller = Caller(
        requester, Scopes.parse("user/*.rs"), "t", "g", "desk", display="<Dr Awa>", purpose=Purpose.BREAK_GLASS
    )
    emergencies.open_space(server.runtime, caller, server.people.patients["camille"], "found <unconscious>")
    _, english = page(server)
    assert "&lt;Dr Awa&gt; opened this space in an emergency (break-glass)." in english
    assert "Reason: found &lt;unconscious&gt;." in english
    assert "To be reviewed by 05/03/2026 09:00 UTC." in english
    assert "opened the space in an emergency (break-glass)" in english  # the line of the journal itself


def test_nobody_elses_are_shown(server):
    server.get(f"DocumentReference?patient={server.people.patients['camille']}", "paul")
    assert "for the first time" not in page(server, "marc")[1]


def test_they_can_be_read_when_the_space_is_closed(server):
    holder = enrolment.caller(server.runtime, server.people.tokens["camille"])
    spaces.change(server.runtime, holder, server.people.patients["camille"], spaces.CLOSE)
    status, text = page(server)
    assert status == 403
    assert "This space is closed; its documents are archived, and you may open it again." in text


def test_a_space_without_any_shows_no_heading(server):
    assert "Notices</h2>" not in page(server)[1]
