"""Notices: Communications written with the act that owes them, read by the holder's side and by whom they address.

Source: https://hl7.org/fhir/R4/communication.html; R.1111-48 of the French public health code (rules G3, G6, H1).
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent_rules.model import RecordState, Requester
from consent_rules.vocabulary import Purpose, RequesterKind, SpaceStatus
from fhir_server.application.core import access_notices
from fhir_server.application.spaces import break_glass
from fhir_server.domain import record_codec
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, SpaceWrite, StoreUnavailable
from tests.factories import a_caller, all_of
from tests.holds import holds
from tests.http.notices import PCP, kinds, told
from tests.http.spaces import search
from tests.world import RECIPIENT, World


def open_emergency(world, who="zoe", reason="unconscious, found at home", purpose=Purpose.BREAK_GLASS, profession="10"):
    requester = Requester(
        RequesterKind.PROFESSIONAL,
        f"Practitioner/{world.ids[who]}",
        organization=f"Organization/{world.ids['other']}",
        client="Device/desk",
        profession=profession,
    )
    caller = a_caller(requester, "user/*.rs", display=who, purpose=purpose)
    return break_glass.open_as_granted(world.runtime, caller, world.ids["camille"], reason)


@pytest.fixture
def team(world: World) -> World:
    """Camille agreed to the hospital's team and declared Dr Martin."""
    assert world.agree("camille", "chu").status_code == 201
    declared = world.consent("martin", role=PCP)
    assert world.send("camille", "POST", "/Consent", declared).status_code == 201
    return world


class TestFirstAccess:
    """H1: the holder is told of the first access of each professional in each establishment."""

    @holds("H1")
    def test_one_notice_names_who_where_and_what(self, team):
        document = team.publish()
        assert search(team, "nour").status_code == 200
        (notice,) = told(team)
        assert kinds([notice]) == ["first-access"]
        assert notice["status"] == "completed"
        assert notice["recipient"] == [{"reference": f"Patient/{team.ids['camille']}"}]
        assert notice["about"] == [
            {"reference": f"Practitioner/{team.ids['nour']}", "display": "nour"},
            {"reference": f"Organization/{team.ids['chu']}", "display": "chu"},
            {"reference": f"DocumentReference/{document}"},
        ]
        assert "nour (chu) a consulté l’espace pour la première fois" in notice["payload"][0]["contentString"]

    def test_later_accesses_owe_none(self, team):
        for _ in range(3):
            assert search(team, "nour").status_code == 200
        assert team.get("nour", f"/DocumentReference/{team.publish()}").status_code == 200
        assert kinds(told(team)) == ["first-access"]

    def test_every_professional_is_told_of(self, team):
        search(team, "nour")
        search(team, "martin")
        assert sorted(n["about"][0]["display"] for n in told(team)) == ["martin", "nour"]

    def test_a_read_by_id_is_an_access_too(self, team):
        document = team.publish()
        assert team.get("nour", f"/DocumentReference/{document}").status_code == 200
        assert kinds(told(team)) == ["first-access"]

    def test_a_refusal_and_a_document_not_found_owe_none(self, team):
        assert search(team, "zoe").status_code == 403
        assert team.get("nour", "/DocumentReference/00000000-0000-4000-8000-000000000009").status_code == 404
        assert told(team) == []

    def test_the_holder_and_software_owe_none(self, team):
        search(team, "camille")
        search(team, "chu-ehr")
        assert told(team) == []

    @holds("L3")
    def test_under_a_profile_that_says_so_every_access_is_told(self, team):
        """L3."""
        team.web.application.extensions["habilis.runtime"] = replace(
            team.runtime, profile=replace(team.runtime.profile, notify_every_access=True)
        )
        search(team, "nour")
        search(team, "nour")
        assert kinds(told(team)) == ["access", "access"]

    @holds("H1")
    def test_without_the_notice_nothing_is_answered(self, team, monkeypatch):
        document = team.publish()
        commit = team.runtime.ports.store.commit

        def failing(change):
            if any(write.after.type == "Communication" for write in change.writes):
                raise StoreUnavailable("no room")
            commit(change)

        monkeypatch.setattr(team.runtime.ports.store, "commit", failing)
        assert team.get("nour", f"/DocumentReference/{document}").status_code == 503
        monkeypatch.undo()
        assert told(team) == []

    def test_two_first_accesses_at_once_are_told_once(self, team, monkeypatch):
        """Both find nobody told; the loser of the race sees the notice of the winner."""
        store = team.runtime.ports.store
        commit, raced = store.commit, []

        def racing(change):
            if change.spaces and change.writes and not raced:
                raced.append(change)
                search(team, "nour")
            commit(change)

        monkeypatch.setattr(store, "commit", racing)
        assert search(team, "nour").status_code == 200
        assert raced
        assert kinds(told(team)) == ["first-access"]

    def test_a_space_that_is_erased_meanwhile_gets_no_notice(self, team, monkeypatch):
        store = team.runtime.ports.store
        commit, raced = store.commit, []

        def racing(change):
            if change.spaces and change.writes and not raced:
                raced.append(change)
                gone = RecordState(team.ids["camille"], SpaceStatus.ERASED)
                spaces = (SpaceWrite(team.ids["camille"], 0, record_codec.dump(gone)),)
                store.erase(team.ids["camille"], Change((), spaces=spaces))
            commit(change)

        monkeypatch.setattr(store, "commit", racing)
        assert search(team, "nour").status_code == 200
        assert raced
        with store.snapshot() as snapshot:
            everything = all_of(team.ids["camille"])
            assert snapshot.find(Search("Communication"), everything).rows == ()
            assert len(snapshot.find(Search("AuditEvent"), everything).rows) == 1

    def test_a_space_that_never_stands_still_gives_no_answer(self, team, monkeypatch):
        monkeypatch.setattr(access_notices, "_ATTEMPTS", 0)
        assert search(team, "nour").status_code == 503


