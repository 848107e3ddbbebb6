"""Told at once, and contested at once: a declared agreement, "that is not true", and taking it back (V7, V8).

Source: docs/operations.md; docs/adr/0087-contesting-what-was-declared.md.
"""

import json
from dataclasses import replace

import pytest

from consent_rules.vocabulary import Mark
from fhir_server.application.cases.opening import contesters_of
from fhir_server.application.core.ceilings import supervising
from fhir_server.domain.case_files import CaseKind
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, Write
from tests.factories import all_of
from tests.holds import holds
from tests.http.cases import a_case, decide, look, open_as_worker, queued, values
from tests.http.notices import kinds
from tests.http.notices import told as notices_of
from tests.http.test_reviews import break_glass, of_people
from tests.world import World


@pytest.fixture
def office(world: World) -> World:
    return of_people(world)


@pytest.fixture
def declared(office):
    """Dr Awa declares that Camille agreed; return the id of the notice."""
    assert office.agree("awa", "awa").status_code == 201
    (notice,) = notices_of(office)
    return notice["id"]


def contest(world, id_, who="camille", type_="Communication", operation="contest"):
    return world.send(who, "POST", f"/{type_}/{id_}/${operation}")


def undo(world, id_, **more):
    return contest(world, id_, operation="withdraw-contest", **more)


def reads(world, who="awa"):
    return world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code


def against(world, who="awa"):
    with world.runtime.ports.store.snapshot() as snapshot:
        return len(contesters_of(snapshot, f"Practitioner/{world.ids[who]}"))


def code_of(answer):
    return answer.get_json()["issue"][0]["details"]["coding"][0]["code"]


class TestTold:
    @pytest.mark.usefixtures("declared")
    @holds("V7")
    def test_the_patient_is_told_when_an_agreement_is_declared(self, office):
        (notice,) = notices_of(office)
        assert kinds([notice]) == ["agreement-declared"]
        text = notice["payload"][0]["contentString"]
        assert "awa (chu) déclare que vous avez donné votre accord" in text
        assert "oral" in text
        assert "Personne d’autre ne l’a confirmé." in text
        codes = {one["url"]: one["valueCode"] for one in notice["extension"]}
        assert codes == {"urn:habilis:proof": "oral", "urn:habilis:grade": "declared"}

    def test_each_declaration_is_told_and_the_patients_own_agreement_is_not(self, office):
        office.agree("awa", "awa")
        office.agree("awa", "chu")
        office.agree("camille", "chu")
        assert kinds(notices_of(office)) == ["agreement-declared", "agreement-declared"]

    def test_each_further_member_of_a_team_is_told_at_the_first_access(self, office):
        names = ["one", "two", "three"]
        for name in names:
            office.professional(name, "10", "chu")
        office.agree("camille", "chu")
        for name in names:
            assert reads(office, name) == 200
        assert kinds(notices_of(office)) == ["first-access"] * 3


class TestContest:
    @holds("V8")
    def test_it_blocks_at_once_and_opens_a_case_with_its_evidence(self, office, declared):
        assert reads(office) == 200
        assert contest(office, declared).status_code == 200
        assert reads(office) == 403
        (case,) = queued(office)
        assert (case["kind"], case["rule"]) == ("contest", "declared-evidence")
        assert case["about"]["reference"] == f"Practitioner/{office.ids['awa']}"
        assert case["patient"]["reference"] == f"Patient/{office.ids['camille']}"
        events = [one["valueReference"]["reference"] for one in self.parts(office, case, "event")]
        assert len(events) >= 2
        assert all(event.startswith("AuditEvent/") for event in events)

    def parts(self, office, case, name):
        return [one for one in look(office, case["id"]).get_json()["parameter"] if one["name"] == name]

    def test_undone_it_is_as_if_it_had_never_been(self, office, declared):
        contest(office, declared)
        assert undo(office, declared).status_code == 200
        assert reads(office) == 200
        assert queued(office) == []
        assert against(office) == 0
        assert code_of(undo(office, declared)) == "nothing-to-withdraw"

    def test_undoing_leaves_a_block_that_was_there_before(self, office, declared):
        assert office.agree("camille", "awa", "deny").status_code == 201
        contest(office, declared)
        undo(office, declared)
        assert reads(office) == 403

    def test_what_the_officer_has_decided_is_not_taken_back(self, office, declared):
        contest(office, declared)
        decide(office, queued(office)[0]["id"], "not-justified")
        assert undo(office, declared).status_code == 422
        assert reads(office) == 403
        (notice,) = [one for one in notices_of(office) if kinds([one]) == ["contest-decided"]]
        assert "n’était pas justifié" in notice["payload"][0]["contentString"]
        assert "planning" not in json.dumps(notice)

    @pytest.mark.usefixtures("declared")
    def test_a_line_of_the_journal_is_contested_too(self, office):
        reads(office)
        path = f"/AuditEvent?patient={office.ids['camille']}&agent=Practitioner/{office.ids['awa']}"
        event = office.get("camille", path).get_json()["entry"][0]["resource"]
        assert contest(office, event["id"], type_="AuditEvent").status_code == 200
        assert reads(office) == 403

    def test_thousands_of_contests_of_one_patient_count_once(self, office, declared, clock):
        for _ in range(3):
            for _ in range(3):
                contest(office, declared)
            clock.advance(days=1)
        assert against(office) == 1
        assert [case["times"] for case in queued(office)] == [3, 3, 3]

    def test_an_emergency_is_contested_without_counting_against_anybody(self, office):
        break_glass(office)
        (notice,) = [one for one in notices_of(office) if kinds([one]) == ["break-glass"]]
        assert contest(office, notice["id"]).status_code == 200
        assert [case["rule"] for case in queued(office)] == ["emergency"]
        assert against(office) == 0
        assert office.get("awa-btg", f"/DocumentReference?patient={office.ids['camille']}").status_code == 403
        other = office.patient("noa", "280037806500512")
        assert break_glass(office, of="noa")
        assert other

    def test_a_notice_that_names_nobody_is_not_contested(self, office, declared):
        contest(office, declared)
        path = f"/AuditEvent?patient={office.ids['camille']}&agent=Patient/{office.ids['camille']}"
        own = office.get("camille", path).get_json()["entry"][0]["resource"]["id"]
        assert code_of(contest(office, own, type_="AuditEvent")) == "nobody-to-contest"


