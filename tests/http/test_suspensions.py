"""Suspensions by the officer, and what contests and decisions do to those that began by themselves (V13).

Source: docs/operations.md; docs/adr/0105-suspensions-by-the-officer.md.
"""

from datetime import timedelta

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server import worker
from fhir_server.application.core import audit_log
from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import CaseKind
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.counters import CeilingReached, Count, Limit
from fhir_server.ports.store import Change
from tests.adversarial.misuse import ins_of
from tests.factories import all_of
from tests.holds import holds
from tests.http.cases import a_case, decide, open_as_worker, queued, values
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_contests import contest, undo
from tests.http.test_reviews import of_people, staff
from tests.world import World

PATIENTS = {"noa": "280037806500512", "lou": ins_of(150), "mia": ins_of(151)}


@pytest.fixture
def office(world: World) -> World:
    return of_people(world)


def person(office, who="awa"):
    return f"Practitioner/{office.ids[who]}"


def ask(office, operation, subject, why="a report by telephone", who="dana"):
    parts = [{"name": "subject", "valueReference": {"reference": subject}}, {"name": "reason", "valueString": why}]
    return office.send(who, "POST", f"/AuditEvent/${operation}", {"resourceType": "Parameters", "parameter": parts})


def suspended(office, who="dana"):
    """Return what the officer reads of all suspensions, by subject."""
    answer = office.get(who, "/AuditEvent/$suspensions")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    listed = [one["part"] for one in answer.get_json().get("parameter", ())]
    found = [{p["name"]: next(v for k, v in p.items() if k.startswith("value")) for p in parts} for parts in listed]
    return {one["subject"]["reference"]: one for one in found}


def declares(office):
    return office.agree("awa", "awa").status_code


def contested_by(office, *names):
    """Have each patient declared by Dr Awa and contest it; return the id of the notice of each."""
    notices = {}
    for name in names:
        if name not in office.ids:
            office.patient(name, PATIENTS[name])
        declared = office.consent("awa") | {"patient": {"reference": f"Patient/{office.ids[name]}"}}
        assert office.send("awa", "POST", "/Consent", declared).status_code == 201
        found = office.get(name, f"/Communication?patient={office.ids[name]}").get_json()["entry"]
        notices[name] = found[-1]["resource"]["id"]
        assert contest(office, notices[name], name).status_code == 200
    return notices


def case_of(office, kind, of=""):
    worker.build(office.runtime).work_once()
    about = f"Patient/{office.ids[of]}" if of else None
    (found,) = [
        one
        for one in queued(office)
        if one["kind"] == kind and (about is None or one.get("patient", {}).get("reference") == about)
    ]
    return found["id"]


class TestOfficer:
    @BOTH
    def test_suspends_and_resumes_from_the_next_request_on(self, office):
        assert ask(office, "suspend-word", person(office)).status_code == 200
        assert declares(office) == 403
        said = suspended(office)[person(office)]
        assert (said["by"], said["reason"], "cause" in said) == ("Dana", "a report by telephone", False)
        answer = ask(office, "resume-word", person(office), "cleared by telephone")
        assert values(answer)["suspended"] is False
        assert declares(office) == 201
        assert suspended(office) == {}

    @pytest.mark.parametrize("subject", ["Organization/{chu}", "Device/desk"])
    def test_suspends_an_establishment_and_an_app(self, office, subject):
        register(office.runtime, Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP))
        assert ask(office, "suspend-word", subject.format(**office.ids)).status_code == 200
        assert declares(office) == 403

    def test_each_act_names_the_officer_in_the_audit_log(self, office):
        ask(office, "suspend-word", person(office))
        ask(office, "resume-word", person(office))
        with office.runtime.ports.store.snapshot() as snapshot:
            rows = snapshot.find(Search("AuditEvent", limit=200), all_of("")).rows
        acts = [row.body.decode() for row in rows if b"-word" in row.body]
        assert len(acts) == 2
        assert all("Device/dana" in act and person(office) in act for act in acts)

    @pytest.mark.parametrize(
        ("operation", "subject", "why", "status"),
        [
            ("suspend-word", "Practitioner/3f0f2b7e-5d5e-4c39-9a1d-0b8a1c5d2e11", "a report", 400),
            ("suspend-word", "Patient/{camille}", "a report", 400),
            ("suspend-word", "nobody", "a report", 400),
            ("suspend-word", "Device/unknown", "a report", 400),
            ("suspend-word", "Practitioner/{awa}", " ", 400),
            ("resume-word", "Practitioner/{awa}", "a report", 422),
            ("suspend-word", "Practitioner/{roux}", "a report", 403),
        ],
    )
    def test_what_is_wrong_is_refused_and_changes_nothing(self, office, operation, subject, why, status):
        staff(office, "dana", person=person(office, "roux"))
        assert ask(office, operation, subject.format(**office.ids), why).status_code == status
        assert suspended(office) == {}

    @pytest.mark.parametrize("who", ["camille", "awa", "chu-ehr", "oscar"])
    def test_nobody_else_suspends_resumes_or_reads(self, office, who):
        for operation in ("suspend-word", "resume-word"):
            assert ask(office, operation, person(office), who=who).status_code == 403
        assert office.get(who, "/AuditEvent/$suspensions").status_code == 403
        assert suspended(office) == {}

    def test_a_token_that_may_only_read_suspends_nobody(self, office):
        staff(office, "reader", RequesterKind.AUDITOR, scopes="user/Consent.rs")
        assert ask(office, "suspend-word", person(office), who="reader").status_code == 403
        assert suspended(office, "reader") == {}


