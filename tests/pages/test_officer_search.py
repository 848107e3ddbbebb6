"""The officer's search of the audit log and the suspensions, on pages."""

import csv
import io
import re

import pytest

from fhir_server.application.core.ceilings import supervising
from fhir_server.http.pages.officer import trail_file
from tests.http.test_reviews import of_people, staff
from tests.pages.staff import dana_at_work
from tests.pages.test_officer_cases import left
from tests.world import INS

DAYS = "from=2026-03-01&to=2026-03-03"
NUMBER = "284037599998867"


@pytest.fixture
def office(world):
    of_people(world)
    world.agree("camille", "martin")
    world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
    return world


@pytest.fixture
def dana(office):
    return dana_at_work(office)


def numbers_of(world, who):
    found = world.get("camille", f"/Patient/{world.ids[who]}").get_json()["identifier"]
    return next(one["value"] for one in found if one["system"] == INS)


def journal(world):
    answer = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    return [entry["resource"] for entry in answer["entry"]]


def test_both_days_are_needed_in_order_and_near_each_other(dana):
    assert "Name two days" in dana.get("/trail").text
    for query in (
        "from=2026-03-01",
        "to=2026-03-01",
        "from=2026-03-03&to=2026-03-01",
        "from=2026-01-01&to=2026-03-01",
        "from=9999-12-31&to=9999-12-31",
        "from=0001-01-01&to=0001-01-01",
        f"{DAYS}&who=nobody",
        f"{DAYS}&who={NUMBER}",
        f"{DAYS}&patient={NUMBER}",
    ):
        answer = dana.get(f"/trail?{query}")
        assert (answer.status_code, 'role="alert"' in answer.text) == (422, True), query


def test_the_search_says_who_did_what_without_a_word_of_a_document(office, dana):
    document = office.publish()
    office.get("martin", f"/DocumentReference/{document}")
    title = office.get("camille", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["title"]
    page = dana.get(f"/trail?{DAYS}").text
    assert "<strong>martin</strong> (other) looked at" in page
    assert "1 document" in page
    assert title not in page
    assert document not in page


def test_who_acted_and_refusals_alone_are_sought(office, dana):
    who = f"Practitioner/{office.ids['martin']}"
    office.get("zoe", f"/DocumentReference?patient={office.ids['camille']}")
    of_martin = dana.get(f"/trail?{DAYS}&who={who}").text
    assert "<strong>martin</strong>" in of_martin
    assert "<strong>zoe</strong>" not in of_martin
    refused = dana.get(f"/trail?{DAYS}&refused=1").text
    assert "<strong>zoe</strong>" in refused
    assert "<strong>martin</strong>" not in refused


def test_the_patient_sees_the_officers_search_and_no_address_has_the_number(office, dana):
    number = numbers_of(office, "camille")
    sent = {"from": "2026-03-01", "to": "2026-03-03", "system": INS, "number": f"{number[:5]} {number[5:]}"}
    answer = dana.send("/trail/patient", **sent)
    assert answer.status_code == 200
    assert "<strong>martin</strong>" in answer.text
    assert number not in re.sub(r'name="number"[^>]*', "", answer.text)
    assert any("Dana" in str(event["agent"]) for event in journal(office))


def test_an_unknown_number_finds_nothing(dana):
    sent = {"from": "2026-03-01", "to": "2026-03-03", "system": INS, "number": NUMBER}
    answer = dana.send("/trail/patient", **sent)
    assert (answer.status_code, "Nothing was found" in answer.text) == (200, True)
    assert dana.send("/trail/patient", **(sent | {"number": ""})).status_code == 422


def test_the_search_goes_on_page_by_page_also_after_a_number(office, dana):
    for _ in range(60):
        office.get("martin", f"/DocumentReference?patient={office.ids['camille']}")
    number = numbers_of(office, "camille")
    first = dana.send("/trail/patient", **{"from": "2026-03-01", "to": "2026-03-03", "system": INS, "number": number})
    later = re.search(r'href="([^"]+page=[^"]+)">Earlier', first.text)[1].replace("&amp;", "&")
    assert number not in later
    assert office.ids["camille"] in later
    second = dana.web.get(later, base_url="http://localhost:8080", headers={"Accept-Language": "en"})
    assert (second.status_code, "<strong>martin</strong>" in second.text) == (200, True)


def test_the_search_leaves_the_event_of_the_same_search_of_software(office, dana):
    camille = office.ids["camille"]
    query = "date=ge2026-03-01T00%3A00%3A00%2B01%3A00&date=lt2026-03-04T00%3A00%3A00%2B01%3A00&_count=50&_sort=-date"
    (by_page,) = left(office, lambda: dana.get(f"/trail?{DAYS}&patient={camille}"))
    (by_app,) = left(office, lambda: office.get("dana", f"/AuditEvent?patient={camille}&{query}"))
    for event in (by_page, by_app):  # the second one shows the first one too
        event["what"] = [what for what in event["what"] if not what.startswith("AuditEvent/")]
        event["asked"] = [asked for asked in event["asked"] if asked]
    assert by_page == by_app


def test_a_party_is_suspended_from_its_case_and_let_in_again(office, dana):
    who = f"Practitioner/{office.ids['martin']}"
    assert dana.send("/suspensions/begin", subject=who, reason=" ").status_code == 422
    assert dana.send("/suspensions/begin", subject="Practitioner/nobody", reason="x").status_code == 422
    answer = dana.send("/suspensions/begin", subject=who, reason="a stolen card")
    assert answer.status_code == 303
    assert supervising.is_suspended(office.runtime, who)
    page = dana.get(f"/suspensions?begun={who}").text
    assert "a stolen card" in page
    assert f"Declarations of {who} open no more spaces" in page
    assert "of everybody" not in dana.get("/suspensions?begun=of+everybody").text
    assert dana.send("/suspensions/end", subject=who, reason="").status_code == 422
    assert dana.send("/suspensions/end", subject=who, reason="a new card").status_code == 303
    assert not supervising.is_suspended(office.runtime, who)
    assert "Nobody is suspended" in dana.get("/suspensions").text
    assert dana.send("/suspensions/end", subject=who, reason="again").status_code == 422


def test_a_suspension_by_page_leaves_the_events_of_the_operation(office, dana):
    who, csrf = f"Practitioner/{office.ids['martin']}", dana.csrf(dana.at("/suspensions"))
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subject", "valueReference": {"reference": who}},
            {"name": "reason", "valueString": "a stolen card"},
        ],
    }
    sent = {"csrf": csrf, "subject": who, "reason": "a stolen card"}
    by_page = left(office, lambda: dana.send("/suspensions/begin", **sent))
    by_app = left(office, lambda: office.send("dana", "POST", "/AuditEvent/$suspend-word", body))
    assert by_page == by_app != []


