"""Contests tell nobody of a secret, undo nobody else's contest, and suspend nobody who has declared nothing.

Source: statements V8, V13 and V22 of docs/rules.md; rules B6 and B10; docs/adr/0099.
"""

import pytest

from fhir_server.application.core.ceilings import supervising
from fhir_server.application.identity import accounts
from tests.adversarial.households import (
    MARK,
    SECRET,
    about,
    consult_in_secret,
    declare,
    household,
    notice,
    notices,
    read,
    trail,
    trail_text,
)
from tests.http.cases import a_case, decide, look, open_as_worker, queued
from tests.http.notices import kinds
from tests.http.spaces import UNKNOWN, call
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_admissions import admit
from tests.http.test_contests import contest, undo
from tests.http.test_invitations import asked
from tests.http.test_reviews import staff
from tests.world import World


@pytest.fixture
def home(world: World) -> World:
    return household(world)


def blocks(world: World, who: str) -> list[str]:
    """Return the blocks in force that somebody finds in Lea's space."""
    found = world.get(who, f"/Consent?patient={world.ids['lea']}&_count=50&status=active").get_json().get("entry", ())
    return [entry["resource"]["id"] for entry in found if entry["resource"]["provision"].get("type") == "deny"]


def is_suspended(world: World, who: str = "awa") -> bool:
    return supervising.is_suspended(world.runtime, f"Practitioner/{world.ids[who]}")


def agree_read_contest(world: World, patient: str, *, declared: bool) -> None:
    """Let Dr Awa in, by the patient's own agreement or on Dr Awa's word; the patient then contests the access."""
    who = "awa" if declared else patient
    assert world.send(who, "POST", "/Consent", about(world, world.consent("awa"), patient)).status_code == 201
    assert read(world, "awa", patient) == 200
    assert contest(world, notice(world, patient, "first-access", patient), patient).status_code == 200


class TestSecrets:
    @BOTH
    def test_a_parents_contest_is_the_same_beside_a_secret_one(self, home: World):
        """The block, taking it back, and the outcome are the parent's own; the teenager's block stays."""
        home.publish(patient="lea")
        declare(home, "awa")
        consult_in_secret(home, "awa")
        assert contest(home, notice(home, "lea", "professional-let-in"), "lea").status_code == 200
        told = notice(home, "marc", "agreement-declared")
        assert blocks(home, "marc") == []

        assert contest(home, told, "marc").status_code == 200
        assert len(blocks(home, "marc")) == 1
        assert undo(home, told, who="marc").status_code == 200
        assert blocks(home, "marc") == []
        assert read(home, "awa") == 403

        contest(home, told, "marc")
        for case in queued(home):
            assert decide(home, case["id"]).status_code == 200
        assert kinds(notices(home, "marc")).count("contest-decided") == 1
        assert kinds(notices(home, "lea")).count("contest-decided") == 2

    @BOTH
    def test_nobody_takes_back_what_somebody_else_contests(self, home: World):
        declare(home, "awa")
        told = notice(home, "marc", "agreement-declared")
        for who in ("marc", "lea"):
            assert contest(home, told, who).status_code == 200
        assert len(queued(home)) == 2
        assert undo(home, told, who="marc").status_code == 200
        assert read(home, "awa") == 403
        assert undo(home, told, who="lea").status_code == 200
        assert read(home, "awa") == 200

    def test_a_code_shown_in_secret_leaves_a_parent_nothing(self, home: World):
        before = len(trail(home, "marc"))
        secret = consult_in_secret(home, "awa")
        assert home.get("awa", f"/DocumentReference/{secret}").status_code == 200
        assert sorted(kinds(notices(home, "lea"))) == ["first-access", "professional-let-in"]
        assert notices(home, "marc") == []
        own = ("RelatedPerson/", f"Patient/{home.ids['lea']}")
        others = [one for one in trail(home, "marc") if not any(who in str(one["agent"]) for who in own)]
        assert len(others) == before
        assert secret not in trail_text(home, "marc")
        assert home.ids["awa"] not in trail_text(home, "marc")

    def test_a_parents_code_names_a_secret_as_it_names_nothing(self, home: World):
        secret = home.publish(patient="lea", marks=(MARK,))
        answers = []
        for id_ in (secret, UNKNOWN):
            body = asked(document=[{"reference": f"DocumentReference/{id_}"}])
            answer = call(home, "marc", "invite", "lea", body)
            answers.append((answer.status_code, answer.text.replace(id_, "")))
        assert answers[0] == answers[1]
        assert secret not in trail_text(home, "marc")


