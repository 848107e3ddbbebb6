"""Fear: that who reaches ceilings day after day goes on; and that other numbers are given in secret (V12 and V13)."""

import json
from dataclasses import replace

import pytest

from fhir_server import worker
from fhir_server.app import create_app
from fhir_server.application.cases import suspensions
from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.domain.case_files import CaseKind
from fhir_server.domain.supervision import CEILINGS, RegisteredException
from fhir_server.http.pages.public.transparency import MEANINGS
from tests.adversarial.misuse import Misuse
from tests.holds import holds
from tests.http.cases import a_case, look, open_as_worker, queued
from tests.http.test_reviews import of_people
from tests.world import World

BY = "operator@machine"


@pytest.fixture
def misuse(world: World) -> Misuse:
    found = Misuse(world)
    found.employ("chu", 5)
    return found


def exception(misuse, subject, **numbers):
    wanted = RegisteredException(subject, "screening centre", numbers, misuse.world.runtime.now(), BY, "campaign")
    supervising.register(misuse.world.runtime, wanted)


def person(misuse, name="nour"):
    return f"Practitioner/{misuse.world.ids[name]}"


def reach(misuse, number):
    """Open spaces until a ceiling refuses; return the number of the first that stayed closed."""
    return next(n for n in range(number, number + 200) if misuse.opens("nour", n) != 200)


@holds("V13")
def test_who_reaches_ceilings_on_three_days_needs_better_evidence_until_the_officer_decides(misuse, clock):
    number = 0
    for _ in range(3):
        number = reach(misuse, number)
        clock.advance(days=1, minutes=1)
    refused = misuse.world.send("nour", "POST", "/Consent", misuse.declared(number, "nour"))
    assert refused.status_code == 403
    assert "declared-word-suspended" in refused.get_data(as_text=True)
    today = f"{clock.at:%Y-%m-%dT%H:%M:%SZ}"
    assert misuse.world.agree("camille", "nour", dateTime=today).status_code == 201
    assert misuse.world.get("nour", f"/DocumentReference?patient={misuse.world.ids['camille']}").status_code == 200
    breakers.resume(misuse.world.runtime, person(misuse), BY, "an epidemic")
    assert misuse.opens("nour", number) == 200


def test_ceilings_on_two_days_of_thirty_break_nothing(misuse, clock):
    number = reach(misuse, 0)
    clock.advance(days=31)
    for _ in range(2):
        number = reach(misuse, number)
        clock.advance(days=1, minutes=1)
    assert misuse.opens("nour", number) == 200


def test_two_patients_who_contest_break_the_word_and_one_who_contests_twice_does_not(misuse, clock):
    of_people(misuse.world)
    for number in (0, 0, 2):
        assert misuse.opens("nour", number + 1) == 200
        of, by = f"stranger{number}", f"Patient/{misuse.person(number)}"
        contest = a_case(misuse.world, CaseKind.CONTEST, "nour", of, "declared-evidence", contester=by)
        open_as_worker(misuse.world, contest)
        suspensions.follow(misuse.world.runtime, person(misuse))
        clock.advance(days=1)
    assert misuse.opens("nour", 5) == 403


@pytest.mark.parametrize("subject", ["person", "establishment", "client"])
def test_a_suspension_holds_from_the_next_request_on_and_closes_no_open_space(misuse, subject):
    assert misuse.opens("nour", 0) == 200
    named = {
        "person": person(misuse), "establishment": f"Organization/{misuse.world.ids['chu']}", "client": "Device/desk"
    }  # fmt: skip
    supervising.suspend(misuse.world.runtime, named[subject], BY, "under inquiry")
    assert misuse.enters("nour", 0) == 200
    assert misuse.opens("nour", 1) == 403
    breakers.resume(misuse.world.runtime, named[subject], BY, "cleared")
    assert misuse.opens("nour", 1) == 200


def test_a_suspended_person_still_opens_in_an_emergency(misuse):
    misuse.world.in_mode("nour", "nour", ("10", "chu", ""), "BTG")
    supervising.suspend(misuse.world.runtime, person(misuse), BY, "under inquiry")
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}
    path = f"/Patient/{misuse.person(0)}/$break-glass"
    assert misuse.world.send("nour", "POST", path, parameters).status_code == 200


