"""Cases of the data-protection officer: opened once a day, read and decided by auditors, told by nothing to others.

Source: statements V8, V11, V13, V20 and V22 of docs/rules.md; docs/operations.md.
"""

import json

import pytest

from fhir_server import worker
from fhir_server.application.cases.opening import contesters_of, writes_of
from fhir_server.domain import case_files
from fhir_server.domain.case_files import CaseKind, CaseOutcome
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change
from fhir_server.r4.checking import check
from tests.factories import all_of
from tests.http.cases import a_case, decide, look, open_as_worker, queued, values
from tests.http.test_reviews import break_glass, of_people, staff
from tests.http.test_terms import by_server
from tests.http.test_terms import stored_events as events_of_server
from tests.world import World

AUDIT_EVENT = "AuditEvent/3f0f2b7e-5d5e-4c39-9a1d-0b8a1c5d2e11"


@pytest.fixture
def office(world: World) -> World:
    return of_people(world)


class TestOpening:
    def test_the_same_thing_again_on_one_day_makes_one_case_that_counts(self, office, clock):
        for n in range(3):
            open_as_worker(office, a_case(office, evidence={"spaces": 20 + n}, events=(AUDIT_EVENT,)))
        clock.advance(days=1)
        open_as_worker(office, a_case(office))
        first, second = queued(office)
        assert (first["times"], second["times"]) == (3, 1)
        told = look(office, first["id"])
        assert values(told)["event"] == {"reference": AUDIT_EVENT}
        assert "20 + 2" not in told.text
        assert '"code","valueCode":"spaces"' in told.text.replace(" ", "").replace('"name":', "")

    def test_a_bare_change_opens_the_same_case(self, office):
        store, case = office.runtime.ports.store, a_case(office)
        for _ in range(2):
            with store.snapshot() as snapshot:
                writes = writes_of(snapshot, case, office.runtime.now())
            store.commit(Change((), writes))
        assert [one["times"] for one in queued(office)] == [2]

    def test_the_file_is_a_valid_task_that_names_a_patient_only_in_the_patients_space(self, office):
        ceiling, contest = a_case(office), a_case(office, CaseKind.CONTEST, of="camille", rule="agreement")
        for case in (ceiling, contest):
            open_as_worker(office, case)
            with office.runtime.ports.store.snapshot() as snapshot:
                stored = snapshot.read(case_files.TYPE, case.id, all_of(case.patient))
            check(case_files.task_of(case) | {"id": case.id})
            assert (office.ids["camille"].encode() in stored.body) is bool(case.patient)

    def test_patients_are_counted_once_while_their_contests_stand(self, office, clock):
        office.patient("noa", "280037806500512")
        against = f"Practitioner/{office.ids['awa']}"
        for of in ("camille", "camille", "noa"):
            open_as_worker(office, a_case(office, CaseKind.CONTEST, of=of, rule="agreement"))
            clock.advance(days=1)
        open_as_worker(office, a_case(office, CaseKind.DETECTION, of="camille", rule="volume"))
        assert self.counted(office, against) == {office.ids["camille"], office.ids["noa"]}
        for case in queued(office):
            if case["kind"] == "contest" and office.ids["camille"] in case["patient"]["reference"]:
                assert decide(office, case["id"], "justified").status_code == 200
        assert self.counted(office, against) == {office.ids["noa"]}
        (left,) = [case for case in queued(office) if case["kind"] == "contest"]
        decide(office, left["id"], "not-justified")
        assert self.counted(office, against) == {office.ids["noa"]}

    def counted(self, office, who):
        with office.runtime.ports.store.snapshot() as snapshot:
            return set(contesters_of(snapshot, who))