class TestInnocent:
    """V13 speaks of declarations: who has declared nothing is blocked by a contest, and suspended by none."""

    @pytest.mark.parametrize("declared", [False, True])
    def test_two_patients_suspend_only_who_declared(self, home: World, declared):
        for patient in ("camille", "noa"):
            agree_read_contest(home, patient, declared=declared)
            assert read(home, "awa", patient) == 403
        assert {case["rule"] for case in queued(home)} == {"declared-evidence" if declared else "access"}
        assert is_suspended(home) is declared

    def test_one_human_being_who_speaks_for_two_patients_counts_once(self, home: World):
        """Marc contests in his daughter's space and in his own."""
        own = accounts.RepresentedPatient(home.ids["noa"], f"Patient/{home.ids['noa']}", "Marc")
        childs = accounts.RepresentedPatient(home.ids["lea"], f"RelatedPerson/{home.ids['marc']}", "Lea")
        kind = accounts.RequesterKind.PATIENT
        account = accounts.Account("marc", kind, own.person, "Marc", patients=(own, childs), subject="marc")
        accounts.add_account(home.runtime, account, "a long enough password of Marc")
        for patient, who in (("lea", "marc"), ("noa", "noa")):
            declare(home, "awa", patient)
            assert contest(home, notice(home, who, "agreement-declared", patient), who).status_code == 200
        assert not is_suspended(home)
        declare(home, "awa", "camille")
        contest(home, notice(home, "camille", "agreement-declared", "camille"))
        assert is_suspended(home)


class TestAccused:
    """An auditor about whom there is a case learns nothing of it: ids can be computed, and pages can be counted."""

    def test_a_case_about_oneself_is_an_unknown_id(self, home: World):
        staff(home, "awa-audits", person=f"Practitioner/{home.ids['awa']}")
        declare(home, "awa")
        contest(home, notice(home, "lea", "agreement-declared"), "lea")
        (case,) = queued(home)
        for ask in (look, lambda world, id_, who: decide(world, id_, who=who)):
            answers = {
                (one.status_code, one.data) for one in (ask(home, i, "awa-audits") for i in (case["id"], UNKNOWN))
            }
            assert len(answers) == 1
        path = f"/AuditEvent?patient={home.ids['lea']}&agent=Practitioner/{home.ids['awa']}&_count=100"
        assert case["id"] not in home.get("awa-audits", path).text

    def test_a_page_of_the_queue_is_filled_without_it(self, home: World):
        staff(home, "awa-audits", person=f"Practitioner/{home.ids['awa']}")
        open_as_worker(home, a_case(home))
        for who in ("roux", "nour"):
            open_as_worker(home, a_case(home, who=who))
        first = home.get("awa-audits", "/AuditEvent/$case-queue?count=1").get_json()["parameter"]
        assert [one["name"] for one in first] == ["case", "next"]
        place = first[1]["valueString"]
        second = home.get("awa-audits", f"/AuditEvent/$case-queue?count=1&page={place}").get_json()["parameter"]
        assert [one["name"] for one in second] == ["case"]


class TestAdmission:
    @BOTH
    @pytest.mark.parametrize("by", ["Encounter", "Communication"])
    def test_an_admission_is_contested_and_taken_back(self, home: World, by):
        """The establishment is blocked at once, and no contest suspends a hospital."""
        home.publish(patient="lea")
        id_ = admit(home, patient="lea")
        declare(home, "awa")
        declare(home, "martin")
        object_ = id_ if by == "Encounter" else notice(home, "marc", "care-stated")
        assert contest(home, object_, "marc", type_=by).status_code == 200
        assert (read(home, "awa"), read(home, "martin")) == (403, 200)
        (case,) = queued(home)
        assert (case["rule"], case["about"]) == (
            "admission",
            {"reference": f"Organization/{home.ids['chu']}", "display": "chu"},
        )
        events = [one for one in look(home, case["id"]).get_json()["parameter"] if one["name"] == "event"]
        assert events
        assert undo(home, object_, who="marc", type_=by).status_code == 200
        assert read(home, "awa") == 200

    def test_others_contest_no_admission_and_a_secret_one_is_unknown_to_a_parent(self, home: World):
        open_, secret = admit(home, patient="lea"), admit(home, patient="lea", **SECRET)
        unknown = contest(home, UNKNOWN, "marc", type_="Encounter")
        for who, id_ in (("marc", secret), ("awa", open_), ("chu-adt", open_), ("dana", open_)):
            answer = contest(home, id_, who, type_="Encounter")
            assert answer.status_code in (403, 404)
            if who == "marc":
                assert (answer.status_code, answer.data) == (unknown.status_code, unknown.data)
        assert queued(home) == []
        assert contest(home, secret, "lea", type_="Encounter").status_code == 200
        assert blocks(home, "marc") == []
        assert len(blocks(home, "lea")) == 1
