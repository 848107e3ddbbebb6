"""The life of a space over HTTP: who may call what, each illegal change with its reason, everything traced.

Source: https://hl7.org/fhir/R4/operations.html; R.1111-28 and R.1111-36 of the French public health code (A1 to A14).
"""

from itertools import product

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.events.kinds import EventKind
from tests.holds import holds
from tests.http.notices import kinds
from tests.http.spaces import UNKNOWN, announce, call, parent, refusal, sign_in, status, told
from tests.http.test_reviews import staff
from tests.world import World

HOLDER_STEPS = ("close-space", "open-space", "request-erasure", "oppose-space")
KEEPER_STEPS = ("suspend-space", "erase-space", "record-death")


def resources(world, who, path):
    answer = world.get(who, path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


class TestOpening:
    """A1 to A3: a space opens six weeks after the notice, unless somebody who may opposes."""

    @holds("A1")
    def test_an_announced_space_opens_at_its_term_by_itself(self, world, clock):
        answer = announce(world)
        assert answer.status_code == 201
        assert answer.headers["Location"].endswith(f"/Patient/{world.ids['new']}/_history/1")
        stands = told(world.get("new", f"/Patient/{world.ids['new']}/$space-status"))
        assert stands == {
            "status": "announced",
            "since": "2026-03-02T09:00:00.000Z",
            "until": "2026-04-13T09:00:00.000Z",
        }
        clock.advance(weeks=6)
        assert status(world, "new", "new") == "active"
        assert told(world.get("new", f"/Patient/{world.ids['new']}/$space-status"))["since"] == stands["until"]

    def test_the_announcement_is_a_notice_that_the_holder_reads_before_the_space_opens(self, world):
        announce(world)
        found = world.get("new", f"/Communication?patient={world.ids['new']}").get_json()["entry"]
        assert [e["resource"]["category"][0]["coding"][0]["code"] for e in found] == ["space-announced"]

    @holds("A6")
    def test_an_opposition_yields_its_proof(self, world):
        """A6."""
        announce(world)
        proof = told(call(world, "new", "oppose-space", "new"))
        assert proof["status"] == "opposed"
        notice = world.get("new", f"/{proof['notice']['reference']}").get_json()
        assert "la preuve" in notice["payload"][0]["contentString"]

    @holds("A1")
    def test_an_opposed_space_never_opens_by_itself_and_may_be_asked_for_later(self, world, clock):
        announce(world)
        call(world, "new", "oppose-space", "new")
        clock.advance(weeks=60)
        assert status(world, "new", "new") == "opposed"
        assert told(call(world, "new", "open-space", "new"))["status"] == "active"

    def test_an_opposition_comes_too_late_once_the_space_is_open(self, world):
        code = refusal(call(world, "camille", "oppose-space"))
        assert code == (
            422,
            "illegal-transition",
            "the present state of the space does not allow this: a space cannot change from active to opposed (rule A)",
        )

    @holds("A3")
    def test_nobody_opens_before_the_term(self, world):
        announce(world)
        assert refusal(call(world, "new", "open-space", "new"))[:2] == (422, "too-early")

    def test_an_opposition_by_post_is_recorded_by_the_keeper(self, world):
        announce(world)
        assert told(call(world, "keeper", "oppose-space", "new"))["status"] == "opposed"

    def test_only_the_keeper_announces(self, world):
        for who in ("camille", "nour"):
            assert announce(world, who=who).status_code == 403

    def test_a_bad_identity_is_refused_with_its_element(self, world):
        answer = world.send("keeper", "POST", "/Patient/$announce-space", {"resourceType": "Patient", "gender": "x"})
        assert answer.status_code == 400
        assert answer.get_json()["issue"][0]["expression"] == ["Patient.gender"]
        nested = {
            "resourceType": "Parameters",
            "parameter": [{"name": "patient", "resource": {"resourceType": "Patient", "gender": "x"}}],
        }
        answer = world.send("keeper", "POST", "/Patient/$announce-space", nested)
        assert answer.status_code == 400
        assert "parameter[0].resource.gender" in answer.get_json()["issue"][0]["expression"][0]


class TestClosing:
    """A7, A10, A13: the holder closes at any time, nobody reads from then on, and may open again."""

    @holds("A7", "A10", "A13", "R.1111-36")
    def test_closing_and_opening_again(self, world):
        document = world.publish()
        assert told(call(world, "camille", "close-space"))["status"] == "closed"
        path = f"/DocumentReference?patient={world.ids['camille']}"
        assert world.get("camille", path).status_code == 403
        assert world.get("camille", f"/DocumentReference/{document}").status_code == 404
        assert world.send("chu-ehr", "POST", "", world.bundle()).status_code == 403
        assert told(call(world, "camille", "open-space"))["status"] == "active"
        assert world.found("camille", path) == [document]

    def test_a_closed_space_tells_until_when_it_is_archived(self, world):
        stands = told(call(world, "camille", "close-space"))
        assert stands["until"] == "2036-03-02T09:00:00.000Z"

    def test_both_acts_are_in_the_journal(self, world):
        call(world, "camille", "close-space")
        call(world, "camille", "open-space")
        events = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_sort=date").get_json()["entry"]
        told_of = [e["resource"]["text"]["div"] for e in events]
        assert any("a clos l’espace" in text for text in told_of)
        assert any("a ouvert l’espace" in text for text in told_of)

    @holds("A13")
    def test_professionals_are_told_nothing_of_it(self, world):
        world.agree("camille", "chu")
        unknown = world.get("nour", f"/DocumentReference?patient={UNKNOWN}").data
        call(world, "camille", "close-space")
        assert world.get("nour", f"/DocumentReference?patient={world.ids['camille']}").data == unknown


class TestSuspension:
    """A11: suspended by the keeper, closed after six weeks unless somebody opens it."""

    @holds("A11", "R.1111-36")
    def test_nobody_reads_while_it_is_suspended(self, world, clock):
        stands = told(call(world, "keeper", "suspend-space"))
        assert (stands["status"], stands["until"]) == ("suspended", "2026-04-13T09:00:00.000Z")
        assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403
        clock.advance(weeks=6)
        assert status(world) == "closed"

    def test_the_holder_is_told(self, world):
        notice = told(call(world, "keeper", "suspend-space"))["notice"]["reference"]
        assert world.get("camille", f"/{notice}").status_code == 200

    @holds("A11")
    @pytest.mark.parametrize("who", ["camille", "keeper"])
    def test_holder_and_keeper_lift_it(self, world, who):
        call(world, "keeper", "suspend-space")
        assert told(call(world, who, "open-space"))["status"] == "active"

    def test_the_keeper_opens_no_space_that_the_holder_closed(self, world):
        call(world, "camille", "close-space")
        assert refusal(call(world, "keeper", "open-space"))[:2] == (403, "not-entitled")


class TestErasure:
    """A8, A9, A12: asked for by the holder, done by the keeper, beyond recovery."""

    @holds("A9", "R.1111-36")
    def test_it_is_asked_for_with_the_closing_or_later(self, world):
        closing = {"resourceType": "Parameters", "parameter": [{"name": "erase", "valueBoolean": True}]}
        first = told(call(world, "camille", "close-space", body=closing))
        assert (first["erasureAskedAt"], first["until"]) == ("2026-03-02T09:00:00.000Z", "2026-06-02T09:00:00.000Z")
        call(world, "camille", "open-space")
        assert "erasureAskedAt" not in told(call(world, "camille", "close-space"))
        assert told(call(world, "camille", "request-erasure"))["until"] == "2026-06-02T09:00:00.000Z"

    def test_a_closing_that_asks_for_the_erasure_is_told_as_both(self, world):
        closing = {"resourceType": "Parameters", "parameter": [{"name": "erase", "valueBoolean": True}]}
        report = told(call(world, "camille", "close-space", body=closing))
        call(world, "camille", "open-space")
        path = f"?patient={world.ids['camille']}"
        closed = [e for e in resources(world, "camille", f"/AuditEvent{path}") if "close-space" in str(e["subtype"])]
        assert [kind_of_event(event) for event in closed] == [EventKind.SPACE_CLOSED_FOR_ERASURE]
        assert "a clos l’espace et demandé son effacement" in closed[0]["text"]["div"]
        notices = resources(world, "camille", f"/Communication{path}")
        assert sorted(kinds(notices)) == ["space-closed", "space-erasure-asked", "space-opened"]
        assert report["notice"]["reference"] == f"Communication/{notices[kinds(notices).index('space-closed')]['id']}"

    @pytest.mark.parametrize("operation", ["request-erasure", "erase-space"])
    def test_no_auditor_learns_that_the_patient_wanted_it(self, world, operation):
        """H4."""
        staff(world, "ann")
        assert call(world, "camille", operation).status_code in (403, 422)
        seen = resources(world, "ann", f"/AuditEvent?patient={world.ids['camille']}")
        assert [event for event in seen if operation in str(event["subtype"])] == []

    def test_asking_twice_does_not_prolong(self, world, clock):
        call(world, "camille", "close-space")
        first = told(call(world, "camille", "request-erasure"))
        clock.advance(days=10)
        assert told(call(world, "camille", "request-erasure"))["until"] == first["until"]

    def test_an_open_space_is_not_erased(self, world):
        assert refusal(call(world, "camille", "request-erasure"))[:2] == (422, "illegal-transition")
        assert refusal(call(world, "keeper", "erase-space"))[:2] == (422, "illegal-transition")

    def test_before_the_archive_ends_somebody_must_have_asked(self, world):
        call(world, "camille", "close-space")
        assert refusal(call(world, "keeper", "erase-space"))[:2] == (422, "too-early")

    def test_the_keys_are_destroyed_and_nothing_is_left(self, world, settings):
        document = world.publish()
        call(world, "camille", "close-space")
        call(world, "camille", "request-erasure")
        patient = world.ids["camille"]
        assert told(call(world, "keeper", "erase-space"))["status"] == "erased"
        store = world.runtime.ports.store
        with store.snapshot() as snapshot:
            assert snapshot.locate("DocumentReference", document) is None
            assert snapshot.locate("Patient", patient) is None
        assert not [
            path for path in (settings.data_dir / "contents").rglob("*") if path.is_file() and path.name[0] != "."
        ]
        assert world.get("camille", f"/DocumentReference/{document}").status_code == 404
        assert refusal(call(world, "camille", "open-space"))[:2] == (403, "erased")
        assert call(world, "keeper", "erase-space").status_code == 404

    @holds("A8")
    def test_the_archive_ends_by_itself_and_the_keeper_cleans_up(self, world, clock):
        call(world, "camille", "close-space")
        clock.advance(days=3653)
        world.software("keeper", "system/*.cruds")  # the tokens of the others have ended by then
        assert told(call(world, "keeper", "erase-space"))["status"] == "erased"

    @holds("A10")
    def test_the_person_may_have_a_new_space_afterwards(self, world):
        """A10: the national identifier names nobody any more."""
        call(world, "camille", "close-space")
        call(world, "camille", "request-erasure")
        call(world, "keeper", "erase-space")
        assert announce(world, ins="284039999900148").status_code == 201

    def test_a_crash_after_the_keys_went_is_finished_by_asking_again(self, world):
        call(world, "camille", "close-space")
        call(world, "camille", "request-erasure")
        world.runtime.ports.store._keyring.destroy(world.ids["camille"])
        assert told(call(world, "keeper", "erase-space"))["status"] == "erased"
        with world.runtime.ports.store.snapshot() as snapshot:
            assert snapshot.locate("Patient", world.ids["camille"]) is None


class TestDeath:
    """A14: a death closes the space for good."""

    @holds("A14")
    def test_the_space_closes_and_nobody_opens_it(self, world):
        stands = told(call(world, "keeper", "record-death"))
        assert (stands["status"], stands["deceased"]) == ("closed", True)
        assert refusal(call(world, "camille", "open-space"))[:2] == (422, "illegal-transition")
        assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403

    def test_an_announced_space_never_opens(self, world, clock):
        announce(world)
        assert told(call(world, "keeper", "record-death", "new"))["status"] == "opposed"
        clock.advance(weeks=20)
        assert status(world, "keeper", "new") == "opposed"

    def test_recording_it_twice_changes_nothing(self, world):
        first = told(call(world, "keeper", "record-death"))
        again = told(call(world, "keeper", "record-death"))
        assert again == {name: value for name, value in first.items() if name != "notice"}


class TestChildren:
    """B3: for a child the legal representatives decide; each is told, and sees an opposition by the other."""

    @pytest.fixture
    def family(self, world: World) -> World:
        announce(world, "leo", "121039999900148", "2021-03-01")
        parent(world, "marc", "leo")
        parent(world, "claire", "leo")
        return world

    @holds("B3")
    def test_either_parent_opposes_and_the_other_sees_it(self, family):
        assert told(call(family, "marc", "oppose-space", "leo"))["status"] == "opposed"
        assert status(family, "claire", "leo") == "opposed"
        found = family.get("claire", f"/Communication?patient={family.ids['leo']}&_sort=sent").get_json()["entry"]
        kinds = [e["resource"]["category"][0]["coding"][0]["code"] for e in found]
        assert sorted(kinds) == ["space-announced", "space-opposed"]

    def test_both_parents_are_addressed(self, family):
        notice = told(call(family, "marc", "oppose-space", "leo"))["notice"]["reference"]
        recipients = {r["reference"] for r in family.get("claire", f"/{notice}").get_json()["recipient"]}
        assert recipients == {f"Patient/{family.ids['leo']}"} | {
            f"RelatedPerson/{family.ids[name]}" for name in ("marc", "claire")
        }

    @holds("B3")
    def test_the_child_is_too_young_to_decide(self, family):
        assert refusal(call(family, "leo", "oppose-space", "leo"))[:2] == (403, "too-young")

    def test_a_parent_decides_no_more_once_the_child_is_of_age(self, family, clock):
        clock.advance(days=366 * 18)
        sign_in(family, "marc", "leo", RequesterKind.RELATED)
        sign_in(family, "leo", "leo")
        assert call(family, "marc", "close-space", "leo").status_code == 403
        assert told(call(family, "leo", "close-space", "leo"))["status"] == "closed"

    @holds("B3", "AC31")
    def test_a_stranger_decides_nothing(self, family):
        for step in HOLDER_STEPS:
            assert call(family, "camille", step, "leo").status_code == 403


class TestWhoMayCall:
    @pytest.mark.parametrize(("who", "step"), [*product(["nour", "zoe", "chu-ehr"], (*HOLDER_STEPS, *KEEPER_STEPS))])
    def test_no_professional_and_no_other_software(self, world, who, step):
        answer = call(world, who, step)
        assert answer.status_code in {403, 404}
        assert call(world, who, step, UNKNOWN).data == answer.data
        assert status(world) == "active"

    @pytest.mark.parametrize("step", KEEPER_STEPS)
    def test_the_holder_does_not_what_is_the_keepers(self, world, step):
        assert refusal(call(world, "camille", step))[:2] == (403, "not-entitled")

    @pytest.mark.parametrize("step", ["close-space", "request-erasure"])
    def test_the_keeper_does_not_what_is_the_holders(self, world, step):
        assert refusal(call(world, "keeper", step))[:2] == (403, "not-entitled")

    def test_a_token_without_the_scope_changes_nothing(self, world):
        app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
        represented = RepresentedPatient(world.ids["camille"], f"Patient/{world.ids['camille']}", "camille")
        account = Account("c", RequesterKind.PATIENT, represented.person, "c", patients=(represented,), subject="c")
        world.tokens["reader"] = world.mint(
            client=app, account=account, scopes="patient/*.rs", launch_patient=world.ids["camille"]
        )
        assert call(world, "reader", "close-space").status_code == 403
        assert status(world, "reader") == "active"

    def test_refused_attempts_are_in_the_holders_journal(self, world):
        call(world, "nour", "close-space")
        found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&outcome=4").get_json()["entry"]
        assert "nour" in found[0]["resource"]["text"]["div"]
        assert "a demandé à clore l’espace : refusé" in found[0]["resource"]["text"]["div"]


class TestAsking:
    """How operations are asked: Parameters, each fault named, nothing done when there is one."""

    @pytest.mark.parametrize(
        ("body", "expression"),
        [
            ({"resourceType": "Patient"}, "Parameters.resourceType"),
            (
                {"resourceType": "Parameters", "parameter": [{"name": "x", "valueBoolean": True}]},
                "Parameters.parameter[0].name",
            ),
            (
                {"resourceType": "Parameters", "parameter": [{"name": "erase", "valueString": "yes"}]},
                "Parameters.parameter[0]",
            ),
            (
                {
                    "resourceType": "Parameters",
                    "parameter": [{"name": "erase", "valueBoolean": True}, {"name": "erase", "valueBoolean": False}],
                },
                "Parameters.parameter[1].name",
            ),
        ],
    )
    def test_a_faulty_body_is_named_and_changes_nothing(self, world, body, expression):
        answer = call(world, "camille", "close-space", body=body)
        assert answer.status_code == 400
        assert answer.get_json()["issue"][0]["expression"] == [expression]
        assert status(world) == "active"

    def test_a_query_parameter_that_is_none_is_named(self, world):
        answer = world.get("camille", f"/Patient/{world.ids['camille']}/$space-status?x=1")
        assert answer.status_code == 400

    def test_what_changes_something_is_not_asked_by_get(self, world):
        answer = world.get("camille", f"/Patient/{world.ids['camille']}/$close-space")
        assert answer.status_code == 405
        assert status(world) == "active"

    def test_xml_is_answered_and_taken(self, world):
        part = b'<parameter><name value="erase"/><valueBoolean value="true"/></parameter>'
        body = b'<Parameters xmlns="http://hl7.org/fhir">' + part + b"</Parameters>"
        answer = world.send(
            "camille",
            "POST",
            f"/Patient/{world.ids['camille']}/$close-space",
            body,
            "application/fhir+xml",
            Accept="application/fhir+xml",
        )
        assert answer.status_code == 200
        assert b"<Parameters" in answer.data
        assert b'<valueCode value="closed"' in answer.data

    def test_an_unknown_operation_is_not_found(self, world):
        assert call(world, "camille", "burn-space").status_code == 404

    def test_no_transaction_runs_one_that_changes_something(self, world):
        """It could not be undone with the other entries."""
        entry = {"request": {"method": "POST", "url": f"Patient/{world.ids['camille']}/$close-space"}}
        answer = world.send("camille", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        assert answer.status_code == 400
        assert status(world) == "active"

    @pytest.mark.parametrize("who", ["nour", "martin", "chu-ehr", "other-ehr"])
    def test_a_batch_runs_one_only_for_whom_it_runs_alone(self, world, who):
        """Each entry is decided and traced as alone: only the holder closes the space, and she reads who tried."""
        world.agree("camille", "martin")
        refusals = f"/AuditEvent?patient={world.ids['camille']}&outcome=4&_summary=count"
        before = world.get("camille", refusals).get_json()["total"]
        alone = call(world, who, "close-space")
        told_alone = world.get("camille", refusals).get_json()["total"] - before
        bundle = {"resourceType": "Bundle", "type": "batch"}
        url = {"request": {"method": "POST", "url": f"Patient/{world.ids['camille']}/$close-space"}}
        (entry,) = world.send(who, "POST", "", bundle | {"entry": [url]}).get_json()["entry"]
        assert entry["response"]["status"][:3] == str(alone.status_code)
        assert entry["response"]["outcome"]["issue"] == alone.get_json()["issue"]
        assert alone.status_code in (403, 404)
        assert world.get("camille", refusals).get_json()["total"] == before + 2 * told_alone
        assert status(world) == "active"
        (entry,) = world.send("camille", "POST", "", bundle | {"entry": [url]}).get_json()["entry"]
        assert entry["response"]["status"] == "200 OK"
        assert entry["resource"]["resourceType"] == "Parameters"
        assert status(world) == "closed"