class TestContests:
    @BOTH
    def test_a_contest_that_is_withdrawn_ends_the_suspension_that_it_began(self, office):
        notices = contested_by(office, "camille", "noa")
        assert suspended(office)[person(office)]["cause"] == "contests"
        assert undo(office, notices["noa"], who="noa").status_code == 200
        assert suspended(office) == {}
        with office.runtime.ports.store.snapshot() as snapshot:
            rows = snapshot.find(Search("AuditEvent", limit=200), all_of("")).rows
        (ended,) = [row.body.decode() for row in rows if b"resume-word" in row.body]
        assert "Habilis" in ended
        assert not any(office.ids[name] in ended for name in ("camille", "noa"))

    def test_a_contest_that_leaves_enough_others_ends_nothing(self, office):
        notices = contested_by(office, "camille", "noa")
        contested_by_lou(office)
        undo(office, notices["noa"], who="noa")
        assert person(office) in suspended(office)

    def test_nobody_elses_suspension_is_touched(self, office):
        notices = contested_by(office, "camille", "noa")
        ask(office, "suspend-word", person(office), "a decision of the officer")
        undo(office, notices["noa"], who="noa")
        assert suspended(office)[person(office)]["reason"] == "a decision of the officer"
        breakers.resume(office.runtime, person(office), Caller.of_operator("eve"), "asked")
        supervising.suspend(office.runtime, person(office), Caller.of_operator("eve"), "by hand")
        undo(office, notices["camille"])
        assert suspended(office)[person(office)]["by"] == "eve"

    def test_what_the_officer_resumed_does_not_count_again(self, office, clock):
        contested_by(office, "camille", "noa")
        clock.advance(minutes=1)
        ask(office, "resume-word", person(office))
        clock.advance(minutes=1)
        contested_by_lou(office)
        assert suspended(office) == {}

    def test_if_the_process_dies_after_a_contest_the_worker_suspends(self, office):
        office.patient("noa", PATIENTS["noa"])
        for of in ("camille", "noa"):
            open_as_worker(office, a_contest(office, of))
        message = breakers.follow_message(office.runtime, person(office))
        audit_log.commit(office.runtime, Change((), outbox=(message,)))
        assert suspended(office) == {}
        worker.build(office.runtime).work_once()
        assert suspended(office)[person(office)]["cause"] == "contests"


class TestDecisions:
    @BOTH
    @holds("V13")
    def test_no_misuse_ends_the_suspension_and_misuse_keeps_it(self, office, clock):
        contested_by(office, "camille", "noa")
        case = case_of(office, "breaker")
        assert suspended(office)[person(office)]["case"] == case
        clock.advance(minutes=1)
        assert decide(office, case, "justified").status_code == 200
        assert suspended(office) == {}
        assert declares(office) == 403  # Camille's block stands
        reach_ceilings(office, clock)
        assert decide(office, case_of(office, "breaker"), "not-justified").status_code == 200
        assert person(office) in suspended(office)

    def test_a_new_suspension_on_the_same_day_has_a_case_of_its_own(self, office, clock):
        contested_by(office, "camille", "noa")
        first = case_of(office, "breaker")
        clock.advance(minutes=1)
        decide(office, first, "justified")
        clock.advance(minutes=1)
        contested_by(office, "lou", "mia")
        assert suspended(office)[person(office)]["case"] == case_of(office, "breaker") != first

    def test_a_confirmed_misuse_outlasts_a_contest_that_is_withdrawn(self, office):
        notices = contested_by(office, "camille", "noa")
        decide(office, case_of(office, "contest", "camille"), "not-justified")
        undo(office, notices["noa"], who="noa")
        assert person(office) in suspended(office)

    def test_misuse_confirmed_of_the_suspension_outlasts_it_too(self, office, clock):
        notices = contested_by(office, "camille", "noa")
        clock.advance(minutes=1)
        decide(office, case_of(office, "breaker"), "not-justified")
        undo(office, notices["noa"], who="noa")
        assert person(office) in suspended(office)

    def test_a_contest_that_was_not_justified_counts_no_more(self, office):
        contested_by(office, "camille", "noa")
        decide(office, case_of(office, "contest", "camille"), "justified")
        assert suspended(office) == {}

    def test_ceilings_that_were_reached_meanwhile_still_count(self, office, clock):
        notices = contested_by(office, "camille", "noa")
        reach_ceilings(office, clock)
        undo(office, notices["noa"], who="noa")
        assert suspended(office)[person(office)]["cause"] == "ceilings"

    def test_a_decision_about_somebody_or_something_else_ends_nothing(self, office):
        contested_by(office, "camille", "noa")
        other = open_as_worker(office, a_case(office, who="roux"))
        ceiling = open_as_worker(office, a_case(office, who="awa"))
        for case in (other, ceiling):
            decide(office, case.id, "justified")
        assert person(office) in suspended(office)


def a_contest(office, of):
    by = f"Patient/{office.ids[of]}"
    return a_case(office, CaseKind.CONTEST, of=of, rule="declared-evidence", contester=by)


def contested_by_lou(office):
    office.ids.get("lou") or office.patient("lou", PATIENTS["lou"])
    open_as_worker(office, a_contest(office, "lou"))
    message = breakers.follow_message(office.runtime, person(office))
    audit_log.commit(office.runtime, Change((), outbox=(message,)))
    worker.build(office.runtime).work_once()


def reach_ceilings(office, clock):
    """Have Dr Awa reach a ceiling on three days."""
    for _ in range(3):
        now, limit = office.runtime.now(), Limit("spaces-an-hour", timedelta(hours=1), 20)
        breakers.note_reached(office.runtime, CeilingReached(limit, Count("spaces", person(office), now, ()), now))
        clock.advance(days=1)
