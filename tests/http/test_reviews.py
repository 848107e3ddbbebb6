"""Reviews of break-glass over HTTP: the queue, one file, the act, the contest (P6.5, G3, G8).

Source: docs/operations.md; https://hl7.org/fhir/R4/task.html for the file that is kept.
"""

import json
from dataclasses import replace

import pytest

from consent_rules.vocabulary import Capacity, Purpose, RequesterKind
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.spaces import break_glass_reviews
from fhir_server.domain.caller import Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.ports.store import StoreUnavailable
from fhir_server.r4.checking import check
from tests.factories import all_of
from tests.holds import holds
from tests.http.notices import PCP, kinds
from tests.http.notices import told as notices_of
from tests.http.spaces import UNKNOWN, call, reason, refusal, told
from tests.world import World

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY
SCOPES = "user/AuditEvent.rs user/Consent.rus"


def staff(world, name, kind=RequesterKind.AUDITOR, person="", scopes=SCOPES):
    """Give somebody who runs or audits the service a token."""
    account = Account(name, kind, person or f"Device/{name}", name.title(), subject=name)
    desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
    world.tokens[name] = world.mint(client=desk, account=account, scopes=scopes)


def of_people(world: World) -> World:
    """Bring in Dr Awa, who may break the glass, Dr Roux, who regulates calls, Dana, who audits, and Oscar, on call."""
    world.professional("awa", "10", "chu")
    world.professional("roux", "10", "other")
    world.in_mode("awa-btg", "awa", ("10", "chu", Capacity.NONE), BTG)
    world.in_mode("roux-samu", "roux", ("10", "other", Capacity.NONE), ETREAT)
    staff(world, "dana")
    staff(world, "oscar", RequesterKind.SUPPORT)
    return world


@pytest.fixture
def ward(world: World) -> World:
    return of_people(world)


def break_glass(world, who="awa-btg", why="unconscious, found at home", of="camille"):
    """Open a space; return the id of the Consent."""
    opened = told(call(world, who, "break-glass", world.ids[of], body=reason(why)))
    return opened["consent"]["reference"].partition("/")[2]


def ask(world, who, id_, operation, **given):
    parts = [{"name": name, "valueCode" if name == "outcome" else "valueString": v} for name, v in given.items()]
    body = {"resourceType": "Parameters", "parameter": parts} if parts else None
    return world.send(who, "POST", f"/Consent/{id_}/${operation}", body)


def review(world, id_, outcome="justified", who="dana", **more):
    return ask(world, who, id_, "review-emergency", outcome=outcome, **more)


def contest(world, id_, who="camille"):
    return ask(world, who, id_, "contest-emergency")


def status(world, id_, who="dana"):
    return told(world.get(who, f"/Consent/{id_}/$review-status"))


