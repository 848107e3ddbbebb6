"""The state of an export and its files: polls, expiry, cancelling, and what changed between the plan and the file.

Source: https://hl7.org/fhir/uv/bulkdata/export.html, status and file requests; docs/adr/0120-exports-are-plans.md.
"""

from dataclasses import replace

import pytest

from fhir_server.app import create_app
from fhir_server.application.core import access_notices
from fhir_server.application.exports import commands, jobs, planning
from fhir_server.application.exports.commands import ExportStopped
from fhir_server.application.identity import access_tokens, grants
from fhir_server.ports.store import StoreUnavailable
from fhir_server.settings import limits
from tests.holds import holds
from tests.http.exports import ask, exported, files, lines, manifest, place_of, planned, work
from tests.http.spaces import UNKNOWN
from tests.http.stores import BOTH, another, runtime, store  # noqa: F401 - fixtures
from tests.http.test_lockdown import go_on, stop
from tests.world import World

DOCUMENTS = "/$export?_type=DocumentReference"


def events(world: World, who: str = "camille", patient: str = "camille"):
    """Return what the journal has of exports in a space: who, and what was touched."""
    found = world.get(who, f"/AuditEvent?patient={world.ids[patient]}&_count=200").get_json().get("entry", [])
    events = [entry["resource"] for entry in found]
    return [event for event in events if "dans un export" in event["text"]["div"]]


class TestTheState:
    @holds("BULK-4")
    @BOTH
    def test_a_client_follows_an_export_to_its_manifest(self, world):
        world.publish()
        place = place_of(ask(world, "camille", DOCUMENTS))
        waiting = world.get("camille", place)
        assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, str(jobs.POLL_SECONDS))
        assert waiting.headers["X-Progress"]
        work(world)
        ready = world.get("camille", place)
        told = ready.get_json()
        assert ready.content_type == "application/json"
        assert ready.headers["Expires"]
        assert told["requiresAccessToken"] is True
        assert (told["deleted"], told["error"]) == ([], [])
        assert told["request"] == f"http://localhost:8080/fhir{DOCUMENTS}"
        assert [set(one) for one in told["output"]] == [{"type", "url"}]

    @holds("BULK-4")
    def test_a_client_that_asks_too_often_is_told_to_wait(self, world, clock):
        place = place_of(ask(world, "camille"))
        assert world.get("camille", place).status_code == 202
        refused = world.get("camille", place)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(jobs.POLL_SECONDS))
        clock.advance(seconds=jobs.POLL_SECONDS)
        assert world.get("camille", place).status_code == 202

    @holds("BULK-6")
    @BOTH
    def test_an_export_that_was_ended_is_unknown(self, world):
        world.publish()
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]
        assert world.send("camille", "DELETE", place).status_code == 202
        unknown = world.get("camille", f"/$export-status/{UNKNOWN}")
        for answer in (world.get("camille", place), world.send("camille", "DELETE", place), world.get("camille", file)):
            assert (answer.status_code, answer.data) == (404, unknown.data)

    def test_an_export_that_is_ended_while_it_is_planned_is_not_planned(self, world):
        world.publish()
        place = place_of(ask(world, "camille"))
        assert world.send("camille", "DELETE", place).status_code == 202
        work(world)
        assert world.get("camille", place).status_code == 404
        assert world.runtime.ports.outbox.dead_letters(10) == ()

    @BOTH
    def test_an_export_expires(self, world, clock):
        world.publish()
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]
        clock.advance(hours=limits.in_force().export_hours, seconds=1)
        unknown = world.get("camille", f"/$export-status/{UNKNOWN}")
        assert unknown.status_code == 404
        assert world.get("camille", place).data == world.get("camille", file).data == unknown.data

    @BOTH
    def test_the_export_of_somebody_else_is_answered_as_an_unknown_one(self, world):
        world.publish()
        place = planned(world, "chu-ehr", DOCUMENTS)
        (file,) = files(world, "chu-ehr", place)["DocumentReference"]
        world.software("chu-second", "system/*.cruds", "chu")
        unknown_file = f"/$export-file/{UNKNOWN}/0"
        for who in ("other-ehr", "chu-second", "camille", "martin"):
            for method, path, nowhere in (
                ("GET", place, f"/$export-status/{UNKNOWN}"),
                ("DELETE", place, f"/$export-status/{UNKNOWN}"),
                ("GET", file, unknown_file),
                ("GET", f"{file.rpartition('/')[0]}/errors", f"/$export-file/{UNKNOWN}/errors"),
            ):
                foreign, unknown = world.send(who, method, path), world.send(who, method, nowhere)
                assert (foreign.status_code, foreign.data) == (unknown.status_code, unknown.data) == (404, unknown.data)
                assert headers(foreign) == headers(unknown)
        assert len(lines(world.get("chu-ehr", file))) == 1

    def test_a_file_that_the_plan_has_not_is_not_found(self, world):
        world.publish()
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]
        for number in ("1", "99999999999999999999", "-1", "x"):
            assert world.get("camille", f"{file.rpartition('/')[0]}/{number}").status_code == 404

    @BOTH
    def test_another_process_goes_on_with_a_plan_and_sends_its_files(self, world, another):  # noqa: F811 - a fixture
        mine = world.publish()
        place = place_of(ask(world, "camille", DOCUMENTS))
        served = replace(world.runtime, ports=replace(another, clock=world.runtime.ports.clock))
        world.web.application.extensions["habilis.runtime"] = served
        world.runtime = served
        work(world)
        (file,) = files(world, "camille", place)["DocumentReference"]
        assert [one["id"] for one in lines(world.get("camille", file))] == [mine]