def test_nobody_decides_about_their_own_declarations(office, dana):
    staff(office, "dana", person="Device/dana")
    assert dana.send("/suspensions/begin", subject="Device/dana", reason="x").status_code in (403, 422)
    assert not supervising.is_suspended(office.runtime, "Device/dana")


def test_what_was_found_is_kept_as_a_table_and_as_json_without_a_document(office, dana):
    document = office.publish()
    office.get("martin", f"/DocumentReference/{document}")
    query = f"{DAYS}&patient={office.ids['camille']}"
    answer = dana.get(f"/trail/file/csv?{query}")
    assert (answer.mimetype, answer.headers["Content-Disposition"]) == (
        "text/csv",
        'attachment; filename="audit-log.csv"',
    )
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert ("martin", "looked at the description of a document", "1") in {
        (row["who"], row["act"], row["documents"]) for row in rows
    }
    told = dana.get(f"/trail/file/json?{query}").get_json()
    assert told["complete"] is True
    assert {line["who"] for line in told["lines"]} >= {"martin", "Dana"}
    assert document not in answer.text + str(told)


def test_a_file_of_a_search_with_a_fault_leads_to_the_page_that_names_it(dana):
    answer = dana.get("/trail/file/csv?from=2026-03-01")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/officer/trail?from=2026-03-01")
    assert dana.get(f"/trail/file/xml?{DAYS}").status_code == 404


def test_a_file_that_is_cut_off_says_so_and_no_cell_is_a_formula(office, dana, monkeypatch):
    for _ in range(4):
        office.get("martin", f"/DocumentReference?patient={office.ids['camille']}")
    monkeypatch.setattr(trail_file, "PAGE_LINES", 1)
    monkeypatch.setattr(trail_file, "MOST_PAGES", 2)
    query = f"{DAYS}&patient={office.ids['camille']}"
    assert dana.get(f"/trail/file/json?{query}").get_json()["complete"] is False
    assert "There are more entries" in dana.get(f"/trail/file/csv?{query}").text
    assert [trail_file._cell(text) for text in ("=1+1", "@x", "martin")] == ["'=1+1", "'@x", "martin"]
