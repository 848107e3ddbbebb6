"""The notices on the page of the journal: told in words, reviews with their day, and to the reader alone (G3, H1)."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.spaces import break_glass_reviews, lifecycle
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named, Notice, communication_of
from fhir_server.http.pages.language import local
from fhir_server.http.pages.patient.notice_texts import tell
from seed import enrolment
from seed.loading import load_demonstration
from tests.conftest import START, FixedClock, Loaded
from tests.factories import settings_in
from tests.pages.steps import open_in_an_emergency


@pytest.fixture(scope="module")
def loaded_at_start(tmp_path_factory):
    """The folder of a demonstration that was loaded when the clock of the tests starts."""
    folder = tmp_path_factory.mktemp("notices")
    settings = settings_in(folder)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    load_demonstration(replace(served, ports=replace(served.ports, clock=FixedClock())), settings.data_dir)
    served.ports.store.close()
    return folder


@pytest.fixture
def server(loaded_at_start, tmp_path, clock):
    settings = replace(settings_in(Path(copytree(loaded_at_start, tmp_path / "copy"))), demo=True)
    served = build_runtime(settings)
    runtime = replace(served, ports=replace(served.ports, clock=clock))
    people = load_demonstration(runtime, settings.data_dir)
    yield Loaded(create_app(settings, runtime).test_client(), runtime, people)
    served.ports.store.close()


def page(server, person="camille", language="en"):
    answer = server.web.get(f"/journal?person={person}&lang={language}")
    return answer.status_code, answer.get_data(as_text=True)


def test_a_first_access_is_told(server):
    server.get(f"DocumentReference?patient={server.people.patients['camille']}", "paul")
    _, english = page(server)
    assert "looked at the space for the first time." in english
    assert "Notices</h2>" in english
    _, french = page(server, language="fr")
    assert "a consulté l’espace pour la première fois." in french
    assert "Avis</h2>" in french


def emergency(server):
    """Open Camille's space in an emergency, with words that a page must escape; return the id of the Consent."""
    camille = server.people.patients["camille"]
    return open_in_an_emergency(server.runtime, camille, "<Dr Awa>", "found <unconscious>")


def test_an_emergency_is_told_with_its_reason_and_its_review(server):
    emergency(server)
    _, english = page(server)
    opened = "&lt;Dr Awa&gt; opened the space in an emergency (break-glass)."
    assert english.count(opened) == 1  # the declared physician was told too, in a notice of its own
    assert "Reason: found &lt;unconscious&gt;." in english
    assert "To be reviewed by 05/03/2026 10:00." in english
    assert "Overdue" not in english
    assert "opened the space in an emergency (break-glass)" in english  # the line of the journal itself


def test_a_review_that_is_late_is_said_to_be(server, clock):
    """P6.5: the journal shows the state of the review, in both languages, and time alone changes it."""
    emergency(server)
    clock.advance(hours=72)
    _, english = page(server)
    assert "Not reviewed yet: it was due by 05/03/2026 10:00." in english
    assert 'class="tag">Overdue</span>' in english
    _, french = page(server, language="fr")
    assert "Pas encore contrôlée : elle devait l’être avant le 05/03/2026 10:00." in french
    assert 'class="tag">En retard</span>' in french


@pytest.mark.parametrize(
    ("outcome", "english", "french"),
    [
        ("justified", "the access was justified.", "l’accès était justifié."),
        ("not-justified", "the access was not justified.", "l’accès n’était pas justifié."),
        ("disciplinary", "and disciplinary steps follow.", "et des suites disciplinaires sont engagées."),
    ],
)
def test_what_a_review_came_to_stands_with_the_access_and_as_its_own_notice(server, clock, outcome, english, french):
    """P6.5, G3: whenever it comes, late or not, the access is not called overdue any more."""
    id_ = emergency(server)
    clock.advance(hours=80)
    dana = enrolment.caller(server.runtime, server.people.tokens["dana"])
    break_glass_reviews.review(server.runtime, dana, id_, outcome, "seen with the head of the ward")
    _, told = page(server)
    assert told.count(english) == 2
    assert "The opening of the space in an emergency by &lt;Dr Awa&gt; was reviewed." in told
    assert "Dana Weiss</strong> reviewed an emergency access" in told
    assert "head of the ward" not in told
    assert "Overdue" not in told
    _, told = page(server, language="fr")
    assert told.count(french) == 2
    assert "Dana Weiss</strong> a contrôlé une ouverture en urgence" in told