class TestEmergency:
    """G3, G6: after an emergency access the holder and the declared physician are informed."""

    @holds("G3", "G6", "R.1111-48")
    def test_the_opening_tells_both(self, team):
        consent = open_emergency(team)
        mine, martins = sorted(told(team), key=lambda n: n["recipient"][0]["reference"])
        assert kinds([mine, martins]) == ["break-glass", "break-glass"]
        assert mine["priority"] == "urgent"
        assert mine["reasonCode"] == [{"text": "unconscious, found at home"}]
        assert {"reference": f"Consent/{consent}"} in mine["about"]
        assert martins["recipient"] == [{"reference": f"Practitioner/{team.ids['martin']}"}]
        assert "reasonCode" not in martins
        assert martins["about"][0]["display"] == "zoe"

    def test_the_review_is_due_in_three_days(self, team):
        open_emergency(team)
        due = team.runtime.ports.clock.now() + timedelta(hours=72)
        for notice in told(team):
            (extension,) = notice["extension"]
            assert extension["url"] == "urn:habilis:review-due"
            assert extension["valueDateTime"] == due.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            assert f"À contrôler avant le {due:%d/%m/%Y %H:%M} UTC" in notice["payload"][0]["contentString"]

    @holds("G6")
    def test_a_regulation_is_told_and_needs_no_review(self, team):
        open_emergency(team, purpose=Purpose.EMERGENCY)
        found = told(team)
        assert kinds(found) == ["emergency-regulation", "emergency-regulation"]
        assert not any("extension" in notice for notice in found)

    def test_the_declared_physician_reads_the_own_notice_and_no_other(self, team):
        search(team, "martin")
        open_emergency(team)
        (notice,) = told(team, "martin")
        assert notice["recipient"] == [{"reference": f"Practitioner/{team.ids['martin']}"}]
        others = [n["id"] for n in told(team) if n["id"] != notice["id"]]
        assert team.get("martin", f"/Communication/{notice['id']}").status_code == 200
        assert {team.get("martin", f"/Communication/{id_}").status_code for id_ in others} == {404}

    def test_a_declared_physician_who_breaks_the_glass_needs_no_notice(self, team):
        open_emergency(team, who="martin")
        assert [n["recipient"][0]["reference"] for n in told(team)] == [f"Patient/{team.ids['camille']}"]