class TestOfficer:
    def test_the_one_due_first_comes_first_and_time_makes_it_overdue(self, office, clock):
        open_as_worker(office, a_case(office))
        clock.advance(hours=72)
        open_as_worker(office, a_case(office, rule="identities_an_hour"))
        assert [(one["rule"], one["state"]) for one in queued(office)] == [
            ("spaces_an_hour", "overdue"),
            ("identities_an_hour", "waiting"),
        ]

    def test_a_case_about_a_ceiling_names_no_patient(self, office):
        case = open_as_worker(office, a_case(office))
        (listed,) = queued(office)
        assert "patient" not in listed
        assert listed["about"]["reference"] == f"Practitioner/{office.ids['awa']}"
        assert "Patient/" not in look(office, case.id).text

    def test_it_is_decided_once_with_reasons(self, office):
        case = open_as_worker(office, a_case(office))
        assert decide(office, case.id, comment=" ").status_code == 400
        assert decide(office, case.id, "withdrawn").status_code == 400
        done = decide(office, case.id, "not-justified")
        assert values(done)["state"] == "not-justified"
        assert queued(office) == []
        again = decide(office, case.id)
        assert (again.status_code, again.get_json()["issue"][0]["details"]["coding"][0]["code"]) == (
            422,
            "already-decided",
        )

    def test_what_is_decided_stays_decided_when_it_happens_again(self, office):
        case = open_as_worker(office, a_case(office))
        decide(office, case.id)
        assert open_as_worker(office, a_case(office)).outcome is CaseOutcome.JUSTIFIED
        assert queued(office) == []

    def test_nobody_sees_a_case_about_themselves(self, office):
        staff(office, "awa-audits", person=f"Practitioner/{office.ids['awa']}")
        case = open_as_worker(office, a_case(office))
        assert queued(office, "awa-audits") == []
        assert look(office, case.id, "awa-audits").status_code == 404
        assert decide(office, case.id, who="awa-audits").status_code == 404

    def test_reviews_and_cases_do_not_meet(self, office):
        opening = break_glass(office)
        open_as_worker(office, a_case(office, CaseKind.DETECTION, of="camille", rule="volume"))
        assert [one["kind"] for one in queued(office)] == ["detection"]
        assert look(office, opening).status_code == 404
        waiting = office.get("dana", "/Consent/$review-queue").get_json()["parameter"]
        assert [one["name"] for one in waiting] == ["opening"]


class TestOthers:
    """V22: a case tells nobody else anything: no answer, no event, no notice, no total."""

    @pytest.mark.parametrize("who", ["camille", "awa", "chu-ehr", "oscar"])
    def test_a_case_and_an_unknown_id_get_one_answer(self, office, who):
        office.tokens.setdefault(who, office.tokens.get("awa-btg") if who == "awa" else None)
        case = open_as_worker(office, a_case(office, CaseKind.DETECTION, of="camille", rule="volume"))
        answers = {(a.status_code, a.data) for a in (look(office, case.id, who), look(office, AUDIT_EVENT[11:], who))}
        assert len(answers) == 1
        assert answers.pop()[0] in (403, 404)
        assert office.get(who, "/AuditEvent/$case-queue").status_code == 403

    @pytest.mark.parametrize("kind", [CaseKind.DETECTION, CaseKind.BREAKER])
    def test_the_patient_reads_nothing_of_a_case_that_is_not_their_own(self, office, kind):
        path = f"/AuditEvent?patient={office.ids['camille']}&_count=100"
        before = office.get("camille", path).get_json()["total"]
        case = open_as_worker(office, a_case(office, kind, of="camille", rule="volume"))
        queued(office)
        look(office, case.id)
        decide(office, case.id)
        assert office.get("camille", path).get_json()["total"] == before + 1  # the search before
        assert office.get("camille", f"/Communication?patient={office.ids['camille']}").get_json()["total"] == 0
        seen_by_auditor = office.get("dana", path).text
        assert all(operation in seen_by_auditor for operation in ("case-queue", "decide-case"))

    def test_a_refused_look_or_decision_is_told_to_auditors_alone(self, office):
        path = f"/AuditEvent?patient={office.ids['camille']}&_count=100"
        case = open_as_worker(office, a_case(office, CaseKind.DETECTION, of="camille", rule="volume"))
        decide(office, case.id)
        before = office.get("camille", path).get_json()["total"]
        assert decide(office, case.id).status_code == 422
        assert look(office, case.id, "awa").status_code == 404
        assert office.get("camille", path).get_json()["total"] == before + 1  # the search before
        assert office.get("dana", path).text.count("decide-case") == 2


class TestOverdue:
    def test_the_worker_tells_the_log_of_a_late_case_once(self, office, clock):
        detected = a_case(office, CaseKind.DETECTION, of="camille", rule="volume")
        for case in (detected, a_case(office), decided := a_case(office, rule="identities_an_hour")):
            open_as_worker(office, case)
        decide(office, decided.id)
        for hours in (1, 72, 1):
            clock.advance(hours=hours)
            worker.build(office.runtime).work_once()
        assert events_of_server(office) == ["case-overdue"]
        assert by_server(self.without_a_space(office)) == ["case-overdue"]

    def without_a_space(self, office):
        with office.runtime.ports.store.snapshot() as snapshot:
            rows = snapshot.find(Search("AuditEvent", limit=500), all_of("")).rows
        return [json.loads(row.body) for row in rows]