@holds("V12")
@pytest.mark.parametrize("by", ["person", "profession"])
def test_a_registered_exception_gives_other_numbers_and_ends(misuse, by):
    subject = person(misuse) if by == "person" else "profession:10"
    exception(misuse, subject, spaces_an_hour=30)
    assert reach(misuse, 0) == 30
    supervising.end_exception(misuse.world.runtime, subject, BY, "the campaign is over")
    assert misuse.opens("nour", 30) == 403


@holds("V12")
def test_transparency_shows_role_and_numbers_and_no_name(misuse):
    exception(misuse, person(misuse), spaces_an_hour=30)
    shown = misuse.world.web.get("/transparency", headers={"Accept": "application/json"})
    said = {"role": "screening centre", "ceilings": {"spaces_an_hour": 30}, "since": "2026-03-02"}
    assert shown.get_json()["exceptions"] == [said]
    assert shown.get_json()["ceilings"]["spaces_a_day"] == 60
    for language, words in (("fr", "Exceptions enregistrées"), ("en", "Registered exceptions")):
        page = misuse.world.web.get("/transparency", headers={"Accept": "text/html", "Accept-Language": language})
        assert words in page.get_data(as_text=True)
        assert "screening centre" in page.get_data(as_text=True)
        assert set(MEANINGS) == CEILINGS  # each number is said in words
        assert misuse.world.ids["nour"] not in page.get_data(as_text=True) + json.dumps(shown.get_json())


def test_an_unknown_ceiling_and_a_missing_reason_are_refused(misuse):
    with pytest.raises(ValueError, match="no such ceiling"):
        exception(misuse, person(misuse), spaces_a_week=3)
    with pytest.raises(ValueError, match="say why"):
        supervising.suspend(misuse.world.runtime, person(misuse), BY, " ")


@pytest.fixture
def limited(misuse, settings):
    """The same world behind a server that limits requests: one a minute for one profession."""
    exception(misuse, "profession:10", requests_a_minute=1, requests_a_second=1)
    misuse.world.web = create_app(replace(settings, request_rates=True), misuse.world.runtime).test_client()
    return misuse


def test_a_token_that_sends_too_many_requests_is_refused_for_a_while_and_others_are_not(limited):
    assert limited.world.get("nour", "/Practitioner").status_code == 200
    refused = limited.world.get("nour", "/Practitioner")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert limited.world.get("martin", "/Practitioner").status_code == 200
    assert limited.world.get("camille", f"/Patient/{limited.world.ids['camille']}").status_code == 200


def test_emergencies_and_health_are_never_refused_for_their_number(limited):
    limited.world.in_mode("nour", "nour", ("10", "chu", ""), "BTG")
    assert {limited.world.get("nour", "/Practitioner").status_code for _ in range(5)} == {200}
    assert {limited.world.web.get("/status").status_code for _ in range(5)} == {200}


@holds("V11")
def test_a_ceiling_opens_one_case_a_day_that_the_officer_finds_in_the_queue(misuse):
    of_people(misuse.world)
    number = reach(misuse, 0)
    for _ in range(3):
        assert misuse.opens("nour", number) != 200
    worker.build(misuse.world.runtime).work_once()
    (case,) = queued(misuse.world)
    assert (case["kind"], case["about"]["reference"], case["rule"]) == ("ceiling", person(misuse), "spaces-an-hour")
    assert misuse.person(number) not in look(misuse.world, case["id"]).text


def test_the_case_of_a_ceiling_says_how_often_it_was_met(misuse):
    of_people(misuse.world)
    reach(misuse, 0)
    for times in (3, 120):
        for _ in range(times):
            breakers.call_officer(misuse.world.runtime, person(misuse), "spaces-an-hour")
        before = len(misuse.world.runtime.ports.outbox.ready("cases", misuse.world.runtime.now(), 500))
        worker.build(misuse.world.runtime).work_once()
    (case,) = queued(misuse.world)
    assert case["times"] == 120  # of 124: two digits
    assert before < 120
