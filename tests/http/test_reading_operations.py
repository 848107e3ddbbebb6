"""Who could see a document, and why the caller may enter: asked over HTTP.

Source: docs/operations.md; rules E1 and F1; the explanations of docs/rules.md.
"""

import pytest

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.consents.writing import consent_of
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call, refusal
from tests.seed.conftest import Stage, copied, loaded, stage
from tests.world import LABORATORY, World

__all__ = ["copied", "loaded", "stage"]  # fixtures of the seed's tests


def seers(answer):
    """Return what an audience says, by (role, who or profession)."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = {}
    for one in (part for part in answer.get_json()["parameter"] if part["name"] == "seer"):
        told = {p["name"]: next(v for n, v in p.items() if n.startswith("value")) for p in one["part"]}
        who = told.get("who", {}).get("display") or told.get("who", {}).get("reference") or told.get("profession")
        found[told["role"], who] = told
    return found


def texts(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [p["valueString"] for p in answer.get_json()["parameter"] if p["name"] == "text"]


def value(answer, name):
    for part in answer.get_json()["parameter"]:
        if part["name"] == name:
            return next(v for n, v in part.items() if n.startswith("value"))
    return None


class TestAudience:
    """P1.1: before hiding, the patient sees who reads the document and who would."""

    @pytest.fixture
    def psychiatry(self, stage: Stage) -> str:
        return stage.demo.documents["camille-psychiatry"]

    def test_before_and_after_name_people_places_and_professions(self, stage, psychiatry):
        answer = stage.ask("camille", "GET", f"DocumentReference/{psychiatry}/$audience?proposed=hidden")
        found = seers(answer)
        martin = next(told for (role, _), told in found.items() if role == "declared-physician")
        assert martin["who"]["display"].endswith("Martin")
        assert (martin["sees"], martin["would"]) == (True, True)
        hospital = next(told for (role, who), told in found.items() if role == "establishment" and "CHU" in who)
        assert hospital["members"] >= 3
        assert {role for role, _ in found} >= {
            "patient",
            "declared-physician",
            "establishment",
            "care-team",
            "break-glass",
        }
        surgeon = found["care-team", "10"]
        assert (surgeon["sees"], surgeon["would"]) == (True, False)

    def test_nothing_is_changed_and_nothing_is_proposed_without_a_word(self, stage, psychiatry):
        before = stage.read("camille", "camille-psychiatry").data
        found = seers(stage.ask("camille", "GET", f"DocumentReference/{psychiatry}/$audience"))
        assert not any("would" in told for told in found.values())
        assert stage.read("camille", "camille-psychiatry").data == before

    def test_what_is_hidden_would_be_seen_again(self, stage):
        hidden = stage.demo.documents["camille-emergency-visit"]
        found = seers(stage.ask("camille", "GET", f"DocumentReference/{hidden}/$audience?proposed=visible"))
        assert (found["care-team", "10"]["sees"], found["care-team", "10"]["would"]) == (False, True)

    def test_another_proposal_is_refused(self, stage, psychiatry):
        assert (
            stage.ask("camille", "GET", f"DocumentReference/{psychiatry}/$audience?proposed=burnt").status_code == 400
        )

    def test_a_legal_representative_asks_for_a_child(self, stage):
        plan = stage.demo.documents["leo-school-plan"]
        assert stage.ask("marc/leo", "GET", f"DocumentReference/{plan}/$audience").status_code == 200

    def test_of_a_childs_secret_the_representative_learns_nothing(self, stage):
        secret = stage.demo.documents["ines-midwife-visit"]
        answer = stage.ask("camille/ines", "GET", f"DocumentReference/{secret}/$audience")
        unknown = stage.ask("camille/ines", "GET", f"DocumentReference/{UNKNOWN}/$audience")
        assert (answer.status_code, answer.data) == (404, unknown.data)
        assert stage.ask("ines", "GET", f"DocumentReference/{secret}/$audience").status_code == 200

    def test_whom_a_teenager_let_in_to_a_secret_is_not_told_to_a_representative(self, stage):
        """B10: the agreement is a secret as the document is, and an audience names whom agreements name."""
        secret, open_ = (stage.demo.documents[key] for key in ("ines-midwife-visit", "ines-dental"))
        directive = Directive(
            "",
            DirectiveKind.AGREEMENT,
            actors=frozenset({f"Practitioner/{stage.demo.professionals['stern']}"}),
            documents=frozenset({secret}),
        )
        place = f"Organization/{stage.demo.organizations['chu-a']}"
        stage.choose("ines", consent_of(directive, stage.demo.patients["ines"], place))
        path = f"DocumentReference/{open_}/$audience"
        assert any("Stern" in str(who) for _, who in seers(stage.ask("ines", "GET", path)))
        assert not any("Stern" in str(who) for _, who in seers(stage.ask("camille/ines", "GET", path)))

    def test_it_asks_for_the_scope_of_documents_and_of_consents(self, stage, psychiatry):
        app = stage.demo.tokens["camille"]
        assert app
        answer = stage.ask("camille", "POST", f"DocumentReference/{psychiatry}/$audience")
        assert answer.status_code == 200


class TestReaders:
    """P1.3: who has opened a document is said with its audience, before it is hidden; copies elsewhere remain."""

    def readers(self, world, document, who="camille"):
        answer = world.get(who, f"/DocumentReference/{document}/$audience?proposed=hidden")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found = [one["part"] for one in answer.get_json()["parameter"] if one["name"] == "reader"]
        return [(parts[0]["valueReference"]["display"], parts[1]["valueDateTime"]) for parts in found]

    def test_the_last_time_of_each_professional_latest_first(self, world: World, clock):
        for who in ("chu", "martin"):
            world.agree("camille", who)
        document, other = world.publish(), world.publish()
        assert self.readers(world, document) == []
        world.get("martin", f"/DocumentReference/{document}")
        clock.advance(hours=1)
        world.get("nour", f"/DocumentReference?patient={world.ids['camille']}")
        clock.advance(hours=1)
        world.get("nour", f"/DocumentReference/{other}")
        world.get("camille", f"/DocumentReference/{document}")
        assert self.readers(world, document) == [
            ("nour", "2026-03-02T10:00:00.000Z"),
            ("martin", "2026-03-02T09:00:00.000Z"),
        ]
        assert [who for who, _ in self.readers(world, other)] == ["nour"]

    def test_who_asked_in_vain_is_no_reader(self, world: World):
        document = world.publish()
        world.get("zoe", f"/DocumentReference/{document}")
        assert self.readers(world, document) == []

    def test_an_app_that_may_not_read_the_journal_is_told_none(self, world: World):
        world.agree("camille", "chu")
        document = world.publish()
        world.get("nour", f"/DocumentReference/{document}")
        scopes = "patient/DocumentReference.rs patient/Consent.rs"
        represented = RepresentedPatient(world.ids["camille"], f"Patient/{world.ids['camille']}", "camille")
        account = Account(
            "app", RequesterKind.PATIENT, represented.person, "app", patients=(represented,), subject="app"
        )
        app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
        world.tokens["narrow"] = world.mint(
            client=app, account=account, scopes=scopes, launch_patient=world.ids["camille"]
        )
        assert self.readers(world, document, "narrow") == []
        assert self.readers(world, document) != []

    def test_an_unknown_document_leaves_a_trace_too(self, world: World):
        before = trail_length(world)
        assert world.get("camille", f"/DocumentReference/{UNKNOWN}/$audience").status_code == 404
        assert trail_length(world) == before + 1


def trail_length(world):
    with world.runtime.ports.store.snapshot() as snapshot:
        return snapshot._connection.execute("SELECT count(*) FROM trail").fetchone()[0]


class TestExplain:
    """P4.5: the matrix is told to everybody, the patient's restrictions to the patient's side alone."""

    def ask(self, world, who, patient="camille", more="", **headers):
        id_ = world.ids.get(patient, patient)
        return world.get(who, f"/Patient/{id_}/$explain{more}", **headers)

    def test_who_may_enter_reads_the_ground_and_the_rules(self, world: World):
        world.agree("camille", "chu")
        answer = self.ask(world, "nour", Accept_Language="en")
        assert (value(answer, "permitted"), value(answer, "basis")) == (True, "care-team")
        assert "(rule C2)" in " ".join(texts(answer))
        assert value(answer, "matrix") == world.runtime.matrix.version

    def test_a_refusal_by_the_patient_reads_like_an_unknown_patient(self, world: World):
        nothing = self.ask(world, "zoe", UNKNOWN).data
        assert self.ask(world, "zoe").data == nothing
        world.agree("camille", "zoe", "deny")
        assert self.ask(world, "zoe").data == nothing
        call(world, "camille", "close-space")
        assert self.ask(world, "zoe").data == nothing

    def test_the_matrix_is_told_whatever_the_patient_says(self, world: World):
        said = texts(self.ask(world, "zoe", more="?type=11502-2", Accept_Language="en"))
        assert said[-1].startswith(f"The matrix of {world.runtime.matrix.version} does not open type 11502-2")
        assert texts(self.ask(world, "zoe", UNKNOWN, "?type=11502-2", Accept_Language="en")) == said

    def test_the_holder_reads_all(self, world: World):
        assert value(self.ask(world, "camille"), "basis") == "patient"
        call(world, "camille", "close-space")
        closed = self.ask(world, "camille", Accept_Language="en")
        assert (value(closed, "permitted"), value(closed, "code")) == (False, "closed")
        assert "(rule A13)" in " ".join(texts(closed))

    def test_it_speaks_french_and_english(self, world: World):
        assert texts(self.ask(world, "camille", Accept_Language="fr"))[0] == "Accès accordé : patient."
        assert texts(self.ask(world, "camille", Accept_Language="en"))[0] == "Access given: patient."

    def test_a_capacity_that_gives_no_access_is_told_its_rule(self, world: World):
        world.professional("social", "353", "chu")
        answer = self.ask(world, "social", Accept_Language="en")
        assert value(answer, "code") == "forbidden"
        assert "(rule C16)" in " ".join(texts(answer))

    def test_asking_is_in_the_holders_journal(self, world: World):
        self.ask(world, "zoe")
        found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}").get_json()["entry"]
        assert any("l’explication d’une décision d’accès" in e["resource"]["text"]["div"] for e in found)

    def test_who_sees_a_document_reads_why(self, world: World):
        world.agree("camille", "chu")
        document = world.publish("other-ehr", place="other")
        answer = world.get("nour", f"/DocumentReference/{document}/$explain", Accept_Language="en")
        said = " ".join(texts(answer))
        assert value(answer, "basis") == "care-team"
        assert "This document is visible." in said
        assert f"The matrix of {world.runtime.matrix.version} opens type 34112-3 to profession 10" in said

    @holds("AC12")
    def test_a_document_that_is_not_seen_is_not_found_whatever_hides_it(self, world: World):
        world.agree("camille", "zoe")
        by_matrix, by_patient = world.publish(type_=LABORATORY), world.publish()
        world.hide(by_patient)
        unknown = world.get("zoe", f"/DocumentReference/{UNKNOWN}/$explain")
        assert unknown.status_code == 404
        for id_ in (by_matrix, by_patient):
            answer = world.get("zoe", f"/DocumentReference/{id_}/$explain")
            assert (answer.status_code, answer.data) == (404, unknown.data)

    def test_explaining_a_document_is_a_first_access_like_any_other(self, world: World):
        world.agree("camille", "chu")
        world.get("nour", f"/DocumentReference/{world.publish()}/$explain")
        found = world.get("camille", f"/Communication?patient={world.ids['camille']}").get_json()
        assert found["total"] == 1

    def test_without_a_scope_nothing_is_explained(self, world: World):
        world.software("poor", "system/DocumentReference.c")
        assert refusal(self.ask(world, "poor"))[0] == 403