def test_whoever_tries_to_review_is_told_of_in_words(server):
    id_ = emergency(server)
    outcome = {"parameter": [{"name": "outcome", "valueCode": "justified"}]}
    for operation, given in (("contest-emergency", {}), ("review-emergency", outcome)):
        answer = server.web.post(
            f"/fhir/Consent/{id_}/${operation}",
            data=json.dumps({"resourceType": "Parameters"} | given),
            headers={"Authorization": f"Bearer {server.people.tokens['paul']}"},
            content_type="application/fhir+json",
        )
        assert answer.status_code == 404
    _, told = page(server)
    assert "wanted to contest an emergency access." in told
    assert "Reason: it is unknown or not open to this person." in told
    assert "wanted to review an emergency access." in told
    assert "Reason: this profession has no access." in told


def test_the_review_of_one_access_says_nothing_of_another(server, clock):
    first = emergency(server)
    clock.advance(hours=80)
    emergency(server)
    dana = enrolment.caller(server.runtime, server.people.tokens["dana"])
    break_glass_reviews.review(server.runtime, dana, first, "justified")
    _, told = page(server)
    assert told.count("Result of the review: the access was justified.") == 2
    assert told.count("To be reviewed by 08/03/2026 18:00.") == 1


def test_nobody_elses_are_shown(server):
    server.get(f"DocumentReference?patient={server.people.patients['camille']}", "paul")
    assert "for the first time" not in page(server, "marc")[1]


def test_they_can_be_read_when_the_space_is_closed(server):
    holder = enrolment.caller(server.runtime, server.people.tokens["camille"])
    lifecycle.close(server.runtime, holder, server.people.patients["camille"])
    status, text = page(server)
    assert status == 403
    assert "The space is closed. Its data are archived; it can be opened again." in text
    assert "This journal is not open to you now." in text


def test_a_space_without_any_shows_no_heading(server):
    assert "Notices</h2>" not in page(server)[1]


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("who", [Named("Practitioner/nour", "Dr Nour"), None])
def test_every_kind_of_notice_has_words_on_the_page(web, kind, who):
    """H2 among them: what software files has nobody's name."""
    notice = communication_of(Notice(kind, "1", START, ("Patient/1",), who, Named("Organization/chu", "CHU")))
    with web.application.test_request_context("/journal?lang=en"):
        (told,) = tell([notice | {"id": "1"}], START)
    assert told.text.endswith(".")
    assert "%(" not in told.text
    assert "{" not in notice["payload"][0]["contentString"]
    if kind in (NoticeKind.FILED, NoticeKind.CHANGED):
        assert ("Dr Nour (CHU)" if who else "(CHU)") in told.text
        assert ("Dr Nour (CHU)" if who else "Un logiciel (CHU)") in notice["payload"][0]["contentString"]


def test_an_admission_is_told_by_the_name_of_the_establishment(web):
    place = Named("Organization/chu", "CHU")
    notice = communication_of(Notice(NoticeKind.ADMITTED, "1", START, ("Patient/1",), place, None, ("Encounter/1",)))
    with web.application.test_request_context("/journal?lang=en"):
        (told,) = tell([notice | {"id": "1"}], START)
    assert told.text == "CHU says that the patient is in its care."


def test_an_unexplained_access_is_told_with_the_time_of_the_access(web):
    who = Named("Practitioner/nour", "Dr Nour")
    notice = Notice(NoticeKind.UNEXPLAINED, "1", START, ("Patient/1",), who, opened_at=START - timedelta(hours=8))
    with web.application.test_request_context("/journal?lang=en"):
        (told,) = tell([communication_of(notice) | {"id": "1"}], START)
        assert told.evidence == f"The access was on {local(START - timedelta(hours=8)):%d/%m/%Y %H:%M}."