class TestTheFile:
    """Between the plan and the file, and while a file is sent, something changes."""

    @holds("BULK-5")
    @BOTH
    def test_a_consent_that_ended_after_the_plan_closes_the_space_to_the_file(self, world):
        document = world.publish()
        agreed = world.agree("camille", "martin")
        assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]
        place = planned(world, "martin", DOCUMENTS)
        (file,) = files(world, "martin", place)["DocumentReference"]
        assert len(lines(world.get("martin", file))) == 1
        assert world.agree("camille", "martin", "deny").status_code == 201, agreed
        assert lines(world.get("martin", file)) == []
        (error,) = manifest(world, "martin", place)["error"]
        (outcome,) = lines(world.get("martin", error["url"].partition("/fhir")[2]))
        assert outcome["resourceType"] == "OperationOutcome"
        assert world.ids["camille"] not in str(outcome)
        refused = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&outcome=4").get_json()["entry"]
        assert "dans un export" in refused[0]["resource"]["text"]["div"]

    @BOTH
    def test_a_document_that_was_hidden_after_the_plan_is_not_in_the_file(self, world):
        documents = [world.publish() for _ in range(2)]
        assert world.agree("camille", "martin").status_code == 201
        world.found("martin", f"/DocumentReference?patient={world.ids['camille']}")
        place = planned(world, "martin", DOCUMENTS)
        (file,) = files(world, "martin", place)["DocumentReference"]
        assert world.hide(documents[0]).status_code == 200
        assert [one["id"] for one in lines(world.get("martin", file))] == [documents[1]]

    @holds("BULK-5")
    @BOTH
    def test_a_token_that_was_revoked_after_the_plan_fetches_nothing(self, world):
        world.publish()
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]
        access = access_tokens.find_access(world.runtime, world.tokens["camille"])
        grants.revoke_grant(world.runtime, access.grant.id)
        assert world.get("camille", file).status_code == 401

    @pytest.mark.parametrize("how", ["revoked", "locked down"])
    def test_a_file_ends_where_its_token_ends(self, world, how):
        world.publish()
        for number in range(3):
            world.patient(f"leo{number}", f"17102759990019{number}")
            world.publish(patient=f"leo{number}")
        place = planned(world, "chu-ehr", DOCUMENTS)
        (file,) = files(world, "chu-ehr", place)["DocumentReference"]
        answer = world.get("chu-ehr", file)
        pieces = answer.iter_encoded()
        assert next(pieces)
        access = access_tokens.find_access(world.runtime, world.tokens["chu-ehr"])
        if how == "revoked":
            grants.revoke_grant(world.runtime, access.grant.id)
        else:
            stop(world)
        with pytest.raises(ExportStopped):
            list(pieces)

    def test_in_a_lockdown_nothing_is_exported_and_afterwards_the_plan_goes_on(self, world, clock):
        mine = world.publish()
        place = place_of(ask(world, "camille", DOCUMENTS))
        stop(world)
        work(world)
        assert {ask(world, "camille").status_code, world.get("camille", place).status_code} == {503}
        go_on(world)
        assert world.get("camille", place).status_code == 202
        clock.advance(minutes=2)
        work(world)
        (file,) = files(world, "camille", place)["DocumentReference"]
        assert [one["id"] for one in lines(world.get("camille", file))] == [mine]

    @BOTH
    def test_each_space_is_told_of_what_left_it(self, world):
        mine = world.publish()
        assert exported(world, "chu-ehr", DOCUMENTS) == [f"DocumentReference/{mine}"]
        (event,) = events(world)
        assert "a emporté une copie de ce qui suit dans un export : la liste des documents" in event["text"]["div"]
        assert any(one.get("what", {}).get("reference") == f"DocumentReference/{mine}" for one in event["entity"])

    def test_no_byte_leaves_when_it_cannot_be_recorded(self, world, monkeypatch):
        world.publish()
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]

        def broken(*_args):
            raise StoreUnavailable

        monkeypatch.setattr(access_notices.audit_log, "record_outcome", broken)
        answer = world.get("camille", file)
        assert answer.status_code == 503
        assert b"DocumentReference" not in answer.data

    def test_a_file_takes_from_as_many_spaces_as_the_limit_says(self, world):
        mine = {world.publish()}
        for number in range(4):
            world.patient(f"leo{number}", f"17102759990019{number}")
            mine.add(world.publish(patient=f"leo{number}"))
        before = limits.put_in_force(limits.Limits(export_spaces=2))
        try:
            place = planned(world, "chu-ehr", DOCUMENTS)
            found = files(world, "chu-ehr", place)["DocumentReference"]
            held = [{one["id"] for one in lines(world.get("chu-ehr", file))} for file in found]
        finally:
            limits.put_in_force(before)
        assert [len(one) for one in held] == [2, 2, 1]
        assert set().union(*held) == mine

    def test_a_plan_of_many_steps_has_each_space_once(self, world, monkeypatch):
        mine = {world.publish()}
        for number in range(4):
            world.patient(f"leo{number}", f"17102759990019{number}")
            mine.add(world.publish(patient=f"leo{number}"))
        monkeypatch.setattr(planning, "SPACES_AT_ONCE", 2)
        assert sorted(exported(world, "chu-ehr", DOCUMENTS)) == sorted(f"DocumentReference/{id_}" for id_ in mine)

    def test_each_further_page_of_a_space_counts_as_a_request(self, world, settings, monkeypatch):
        mine = {world.publish() for _ in range(3)}
        place = planned(world, "camille", DOCUMENTS)
        (file,) = files(world, "camille", place)["DocumentReference"]
        monkeypatch.setattr(commands, "PAGE_ROWS", 1)
        few = replace(world.runtime.profile.ceilings, requests_a_minute=3, requests_a_second=3)
        served = replace(world.runtime, profile=replace(world.runtime.profile, ceilings=few))
        world.web = create_app(replace(settings, request_rates=True), served).test_client()
        assert {one["id"] for one in lines(world.get("camille", file))} == mine
        assert world.get("camille", place).status_code == 429

    def test_few_files_are_sent_at_once_and_one_caller_leaves_room_for_others(self, world):
        for number in range(3):
            world.patient(f"leo{number}", f"17102759990019{number}")
            world.publish(patient=f"leo{number}")
        mine, theirs = planned(world, "chu-ehr", DOCUMENTS), planned(world, "leo0", DOCUMENTS)
        (file,), (other,) = (files(world, *of)["DocumentReference"] for of in (("chu-ehr", mine), ("leo0", theirs)))
        begun = world.get("chu-ehr", file)
        pieces = begun.iter_encoded()
        assert next(pieces)
        refused = world.get("chu-ehr", file)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert len(lines(world.get("leo0", other))) == 1
        assert len([*pieces]) == 2
        assert len(lines(world.get("chu-ehr", file))) == 3

    def test_searches_of_a_file_count_as_requests_of_the_token(self, world, settings):
        for number, name in enumerate(("camille", "leo", "mia")):
            if number:
                world.patient(name, f"17102759990019{number}")
            own = {"reference": f"Patient/{world.ids[name]}"}
            agreed = world.consent("martin") | {"patient": own, "performer": [own]}
            assert world.send(name, "POST", "/Consent", agreed).status_code == 201
            assert world.get("martin", f"/DocumentReference?patient={world.ids[name]}").status_code == 200
        place = planned(world, "martin", DOCUMENTS)
        (file,) = files(world, "martin", place)["DocumentReference"]
        few = replace(world.runtime.profile.ceilings, requests_a_minute=5, requests_a_second=5)
        served = replace(world.runtime, profile=replace(world.runtime.profile, ceilings=few))
        world.web = create_app(replace(settings, request_rates=True), served).test_client()
        assert world.get("martin", file).status_code == 200
        refused = world.get("martin", file)
        assert (refused.status_code, "ceiling-requests" in refused.text) == (429, True)
        assert int(refused.headers["Retry-After"]) > 1


def headers(answer):
    return sorted((name, value) for name, value in answer.headers if name not in {"X-Request-Id", "Date"})