def queue(world, who="dana", more="", count=50):
    """Return what waits, as dictionaries, and the cursor of the next page."""
    answer = world.get(who, f"/Consent/$review-queue?count={count}{more}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    openings, following = [], ""
    for one in answer.get_json().get("parameter", ()):
        if one["name"] == "next":
            following = one["valueString"]
        else:
            openings.append({p["name"]: next(v for k, v in p.items() if k.startswith("value")) for p in one["part"]})
    return openings, following


def waiting(world):
    return [one["consent"]["reference"].partition("/")[2] for one in queue(world)[0]]


def events(world, who, operation, of="camille"):
    path = f"/AuditEvent?patient={world.ids[of]}&subtype=urn:habilis:operation|{operation}&_count=50"
    return [entry["resource"] for entry in world.get(who, path).get_json().get("entry", ())]


class TestQueue:
    """P6.5: the auditor sees what waits, over all spaces, the overdue first, and no more than the act needs."""

    def test_it_says_who_where_when_and_by_when(self, ward):
        id_ = break_glass(ward)
        ((opening,), following) = queue(ward)
        assert following == ""
        assert opening == {
            "consent": {"reference": f"Consent/{id_}"},
            "patient": {"reference": f"Patient/{ward.ids['camille']}"},
            "professional": {"reference": f"Practitioner/{ward.ids['awa']}", "display": "awa"},
            "establishment": {"reference": f"Organization/{ward.ids['chu']}", "display": "chu"},
            "openedAt": "2026-03-02T09:00:00.000Z",
            "due": "2026-03-05T09:00:00.000Z",
            "state": "pending",
            "contested": False,
        }

    def test_neither_the_reason_nor_a_document_is_in_it(self, ward):
        document = ward.publish()
        break_glass(ward, why="overdose, see the letter of the psychiatrist")
        ward.get("awa-btg", f"/DocumentReference/{document}")
        answer = ward.get("dana", "/Consent/$review-queue").get_data(as_text=True)
        assert "overdose" not in answer
        assert document not in answer
        assert "DocumentReference" not in answer

    def test_time_alone_makes_it_overdue(self, ward, clock):
        break_glass(ward)
        clock.advance(hours=72, microseconds=-1)
        assert queue(ward)[0][0]["state"] == "pending"
        clock.advance(microseconds=1)
        assert queue(ward)[0][0]["state"] == "overdue"

    def test_of_all_spaces_the_one_due_first_comes_first(self, ward, clock):
        ward.patient("zora", "284039999900999")
        first = break_glass(ward)
        clock.advance(hours=70)
        second = break_glass(ward, of="zora")
        clock.advance(hours=3)
        assert waiting(ward) == [first, second]
        assert [one["state"] for one in queue(ward)[0]] == ["overdue", "pending"]

    def test_it_comes_in_pages(self, ward, clock):
        ids = []
        for _ in range(5):
            ids.append(break_glass(ward))
            clock.advance(hours=25)
        seen, sizes, cursor = [], [], ""
        while not sizes or cursor:
            openings, cursor = queue(ward, more=f"&page={cursor}" if cursor else "", count=2)
            seen += [one["consent"]["reference"].partition("/")[2] for one in openings]
            sizes.append(len(openings))
        assert seen == ids
        assert sizes == [2, 2, 1]

    def test_the_page_of_another_caller_does_not_open(self, ward, clock):
        staff(ward, "dora")
        for _ in range(2):
            break_glass(ward)
            clock.advance(hours=25)
        cursor = ward.get("dana", "/Consent/$review-queue?count=1").get_json()["parameter"][-1]["valueString"]
        assert ward.get("dora", f"/Consent/$review-queue?count=1&page={cursor}").status_code == 400

    @pytest.mark.parametrize("count", ["0", "-1", "101"])
    def test_a_count_out_of_its_range_is_refused(self, ward, count):
        answer = ward.get("dana", f"/Consent/$review-queue?count={count}")
        assert answer.status_code == 400
        assert "`count` is a number from 1 to 100" in answer.get_data(as_text=True)

    @pytest.mark.parametrize("count", ["", "-", "--1", "x", "1e2", "1.0", "²", "9" * 5000])
    def test_a_count_that_is_none_is_refused(self, ward, count):
        answer = ward.get("dana", f"/Consent/$review-queue?count={count}")
        assert answer.status_code == 400
        assert "`count` takes an integer" in answer.get_data(as_text=True)

    def test_a_regulation_of_a_call_is_not_in_it(self, ward):
        call(ward, "roux-samu", "regulation-access", body=reason("call 42"))
        assert queue(ward) == ([], "")

    @holds("F2", "F8")
    def test_one_that_was_not_opened_is_not_in_it(self, ward):
        ward.agree("camille", "awa", "deny")
        assert call(ward, "awa-btg", "break-glass", body=reason()).status_code == 403
        assert queue(ward) == ([], "")

    @holds("H8")
    def test_looking_is_traced_in_every_space_that_it_shows(self, ward):
        """P9.1: the auditor's own search is in the patient's journal."""
        ward.patient("zora", "284039999900999")
        ward.patient("lena", "284039999900888")
        id_ = break_glass(ward)
        break_glass(ward, of="zora")
        queue(ward)
        for who in ("camille", "zora"):
            (event,) = events(ward, who, "review-queue", who)
            assert "a consulté les ouvertures en urgence à contrôler" in event["text"]["div"]
        assert f"Consent/{id_}" in str(events(ward, "camille", "review-queue"))
        assert f"Consent/{id_}" not in str(events(ward, "zora", "review-queue", "zora"))
        assert events(ward, "lena", "review-queue", "lena") == []

    @holds("AC49")
    def test_without_its_trace_it_is_not_answered(self, ward, monkeypatch):
        break_glass(ward)

        def failing(_change):
            raise StoreUnavailable("no room")

        monkeypatch.setattr(ward.runtime.ports.store, "commit", failing)
        assert ward.get("dana", "/Consent/$review-queue").status_code == 503

    @pytest.mark.parametrize("who", ["camille", "nour", "awa-btg", "chu-ehr", "oscar"])
    def test_it_is_for_auditors(self, ward, who):
        before = ward.get(who, "/Consent/$review-queue")
        assert before.status_code == 403
        break_glass(ward)
        assert ward.get(who, "/Consent/$review-queue").data == before.data

    def test_a_scope_is_needed(self, ward):
        staff(ward, "poor", scopes="user/AuditEvent.rs")
        assert refusal(ward.get("poor", "/Consent/$review-queue"))[0] == 403


class TestOneFile:
    def test_an_auditor_reads_the_reason_that_was_stated_and_leaves_a_trace(self, ward):
        id_ = break_glass(ward, why="found unconscious")
        assert status(ward, id_)["reason"] == "found unconscious"
        (event,) = events(ward, "camille", "review-status")
        assert "Dana a consulté le contrôle d’une ouverture en urgence" in event["text"]["div"]

    def test_the_holder_sees_how_it_stands_and_not_the_comment(self, ward):
        id_ = break_glass(ward)
        assert status(ward, id_, "camille")["state"] == "pending"
        review(ward, id_, "not-justified", comment="no sign of danger")
        seen = status(ward, id_, "camille")
        assert seen["state"] == "not-justified"
        assert "comment" not in seen
        assert status(ward, id_)["comment"] == "no sign of danger"

    @pytest.mark.parametrize("who", ["nour", "awa-btg", "martin", "chu-ehr", "oscar", "zora"])
    @pytest.mark.parametrize("operation", ["review-emergency", "contest-emergency"])
    def test_anybody_else_gets_what_an_unknown_id_gets(self, ward, who, operation):
        """AC20: the person who opened the space too, and another patient."""
        ward.patient("zora", "284039999900999")
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        id_ = break_glass(ward)
        given = {"outcome": "justified"} if operation == "review-emergency" else {}
        for asked, sent in ((operation, given), ("review-status", {})):
            known, unknown = ask(ward, who, id_, asked, **sent), ask(ward, who, UNKNOWN, asked, **sent)
            assert known.status_code == unknown.status_code == 404
            assert known.data == unknown.data
        assert status(ward, id_)["state"] == "pending"

    def test_another_consent_is_no_opening(self, ward):
        id_ = ward.agree("camille", "nour").get_json()["id"]
        for who in ("dana", "camille"):
            assert ward.get(who, f"/Consent/{id_}/$review-status").status_code == 404
        assert review(ward, id_).status_code == 404
        assert contest(ward, id_).status_code == 404

    def test_what_is_kept_is_a_task_and_no_door_leads_to_it(self, ward):
        """https://hl7.org/fhir/R4/task.html; its id is that of the Consent."""
        id_ = break_glass(ward)
        contest(ward, id_)
        review(ward, id_, "disciplinary", comment="see the file of the employer")
        with ward.runtime.ports.store.snapshot() as snapshot:
            whole = all_of(ward.ids["camille"])
            bodies = [json.loads(stored.body) for stored in snapshot.history("Task", id_, whole)]
        assert [check(body) for body in bodies] == [[], [], []]
        assert [body["status"] for body in bodies] == ["completed", "requested", "requested"]
        for who in ("dana", "camille", "awa-btg"):
            assert ward.get(who, f"/Task/{id_}").status_code == 404
            assert ward.get(who, f"/Task?patient={ward.ids['camille']}").status_code == 404


class TestReview:
    """G8: once, by an auditor, told in the same commit."""

    @pytest.mark.parametrize(
        ("outcome", "words"),
        [
            ("justified", "l’accès était justifié."),
            ("not-justified", "l’accès n’était pas justifié."),
            ("disciplinary", "et des suites disciplinaires sont engagées."),
        ],
    )
    def test_closes_the_file_and_tells_the_holder(self, ward, clock, outcome, words):
        id_ = break_glass(ward)
        clock.advance(hours=80)
        answer = told(review(ward, id_, outcome))
        assert (answer["state"], answer["reviewedAt"]) == (outcome, "2026-03-05T17:00:00.000Z")
        assert queue(ward) == ([], "")
        opening, notice = notices_of(ward)
        assert kinds([opening, notice]) == ["break-glass", "emergency-reviewed"]
        assert notice["extension"] == [{"url": "urn:habilis:review-outcome", "valueCode": outcome}]
        assert {"reference": f"Consent/{id_}"} in notice["about"]
        assert {"reference": f"Consent/{id_}"} in opening["about"]
        text = notice["payload"][0]["contentString"]
        assert words in text
        assert "par awa (chu) a été contrôlée. L’accès date du 02/03/2026 à 09:00 UTC" in text
        assert check(notice) == []

    def test_the_comment_is_told_to_nobody_else(self, ward):
        id_ = break_glass(ward)
        review(ward, id_, comment="the neighbour was heard")
        camille = ward.ids["camille"]
        for path in (
            f"/Communication?patient={camille}",
            f"/AuditEvent?patient={camille}",
            f"/Consent?patient={camille}",
        ):
            assert "neighbour" not in ward.get("camille", path).get_data(as_text=True)

    def test_a_second_one_is_refused_with_the_reason(self, ward):
        id_ = break_glass(ward)
        review(ward, id_)
        answer = review(ward, id_, "disciplinary")
        assert refusal(answer)[:2] == (422, "already-reviewed")
        assert status(ward, id_)["state"] == "justified"
        assert sorted(kinds(notices_of(ward))) == ["break-glass", "emergency-reviewed"]

    def test_nobody_reviews_the_own_access(self, ward):
        """An auditor who is a physician too breaks the glass: not in the own queue, not to be looked at or judged."""
        staff(ward, "awa-audits", person=f"Practitioner/{ward.ids['awa']}")
        id_ = break_glass(ward)
        assert queue(ward, "awa-audits") == ([], "")
        assert refusal(review(ward, id_, who="awa-audits"))[:2] == (403, "own-opening")
        assert refusal(ward.get("awa-audits", f"/Consent/{id_}/$review-status"))[:2] == (403, "own-opening")
        assert waiting(ward) == [id_]

    @pytest.mark.parametrize("outcome", ["", "fine", "pending", "overdue", "JUSTIFIED"])
    def test_an_unknown_outcome_is_named(self, ward, outcome):
        id_ = break_glass(ward)
        answer = review(ward, id_, outcome)
        assert answer.status_code == 400
        assert status(ward, id_)["state"] == "pending"

    def test_without_an_outcome_it_is_refused(self, ward):
        answer = ask(ward, "dana", break_glass(ward), "review-emergency", comment="x")
        assert answer.status_code == 400
        assert "the parameter `outcome` is required" in answer.get_data(as_text=True)

    def test_without_the_notice_nothing_is_closed(self, ward, monkeypatch):
        id_ = break_glass(ward)
        commit = ward.runtime.ports.store.commit

        def failing(change):
            if any(write.after.type == "Communication" for write in change.writes):
                raise StoreUnavailable("no room")
            commit(change)

        with monkeypatch.context() as broken:
            broken.setattr(ward.runtime.ports.store, "commit", failing)
            assert review(ward, id_).status_code == 503
        assert waiting(ward) == [id_]

    def test_of_two_at_the_same_moment_one_wins(self, ward, monkeypatch):
        staff(ward, "dora")
        id_ = break_glass(ward)
        commit, rivals = ward.runtime.ports.store.commit, ["not-justified"]

        def beaten(change):
            if rivals and any(write.after.type == "Task" for write in change.writes):
                assert review(ward, id_, rivals.pop(), who="dora").status_code == 200
            commit(change)

        monkeypatch.setattr(ward.runtime.ports.store, "commit", beaten)
        assert refusal(review(ward, id_))[:2] == (422, "already-reviewed")
        assert status(ward, id_)["state"] == "not-justified"
        assert sorted(kinds(notices_of(ward))) == ["break-glass", "emergency-reviewed"]

    def test_it_is_traced_with_the_space(self, ward):
        id_ = break_glass(ward)
        review(ward, id_)
        (event,) = events(ward, "camille", "review-emergency")
        assert "Dana a contrôlé une ouverture en urgence. Fondement : audit." in event["text"]["div"]
        assert f"Consent/{id_}" in str(event["entity"])

    @pytest.mark.parametrize("move", ["close-space", "block"])
    def test_it_goes_on_whatever_the_holder_does_with_the_space(self, ward, move):
        id_ = break_glass(ward)
        if move == "block":
            ward.agree("camille", "awa", "deny")
        else:
            assert call(ward, "camille", move).status_code == 200
        assert waiting(ward) == [id_]
        assert review(ward, id_, "not-justified").status_code == 200
        assert "emergency-reviewed" in kinds(notices_of(ward))

    def test_it_goes_on_when_the_holder_ends_the_opening(self, ward):
        id_ = break_glass(ward)
        consent = ward.get("camille", f"/Consent/{id_}").get_json()
        assert ward.send("camille", "PUT", f"/Consent/{id_}", consent | {"status": "inactive"}).status_code == 200
        assert waiting(ward) == [id_]

    def test_an_erasure_destroys_the_file(self, ward):
        id_ = break_glass(ward)
        call(
            ward,
            "camille",
            "close-space",
            body={"resourceType": "Parameters", "parameter": [{"name": "erase", "valueBoolean": True}]},
        )
        assert waiting(ward) == [id_]
        assert call(ward, "keeper", "erase-space").status_code == 200
        assert queue(ward) == ([], "")
        assert review(ward, id_).status_code == 404

    def test_the_opener_sees_no_difference(self, ward):
        """The Consent that the professional reads is the same before and after the contest and the review."""
        id_ = break_glass(ward)
        before = ward.get("awa-btg", f"/Consent/{id_}").data
        contest(ward, id_)
        assert ward.get("awa-btg", f"/Consent/{id_}").data == before
        review(ward, id_, "disciplinary")
        assert ward.get("awa-btg", f"/Consent/{id_}").data == before

    def test_the_declared_physician_is_told_no_outcome(self, ward):
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        review(ward, break_glass(ward))
        assert kinds(notices_of(ward, "martin")) == ["break-glass"]


class TestContest:
    """F9 of the needs: the patient contests, and the access comes first in the queue."""

    @holds("F9")
    def test_comes_first(self, ward, clock):
        first = break_glass(ward)
        clock.advance(hours=80)
        second = break_glass(ward)
        assert waiting(ward) == [first, second]
        answer = told(contest(ward, second))
        assert (answer["state"], answer["contested"]) == ("pending", True)
        assert waiting(ward) == [second, first]
        assert [one["contested"] for one in queue(ward)[0]] == [True, False]

    def test_twice_is_once(self, ward, clock):
        id_ = break_glass(ward)
        contest(ward, id_)
        assert status(ward, id_)["contestedAt"] == "2026-03-02T09:00:00.000Z"
        clock.advance(hours=1)
        assert told(contest(ward, id_))["contestedAt"] == "2026-03-02T09:00:00.000Z"

    def test_after_the_review_it_is_too_late(self, ward):
        id_ = break_glass(ward)
        review(ward, id_)
        assert refusal(contest(ward, id_))[:2] == (422, "already-reviewed")

    def test_no_professional_learns_of_it(self, ward):
        """AC12, AC18: neither who opened the space nor the declared physician, from no trace and no notice."""
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        id_ = break_glass(ward)

        def seen(who):
            camille = ward.ids["camille"]
            paths = (
                f"/AuditEvent?patient={camille}&_count=100",
                f"/Communication?patient={camille}",
                f"/Consent/{id_}",
            )
            return "".join(ward.get(who, path).get_data(as_text=True) for path in paths)

        contest(ward, id_)
        status(ward, id_, "camille")
        for who in ("awa-btg", "martin"):
            assert "contest" not in seen(who)
            assert "review-status" not in seen(who)
        assert len(events(ward, "camille", "contest-emergency")) == 1

    def test_a_token_for_another_patient_may_not(self, ward):
        """AC20: whatever the person may do, a scope of one patient reaches no other."""
        id_ = break_glass(ward)
        own = caller_of(ward.runtime, f"Bearer {ward.tokens['camille']}", Origin("127.0.0.1"))
        elsewhere = replace(own, granted=replace(own.granted, launch_patient=UNKNOWN))
        for use in (break_glass_reviews.contest, break_glass_reviews.look):
            with pytest.raises(Problem) as refused:
                use(ward.runtime, elsewhere, id_)
            assert refused.value.category is Category.NOT_FOUND

    def test_a_reading_app_may_not(self, ward):
        id_ = break_glass(ward)
        camille = ward.ids["camille"]
        account = Account("camille", RequesterKind.PATIENT, f"Patient/{camille}", "camille", subject="camille")
        app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
        ward.tokens["reader"] = ward.mint(client=app, account=account, scopes="patient/*.rs", launch_patient=camille)
        assert contest(ward, id_, "reader").status_code == 403
        assert status(ward, id_, "reader")["contested"] is False
