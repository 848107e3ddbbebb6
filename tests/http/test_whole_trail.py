"""An auditor searches the audit log of all spaces within a stated time (ITI-81, H8, docs/adr/0118), on both stores."""

from base64 import b64decode
from urllib.parse import quote

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.settings import limits
from tests.adversarial.two_worlds import Ticking
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_reviews import break_glass, of_people, review, staff
from tests.world import World

DAY = "date=ge2026-03-02&date=lt2026-03-03"


@pytest.fixture
def clock() -> Ticking:
    """A clock by which no two events happen at the same instant."""
    return Ticking()


@pytest.fixture
def office(world: World) -> World:
    """Dana audits; two patients are looked at; nobody is looked at by a login."""
    of_people(world)
    world.patient("noe", "187059999900263")
    world.ids["one"], world.ids["two"] = world.publish(), world.publish(patient="noe")
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/{world.ids['one']}").status_code == 200
    assert world.get("zoe", f"/DocumentReference?patient={world.ids['noe']}").status_code == 403
    return world


def asked(world, more="", who="dana", day=DAY):
    answer = world.get(who, f"/AuditEvent?{day}&_count=200{more}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def events(world, more="", **named):
    return [entry["resource"] for entry in asked(world, more, **named).get("entry", ())]


def spaces(found):
    """Return the patients in whose spaces events are, None for an event without a patient."""
    return {next((ref for ref in references(event) if ref.startswith("Patient/")), None) for event in found}


def references(event):
    return [entity.get("what", {}).get("reference", "") for entity in event["entity"]]


@holds("ATNA-81-2")
@BOTH
def test_events_of_all_spaces_and_of_none_are_found(office):
    found = events(office)
    assert {f"Patient/{office.ids[name]}" for name in ("camille", "noe")} | {None} <= spaces(found)
    assert [event["recorded"] for event in found] == sorted((event["recorded"] for event in found), reverse=True)


@BOTH
def test_each_event_says_what_it_says_to_an_auditor_who_names_the_patient(office):
    camille = office.ids["camille"]
    everywhere = {one["id"]: one for one in events(office) if f"Patient/{camille}" in references(one)}
    named = {one["id"]: one for one in events(office, f"&patient={camille}")}
    later = set(everywhere) ^ set(named)
    assert len(named) >= 3
    assert all(named[id_] == everywhere[id_] for id_ in set(named) & set(everywhere))
    assert {event["subtype"][0]["code"] for id_, event in (named | everywhere).items() if id_ in later} <= {"search"}


@BOTH
def test_no_choice_of_a_patient_is_found(office):
    about = [
        entity["what"]["reference"] for event in events(office) for entity in event["entity"] if is_subject(entity)
    ]
    assert "DocumentReference" in {reference.split("/")[0] for reference in about}
    assert [reference for reference in about if reference.startswith("Consent/")] == []


def is_subject(entity):
    return "what" in entity and entity["type"]["code"] == "2"


@holds("ATNA-81-2")
@BOTH
@pytest.mark.parametrize(
    "dates",
    ["", "date=lt2026-03-03", "date=ne2026-03-02", "date=ge2026-01-01&date=lt2026-03-03", "date=ge2026-01-01"],
)
def test_without_a_bounded_time_the_answer_names_the_parameter(office, dates):
    answer = office.get("dana", f"/AuditEvent?{dates}")
    assert answer.status_code == 400
    assert "`date`" in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("join", ["agent:Practitioner.family=nour", "_include=AuditEvent:agent"])
def test_nothing_is_joined_over_all_spaces(office, join):
    answer = office.get("dana", f"/AuditEvent?{DAY}&{join}")
    assert (answer.status_code, "joined" in answer.get_json()["issue"][0]["details"]["text"]) == (400, True)


@BOTH
def test_a_beginning_alone_ends_now(office):
    assert len(events(office, day="date=ge2026-03-01")) > 3
    assert events(office, day="date=2026-03-01") == []


@BOTH
@pytest.mark.parametrize("who", ["camille", "martin", "chu-ehr", "oscar"])
def test_nobody_else_searches_all_spaces(office, who):
    answer = office.get(who, f"/AuditEvent?{DAY}")
    if who == "camille":
        assert spaces(events(office, who=who)) == {f"Patient/{office.ids['camille']}"}
    else:
        assert answer.status_code == 400


@BOTH
def test_a_token_for_one_patient_searches_no_other(office):
    staff(office, "dana", scopes="patient/AuditEvent.rs")
    assert office.get("dana", f"/AuditEvent?{DAY}").status_code == 403


@BOTH
def test_a_search_leaves_one_event_that_names_query_and_patients(office):
    asked(office)
    last = events(office)[0]
    assert b64decode(query_of(last)).decode().startswith(f"GET /fhir/AuditEvent?{quote(DAY, safe='=&')}")
    assert {f"Patient/{office.ids[name]}" for name in ("camille", "noe")} <= set(references(last))
    assert asked(office)["total"] == asked(office)["total"] - 1


def query_of(event):
    return next(entity["query"] for entity in event["entity"] if "query" in entity)


@BOTH
def test_a_refused_search_is_audited_too(office):
    assert office.get("dana", "/AuditEvent?date=lt2026-03-03").status_code == 400
    assert events(office, "&outcome=4")[0]["agent"][2]["who"]["reference"] == "Device/dana"


@BOTH
def test_no_patient_reads_in_the_journal_that_all_spaces_were_searched(office):
    before = len(office.found("camille", "/AuditEvent?_count=200"))
    asked(office)
    assert len(office.found("camille", "/AuditEvent?_count=200")) == before + 1  # the search of the journal itself


@BOTH
@pytest.mark.parametrize("sort", ["date", "-date"])
def test_pages_go_by_time_and_hold_each_event_once(office, sort):
    wanted = [event["id"] for event in events(office, f"&_sort={sort}")]
    path, found = f"/AuditEvent?{DAY}&_count=4&_sort={sort}", []
    for _ in range(50):
        body = office.get("dana", path).get_json()
        found += [entry["resource"]["id"] for entry in body.get("entry", ())]
        following = [link["url"] for link in body["link"] if link["relation"] == "next"]
        if not following or set(wanted) <= set(found):
            break
        path = following[0].partition("/fhir")[2]
    assert [id_ for id_ in found if id_ in wanted] == wanted
    assert len(set(found)) == len(found)


@BOTH
def test_a_page_is_decided_anew_and_for_its_caller_alone(office):
    body = asked(office, "&_count=2")
    following = next(link["url"] for link in body["link"] if link["relation"] == "next").partition("/fhir")[2]
    staff(office, "erin")
    assert office.get("erin", following).status_code == 400
    assert office.get("dana", following).status_code == 200
    staff(office, "dana", RequesterKind.SUPPORT)
    assert office.get("dana", following).status_code == 400


@BOTH
def test_at_more_events_than_allowed_no_page_looks(office):
    before = limits.put_in_force(limits.Limits(trail_events=3))
    try:
        body = asked(office)
        assert 0 < len(body["entry"]) <= 3
        assert "total" not in body
        assert "next" in {link["relation"] for link in body["link"]}
        assert office.get("dana", f"/AuditEvent?{DAY}&_summary=count").status_code == 400
    finally:
        limits.put_in_force(before)
    assert asked(office, "&_summary=count")["total"] > 3


@BOTH
def test_search_parameters_narrow_over_all_spaces(office):
    martin = f"Practitioner/{office.ids['martin']}"
    assert {event["agent"][2]["who"]["reference"] for event in events(office, f"&agent={martin}")} == {martin}
    document = f"DocumentReference/{office.ids['one']}"
    assert all(document in references(event) for event in events(office, f"&entity={document}"))
    assert {event["outcome"] for event in events(office, "&outcome=4")} == {"4"}
    assert len(events(office, f"&entity={document}&action=R")) == 1
    assert office.get("dana", f"/AuditEvent?{DAY}&_lastUpdated=ge2026-03-02").status_code == 400


@BOTH
def test_no_case_is_named(office):
    """Whoever knows whom a case is about can compute its id: an auditor would learn of a case about themselves."""
    opening = break_glass(office)
    assert review(office, opening).status_code == 200
    office.get("dana", "/AuditEvent/$case-queue")
    assert [ref for event in events(office) for ref in references(event) if ref.startswith("Task/")] == []


@BOTH
def test_an_event_without_a_patient_is_read_by_an_auditor_alone(office):
    outside = next(event for event in events(office) if not any(r.startswith("Patient/") for r in references(event)))
    path = f"/AuditEvent/{outside['id']}"
    assert office.get("dana", path).get_json() == outside
    unknown = office.get("martin", "/AuditEvent/00000000-0000-4000-8000-00000000abcd")
    for who in ("martin", "camille", "chu-ehr", "oscar"):
        answer = office.get(who, path)
        assert answer.status_code == 404
        if who == "martin":
            assert answer.get_json()["issue"] == unknown.get_json()["issue"]
    staff(office, "dana", scopes="patient/AuditEvent.rs")
    assert office.get("dana", path).status_code == 404


@BOTH
@pytest.mark.parametrize(
    "more",
    ["_include=AuditEvent:entity", "_has:Provenance:entity:agent=x", "agent:Practitioner.family=Martin", "_list=1"],
)
def test_what_leaves_the_audit_log_is_refused(office, more):
    assert office.get("dana", f"/AuditEvent?{DAY}&{more}", Prefer="handling=strict").status_code == 400
