"""The officer's cases on pages: what waits, one case, the decision; the events are those of an officer's software."""

import re
from dataclasses import replace

import pytest

from fhir_server.domain.case_files import CaseKind
from tests.http.cases import a_case, look, open_as_worker, queued, values
from tests.http.notices import kinds
from tests.http.notices import told as notices_of
from tests.http.test_reviews import break_glass, contest, of_people, review, status
from tests.pages.staff import dana_at_work
from tests.pages.visitors import alike, camille_at_home, query_of

UNKNOWN = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def office(world):
    return of_people(world)


@pytest.fixture
def dana(office):
    return dana_at_work(office)


def everywhere(world):
    """Return all events of the day as an auditor reads them, oldest first, without those of reading them."""
    answer = world.get("dana", "/AuditEvent?date=ge2026-03-01&date=lt2026-03-20&_count=200").get_json()
    found = [entry["resource"] for entry in answer.get("entry", ())][::-1]
    return [one for one in found if not any(b"/AuditEvent?date" in query_of(entity) for entity in one["entity"])]


def left(world, act):
    before = {event["id"] for event in everywhere(world)}
    answer = act()
    assert answer.status_code < 400, answer.text
    return sorted((alike(event) for event in everywhere(world) if event["id"] not in before), key=str)


def test_one_list_has_reviews_and_cases_the_contested_first_and_then_the_one_due_first(office, clock):
    first = break_glass(office)
    clock.advance(hours=1)
    open_as_worker(office, a_case(office))
    clock.advance(days=3)
    office.patient("noe", "187059999900263")
    last, dana = break_glass(office, of="noe"), dana_at_work(office)
    page = dana.get("/queue").text
    assert re.findall(r'<p class="title"><a href="/account/officer/(\w+)/', page) == ["reviews", "cases", "reviews"]
    assert page.index(first) < page.index(last)
    assert page.count("overdue") == 2
    assert "3 days" in page
    contest(office, last, "noe")
    assert dana.get("/queue").text.index(last) < dana.get("/queue").text.index(first)


def test_an_empty_queue_says_so(dana):
    assert "Nothing waits for you" in dana.get("/queue").text


def test_a_review_says_the_stated_reason_and_its_decision_is_told_to_the_patient(office, dana):
    id_ = break_glass(office, why="found at home, no answer")
    assert "found at home" not in dana.get("/queue").text
    assert "found at home" in dana.get(f"/reviews/{id_}").text
    sent = {"outcome": "not-justified", "comment": "no call was made"}
    answer = dana.send(f"/reviews/{id_}/decide", **sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/officer/queue?decided=1")
    assert status(office, id_)["state"] == "not-justified"
    assert "reviewed" in str(kinds(notices_of(office, "camille")))
    assert "no call was made" in dana.get(f"/reviews/{id_}").text
    assert "/decide" not in dana.get(f"/reviews/{id_}").text
    assert "Nothing waits for you" in dana.get("/queue").text


@pytest.mark.parametrize(
    "sent",
    [{}, {"outcome": "justified"}, {"outcome": "justified", "comment": "  "}, {"outcome": "perhaps", "comment": "x"}],
)
def test_a_decision_without_outcome_or_reasons_is_not_recorded(office, dana, sent):
    id_, case = break_glass(office), open_as_worker(office, a_case(office))
    for path in (f"/reviews/{id_}/decide", f"/cases/{case.id}/decide"):
        answer = dana.send(path, **sent)
        assert answer.status_code == 422
        assert re.search(r'role="alert".*href="#(outcome|comment)"', answer.text, re.DOTALL)
    assert status(office, id_)["state"] == "pending"
    assert len(queued(office)) == 1


def test_a_case_tells_its_evidence_in_words_and_is_decided_with_reasons(office, dana):
    office.agree("camille", "martin")
    office.get("martin", f"/DocumentReference?patient={office.ids['camille']}")
    events = [event["id"] for event in everywhere(office) if event["subtype"][0]["code"] == "search"]
    told = {"events": (f"AuditEvent/{events[-1]}",), "evidence": {"alone": 12}, "rule": "out-of-place"}
    case = open_as_worker(office, a_case(office, CaseKind.DETECTION, of="camille", **told))
    page = dana.get(f"/cases/{case.id}").text
    assert "An access that nothing explains" in page
    assert "several things about the access are unusual" in page
    assert "points because nobody else of the establishment entered" in page
    assert "<strong>martin</strong> (other) looked at the list of documents." in page
    answer = dana.send(f"/cases/{case.id}/decide", outcome="justified", comment="he covered for a colleague")
    assert answer.status_code == 303
    assert values(look(office, case.id))["state"] == "justified"
    assert "he covered for a colleague" in dana.get(f"/cases/{case.id}").text


def test_pages_leave_the_events_of_the_same_requests_of_software(office, dana):
    one, other = break_glass(office), break_glass(office, who="awa-btg")
    case = open_as_worker(office, a_case(office))
    csrf = dana.csrf(dana.at("/suspensions"))
    assert left(office, lambda: dana.get(f"/reviews/{one}")) == left(
        office, lambda: office.get("dana", f"/Consent/{one}/$review-status")
    )
    assert left(office, lambda: dana.get(f"/cases/{case.id}")) == left(office, lambda: look(office, case.id))
    queues = ["/Consent/$review-queue?count=25", "/AuditEvent/$case-queue?count=25"]
    by_app = left(office, lambda: [office.get("dana", path) for path in queues][-1])
    assert left(office, lambda: dana.get("/queue")) == by_app != []
    sent = {"csrf": csrf, "outcome": "justified", "comment": "right"}
    by_page = left(office, lambda: dana.send(f"/reviews/{one}/decide", **sent))
    by_app = left(office, lambda: review(office, other, comment="right"))
    for event in (*by_page, *by_app):
        event["what"] = [what for what in event["what"] if not what.startswith("Consent/")]
    assert by_page == by_app != []


def test_a_hidden_and_an_unknown_case_are_answered_alike(office, dana):
    own = open_as_worker(office, replace(a_case(office), who="Device/dana"))
    answers = [dana.get(f"/cases/{id_}") for id_ in (own.id, UNKNOWN)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(own.id, UNKNOWN) == answers[1].text
    assert dana.get(f"/reviews/{UNKNOWN}").status_code == 404
    for path in ("/reviews/%s/decide", "/cases/%s/decide"):
        assert dana.send(path % UNKNOWN, outcome="justified", comment="x").status_code == 404


def test_nobody_else_reaches_the_officers_pages(office):
    camille = camille_at_home(office)
    for path in ("queue", "trail", "suspensions", f"cases/{UNKNOWN}", f"reviews/{UNKNOWN}"):
        assert camille.get(f"//account/officer/{path}").status_code == 403, path