class TestResultsThatWait:
    """E10: two weeks after something was filed that waits for its announcement, the patient is told so."""

    def hold(self, world):
        marks = ("INVISIBLE_PATIENT",)
        return world.publish(marks=marks)

    @holds("E10")
    def test_it_is_told_after_two_weeks_and_names_nothing(self, team, clock):
        document = self.hold(team)
        clock.advance(days=13, hours=23)
        assert told(team) == []
        assert team.get("camille", f"/Communication?patient={team.ids['camille']}").get_json()["total"] == 0
        clock.advance(hours=1)
        (notice,) = told(team)
        assert kinds([notice]) == ["result-waits"]
        assert notice["sent"] == "2026-03-16T09:00:00.000Z"
        assert document not in str(notice)
        assert "about" not in notice
        assert "médecin traitant" in notice["payload"][0]["contentString"]

    def test_its_id_answers_like_an_unknown_one_before(self, team):
        self.hold(team)
        with team.runtime.ports.store.snapshot() as snapshot:
            everything = all_of(team.ids["camille"])
            (kept,) = snapshot.find(Search("Communication"), everything).rows
        before = team.get("camille", f"/Communication/{kept.id}")
        unknown = team.get("camille", "/Communication/00000000-0000-4000-8000-000000000009")
        assert (before.status_code, before.data) == (404, unknown.data)

    def test_a_lot_owes_one_notice_and_an_open_document_none(self, team, clock):
        marks = ("INVISIBLE_PATIENT",)
        team.publish_all("chu-ehr", team.filing(marks=marks), team.filing(marks=marks), team.filing())
        team.publish()
        clock.advance(days=14)
        assert kinds(told(team)) == ["result-waits"]

    def test_a_result_that_was_withdrawn_waits_no_more(self, team, clock):
        document = self.hold(team)
        assert team.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code == 204
        for _ in range(3):  # neither when it would have been told, nor when the seal would have ended
            clock.advance(days=14)
            assert told(team) == []

    def test_one_of_two_that_was_withdrawn_leaves_the_other(self, team, clock):
        marks = ("INVISIBLE_PATIENT",)
        first, _ = team.publish_all("chu-ehr", team.filing(marks=marks), team.filing(marks=marks))
        assert team.send("chu-ehr", "DELETE", f"/DocumentReference/{first}").status_code == 204
        clock.advance(days=14)
        assert kinds(told(team)) == ["result-waits"]

    def test_the_declared_physician_and_the_depositor_find_none(self, team, clock):
        self.hold(team)
        clock.advance(days=14)
        assert told(team, "martin") == []
        assert team.get("chu-ehr", f"/Communication?patient={team.ids['camille']}").status_code == 403


class TestDoors:
    """Notices are read and searched; nobody writes them."""

    def test_a_notice_is_found_by_kind_date_and_recipient(self, team):
        search(team, "nour")
        open_emergency(team)
        assert kinds(told(team, more="&category=urn:habilis:notice|first-access")) == ["first-access"]
        assert kinds(told(team, more=f"&recipient=Practitioner/{team.ids['martin']}")) == ["break-glass"]
        assert told(team, more="&sent=gt2030-01-01") == []

    def test_nobody_writes_one(self, team):
        body = {"resourceType": "Communication", "status": "completed"}
        for who in ("camille", "nour", "keeper", "chu-ehr"):
            assert team.send(who, "POST", "/Communication", body).status_code == 405

    def test_nobody_else_reads_any(self, team):
        search(team, "nour")
        path = f"/Communication?patient={team.ids['camille']}"
        for who in ("nour", "zoe", "chu-ehr"):
            assert team.get(who, path).status_code == 403, who
        (notice,) = told(team)
        for who in ("nour", "zoe", "chu-ehr", "martin"):
            assert team.get(who, f"/Communication/{notice['id']}").status_code == 404, who

    def test_reading_notices_is_traced(self, team):
        told(team)
        events = team.get("camille", f"/AuditEvent?patient={team.ids['camille']}&_count=5&_sort=-date").get_json()
        assert "Communication" in str([e["resource"].get("entity") for e in events["entry"]]) or any(
            "a consulté les avis" in e["resource"]["text"]["div"] for e in events["entry"]
        )


def test_the_role_of_a_recipient_is_no_declared_physician(world):
    """The fixture above declares by the function PCP; an ordinary agreement tells nobody of emergencies."""
    assert (
        world.agree("camille", "martin", provision=world.consent("martin", role=RECIPIENT)["provision"]).status_code
        == 201
    )
    open_emergency(world)
    assert [n["recipient"][0]["reference"] for n in told(world)] == [f"Patient/{world.ids['camille']}"]
