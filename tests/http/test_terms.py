"""Terms that fall due are told once, by the worker, when they happen; a term that was changed is told rightly.

Decisions need no worker: tests/http/test_space_operations.py passes without one.
"""

import json
from datetime import UTC, datetime

import pytest

from fhir_server import worker
from fhir_server.application.spaces import terms
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.outbox import Handled
from fhir_server.ports.store import Change
from tests.factories import all_of
from tests.http.notices import kinds
from tests.http.spaces import announce, call, parent, status, told
from tests.http.test_reviews import break_glass, of_people, review


def work(world):
    worker.build(world.runtime).work_once()


def notices(world, of="camille", who=None):
    found = world.get(who or of, f"/Communication?patient={world.ids[of]}&_sort=sent&_count=50").get_json()
    return kinds([entry["resource"] for entry in found.get("entry", [])])


def events(world, of="camille", who=None):
    """Return what somebody reads that the server itself did in a space."""
    path = f"/AuditEvent?patient={world.ids[of]}&_count=100&_sort=date"
    answer = world.get(who or of, path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return by_server([entry["resource"] for entry in answer.get_json().get("entry", [])])


def stored_events(world, of="camille"):
    """Return what the server itself did in a space, also in one that nobody may read."""
    with world.runtime.ports.store.snapshot() as snapshot:
        rows = snapshot.find(Search("AuditEvent", limit=500), all_of(world.ids[of])).rows
    return by_server(sorted((json.loads(row.body) for row in rows), key=lambda event: event["recorded"]))


def by_server(events):
    own = [event for event in events if event["agent"][0]["who"].get("display") == "Habilis"]
    return [event["subtype"][-1]["code"] for event in own]


class TestSpaces:
    def test_a_space_that_opens_by_itself_is_told_once(self, world, clock):
        announce(world)
        work(world)
        assert notices(world, "new") == ["space-announced"]
        clock.advance(weeks=6)
        for _ in range(3):
            work(world)
        assert notices(world, "new") == ["space-announced", "space-opened"]
        assert events(world, "new") == ["open-space"]

    def test_an_opposition_cancels_the_opening(self, world, clock):
        announce(world)
        clock.advance(minutes=1)
        call(world, "new", "oppose-space", "new")
        clock.advance(weeks=7)
        work(world)
        assert notices(world, "new") == ["space-announced", "space-opposed"]
        assert stored_events(world, "new") == []

    def test_a_suspended_space_closes_and_is_later_to_be_erased(self, world, clock):
        call(world, "keeper", "suspend-space")
        clock.advance(weeks=6)
        work(world)
        assert status(world, "keeper") == "closed"
        assert world.runtime.ports.outbox.states(clock.now())[-1].later == 1
        clock.advance(days=366 * 10)
        work(world)
        work(world)
        assert stored_events(world) == ["close-space", "erasure-due"]

    def test_a_space_that_was_opened_again_is_not_told_closed(self, world, clock):
        call(world, "keeper", "suspend-space")
        clock.advance(minutes=1)
        call(world, "camille", "open-space")
        clock.advance(weeks=7)
        work(world)
        assert notices(world) == ["space-suspended", "space-opened"]
        assert events(world) == []

    def test_a_request_shortens_the_archive_and_the_erasure_is_told_once(self, world, clock):
        call(world, "camille", "close-space")
        clock.advance(days=1)
        assert told(call(world, "camille", "request-erasure"))["status"] == "closed"
        clock.advance(days=100)
        work(world)
        assert stored_events(world) == ["erasure-due"]
        clock.advance(days=366 * 10)
        work(world)
        assert stored_events(world) == ["erasure-due"]

    def test_opening_again_cancels_the_erasure(self, world, clock):
        call(world, "camille", "close-space")
        call(world, "camille", "request-erasure")
        call(world, "camille", "open-space")
        clock.advance(days=366 * 11)
        work(world)
        assert stored_events(world) == []

    def test_the_messages_of_an_erased_space_are_gone(self, world, clock):
        call(world, "camille", "close-space")
        call(world, "camille", "request-erasure")
        call(world, "keeper", "erase-space")
        assert [state.lane for state in world.runtime.ports.outbox.states(clock.now())] == []


class TestDocuments:
    SEALED = ("INVISIBLE_PATIENT",)

    def test_a_document_that_waited_is_told_when_the_patient_sees_it(self, world, clock):
        sealed = world.publish(marks=self.SEALED)
        clock.advance(days=29)
        work(world)
        assert events(world) == []
        clock.advance(days=3)
        for _ in range(2):
            work(world)
        assert world.get("camille", f"/DocumentReference/{sealed}").status_code == 200
        assert events(world) == ["end-seal"]

    def test_a_document_that_was_announced_before_is_not_told_again(self, world, clock):
        sealed = world.publish(marks=self.SEALED)
        path = [{"op": "remove", "path": "/securityLabel/1"}]
        lifted = world.send("chu-ehr", "PATCH", f"/DocumentReference/{sealed}", path, "application/json-patch+json")
        assert lifted.status_code == 200
        clock.advance(days=40)
        work(world)
        assert events(world) == []

    def test_a_document_that_replaces_one_that_waits_no_more_has_never_waited(self, world, clock):
        """It keeps the mark, but the patient sees it at once: no end is told, and no notice says that it waits."""
        sealed = world.publish(marks=self.SEALED)
        clock.advance(days=40)
        work(world)
        newer = world.publish(replaces=sealed)
        assert world.get("camille", f"/DocumentReference/{newer}").status_code == 200
        clock.advance(days=40)
        work(world)
        assert events(world) == ["end-seal"]
        assert notices(world) == ["result-waits"]

    def test_a_document_that_was_withdrawn_is_not_told(self, world, clock):
        sealed = world.publish(marks=self.SEALED)
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{sealed}").status_code in (200, 204)
        clock.advance(days=40)
        work(world)
        assert events(world) == []

    def test_a_parent_is_not_told_of_a_minors_confidential_document(self, world, clock):
        world.patient("lea", "212039999900148", "2012-03-01")
        parent(world, "mother", "lea")
        world.publish(patient="lea", marks=(*self.SEALED, "INVISIBLE_REPRESENTANTS_LEGAUX"))
        clock.advance(days=40)
        work(world)
        assert events(world, "lea", "mother") == []
        assert stored_events(world, "lea") == ["end-seal"]

    @pytest.mark.parametrize("days", [3, 20])
    def test_a_parent_is_not_told_that_a_result_waits_which_became_confidential(self, world, clock, days):
        """B10: neither when it becomes confidential before the notice is due, nor when the notice is there already."""
        world.patient("lea", "212039999900148", "2010-03-01")
        parent(world, "mother", "lea")
        first, second = world.publish_all(
            "chu-ehr", *(world.filing(patient="lea", marks=self.SEALED) for _ in range(2))
        )
        clock.advance(days=days)
        assert world.hide(first, "chu-ehr", "INVISIBLE_REPRESENTANTS_LEGAUX").status_code == 200
        clock.advance(days=20 - days)
        assert notices(world, "lea", "mother") == ["result-waits"]  # the other one is open to her
        assert world.hide(second, "chu-ehr", "INVISIBLE_REPRESENTANTS_LEGAUX").status_code == 200
        for _ in range(2):
            assert notices(world, "lea", "mother") == []
            assert notices(world, "lea", "lea") == ["result-waits"]
            clock.advance(days=20)
            work(world)


class TestReviews:
    @pytest.fixture
    def ward(self, world):
        return of_people(world)

    def test_a_review_that_is_overdue_is_told_once(self, ward, clock):
        break_glass(ward)
        clock.advance(days=60)
        for _ in range(2):
            work(ward)
        assert events(ward) == ["review-overdue"]

    def test_a_review_in_time_is_not_told(self, ward, clock):
        opening = break_glass(ward)
        assert review(ward, opening).status_code == 200
        clock.advance(days=60)
        work(ward)
        assert events(ward) == []


class TestTermsOfAnEarlierVersion:
    """A version without an outbox began the terms, so that they have no message."""

    @pytest.fixture(params=[1, 50])
    def earlier(self, request, world, clock, monkeypatch):
        monkeypatch.setattr(terms, "_SPACES_AT_ONCE", request.param)
        for number in range(2):
            announce(world, f"new-{number}", f"18403999990{number}321"[:15])
        world.publish(marks=("INVISIBLE_PATIENT",))
        world.patient("lea", "290039999900135", "1990-03-01")
        call(world, "keeper", "suspend-space", "lea")
        self.forget(world)
        clock.advance(days=1)
        return world

    def forget(self, world):
        ports = world.runtime.ports
        found = ports.outbox.ready("terms", datetime(9000, 1, 1, tzinfo=UTC), 100)
        assert found
        ports.store.commit(Change((), handled=tuple(Handled(message, None) for message in found)))

    def test_each_is_told_once_when_it_falls_due(self, earlier, clock):
        work(earlier)
        assert stored_events(earlier, "new-0") == []
        clock.advance(weeks=7)
        for _ in range(2):
            work(earlier)
        assert [notices(earlier, f"new-{number}")[-1] for number in range(2)] == ["space-opened"] * 2
        assert stored_events(earlier, "camille") == ["end-seal"]
        assert stored_events(earlier, "lea") == ["close-space"]

    def test_a_second_search_tells_nothing_twice(self, earlier, clock):
        work(earlier)
        clock.advance(weeks=1)
        self.search_again(earlier)
        clock.advance(weeks=7)
        work(earlier)
        self.search_again(earlier)
        assert stored_events(earlier, "new-0") == ["open-space"]
        assert stored_events(earlier, "camille") == ["end-seal"]

    def search_again(self, world):
        assert world.runtime.ports.vault.drop("migration", "terms-without-message")
        work(world)

    def test_a_store_is_searched_once(self, earlier, clock):
        work(earlier)
        self.forget(earlier)
        clock.advance(weeks=7)
        work(earlier)
        assert stored_events(earlier, "new-0") == []

    def test_a_term_that_ended_before_is_not_told(self, earlier, clock):
        clock.advance(weeks=7)
        work(earlier)
        assert stored_events(earlier, "new-0") == []
        assert stored_events(earlier, "camille") == []
        clock.advance(days=366 * 10)
        work(earlier)
        assert stored_events(earlier, "lea") == ["erasure-due"]