class TestOthers:
    """V22: nobody else contests, and nobody else learns that somebody did."""

    @pytest.mark.parametrize("who", ["awa", "chu-ehr", "dana"])
    def test_others_get_the_answer_for_an_unknown_id(self, office, declared, who):
        unknown = contest(office, "3f0f2b7e-5d5e-4c39-9a1d-0b8a1c5d2e11", who)
        known = contest(office, declared, who)
        assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
        assert queued(office) == []

    def test_the_declarer_reads_nothing_of_it(self, office, declared):
        contest(office, declared)
        decide(office, queued(office)[0]["id"])
        for path in ("AuditEvent", "Communication", "Consent"):
            text = office.get("awa", f"/{path}?patient={office.ids['camille']}&_count=100").text
            assert "contest" not in text
            assert "Task" not in text

    def test_a_guardian_learns_nothing_of_a_contest_about_what_is_hidden_from_them(self, office):
        """The notice is confidential, so are the block, the case and the notice of the outcome."""
        office.agree("awa", "awa")
        with office.runtime.ports.store.snapshot() as snapshot:
            everything = all_of(office.ids["camille"])
            (stored,) = snapshot.find(Search("Communication", limit=5), everything).rows
        self.hide(office, stored)
        assert contest(office, stored.id).status_code == 200
        case = queued(office)[0]["id"]
        assert values(decide(office, case))["state"] == "justified"
        with office.runtime.ports.store.snapshot() as snapshot:
            told = snapshot.find(Search("Communication", limit=10), everything).rows
            choices = snapshot.find(Search("Consent", limit=10), everything).rows
            events = snapshot.find(Search("AuditEvent", limit=50), everything).rows
        blocks = [row for row in choices if b'"deny"' in row.body and office.ids["awa"].encode() in row.body]
        acts = [row for row in events if b"$contest" in row.body or b'"contest"' in row.body]
        assert (len(told), len(blocks), len(acts)) == (2, 1, 1)
        assert all(row.facts.access.marks for row in (*told, *blocks, *acts))

    def hide(self, office, stored):
        marks = Mark.INVISIBLE_REPRESENTANTS_LEGAUX
        facts = replace(stored.facts, access=replace(stored.facts.access, marks=marks))
        after = replace(stored, facts=facts, mark=stored.mark + 1)
        office.runtime.ports.store.commit(Change((), (Write(after, (stored.version, stored.mark)),)))


@holds("V13")
def test_a_person_whom_two_patients_contest_is_suspended_and_one_who_took_it_back_counts_no_more(office):
    """The second patient's case is opened as the first one's is: what counts is the standing of both."""
    office.agree("awa", "awa")
    (notice,) = notices_of(office)
    who = f"Practitioner/{office.ids['awa']}"
    office.patient("noa", "280037806500512")
    contest(office, notice["id"])
    undo(office, notice["id"])
    open_as_worker(office, a_case(office, CaseKind.CONTEST, of="noa", rule="declared-evidence"))
    assert not supervising.is_suspended(office.runtime, who)
    contest(office, notice["id"])
    assert supervising.is_suspended(office.runtime, who)
