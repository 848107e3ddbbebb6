"""Fear: that a choice of the holder is told to whom it is about, widened by writing it back, or made by somebody else.

AC07 (what points to a document), AC27 (no access beyond what was agreed), AC31 (who enrols as representative).
DESIGN, leak rules: Consent never shows a professional the patient's other choices.
"""

import pytest

from tests.holds import holds
from tests.world import JSON_PATCH, World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
REDATE = [{"op": "replace", "path": "/dateTime", "value": "2026-03-02T08:00:00Z"}]


def limited(world: World, document: str) -> str:
    """Let Dr Martin read one document only; return the id of the Consent."""
    consent = world.consent("martin")
    consent["provision"]["data"] = [
        {"meaning": "instance", "reference": {"reference": f"DocumentReference/{document}"}}
    ]
    answer = world.send("camille", "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["id"]


class TestAChoiceAboutADocumentThatIsGone:
    """The document is left out of what is shown; what is written back must not reach the whole space (AC27)."""

    @pytest.fixture
    def gone(self, world: World) -> World:
        world.ids["one"], world.ids["other-document"] = world.publish(), world.publish()
        world.ids["choice"] = limited(world, world.ids["one"])
        found = world.found("martin", f"/DocumentReference?patient={world.ids['camille']}")
        assert found == [world.ids["one"]]
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{world.ids['one']}").status_code == 204
        return world

    def reads(self, world: World) -> list[str]:
        return world.found("martin", f"/DocumentReference?patient={world.ids['camille']}")

    def test_a_patch_does_not_widen_it(self, gone):
        answer = gone.send("camille", "PATCH", f"/Consent/{gone.ids['choice']}", REDATE, JSON_PATCH)
        assert answer.status_code == 422
        assert answer.get_json()["issue"][0]["expression"] == ["Consent.provision"]
        assert self.reads(gone) == []

    def test_what_was_read_and_written_back_does_not_widen_it(self, gone):
        path = f"/Consent/{gone.ids['choice']}"
        shown = gone.get("camille", path).get_json()
        assert "data" not in shown["provision"]
        assert gone.send("camille", "PUT", path, shown).status_code == 422
        assert self.reads(gone) == []

    def test_it_can_still_be_withdrawn(self, gone):
        path = f"/Consent/{gone.ids['choice']}"
        shown = gone.get("camille", path).get_json()
        assert gone.send("camille", "PUT", path, shown | {"status": "inactive"}).status_code == 200
        assert gone.get("martin", f"/DocumentReference?patient={gone.ids['camille']}").status_code == 403


class TestWhoIsToldOfAChoice:
    def test_whom_it_lets_in_now_does_not_read_that_it_was_a_block(self, world):
        """The holder turns a block into an agreement: the history of it stays the holder's."""
        block = world.agree("camille", "martin", "deny").get_json()["id"]
        path = f"/Consent/{block}"
        assert world.send("camille", "PUT", path, world.consent("martin") | {"id": block}).status_code == 200
        assert world.get("martin", path).status_code == 200

        told = world.get("martin", f"{path}/_history")

        assert told.get_json()["total"] == 1
        assert b'"deny"' not in told.get_data()
        unknown = world.get("martin", f"{path}/_history/9")
        assert unknown.status_code == 404
        assert world.get("martin", f"{path}/_history/1").get_data() == unknown.get_data()
        assert world.get("martin", f"{path}/_history/2").status_code == 200
        assert world.get("camille", f"{path}/_history").get_json()["total"] == 2
        assert world.get("camille", f"{path}/_history/1").status_code == 200

    def test_one_that_names_two_tells_neither_of_the_other(self, world):
        both = world.consent("martin")
        both["provision"]["actor"] += world.consent("nour")["provision"]["actor"]
        made = world.send("camille", "POST", "/Consent", both)
        assert made.status_code == 201, made.get_data(as_text=True)
        for who in ("martin", "nour"):
            assert world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code == 200
            assert world.get(who, f"/Consent/{made.get_json()['id']}").status_code == 404
            assert world.found(who, f"/Consent?patient={world.ids['camille']}") == []


class TestSoftwareThatDoesNotKeepTheIdentity:
    """AC31: who represents a child, and who is the declared physician, is recorded by the keeper of the identity."""

    def test_declares_no_physician(self, world):
        world.hide(world.publish())
        answer = world.send("other-ehr", "POST", "/Consent", world.consent("martin", role=PCP))
        assert answer.status_code == 403
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403

    def test_changes_no_declaration(self, world):
        made = world.send("keeper", "POST", "/Consent", world.consent("martin", role=PCP)).get_json()
        unknown = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
        answers = [
            world.send("other-ehr", "PUT", f"/Consent/{id_}", made | {"id": id_, "status": "inactive"})
            for id_ in (made["id"], unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].get_data() == answers[1].get_data()
        tests = [{"op": "test", "path": "/status", "value": "entered-in-error"}]
        patched = world.send("other-ehr", "PATCH", f"/Consent/{made['id']}", tests, JSON_PATCH)
        assert patched.status_code == 404
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200

    @holds("AC31")
    def test_records_nobody_as_related(self, world):
        def related(patient: str):
            body = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{patient}"}}
            return world.send("other-ehr", "POST", "/RelatedPerson", body)

        answers = [related(id_) for id_ in (world.ids["camille"], "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e")]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].get_data() == answers[1].get_data()
        assert world.found("camille", "/RelatedPerson") == []

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_changes_no_practice_situation_and_no_establishment(self, world, method):
        """AC25: from the directory follows in which capacity somebody signs in, and so what is read."""
        situation = {"resourceType": "PractitionerRole", "active": True}
        situation["practitioner"] = {"reference": f"Practitioner/{world.ids['martin']}"}
        world.record("situation", situation)
        for type_, name in (("PractitionerRole", "situation"), ("Organization", "chu"), ("Practitioner", "martin")):
            path = f"/{type_}/{world.ids[name]}"
            before = world.get("keeper", path).get_json()
            body, mime = before | {"active": False}, "application/fhir+json"
            if method == "PATCH":
                body, mime = [{"op": "add", "path": "/active", "value": False}], JSON_PATCH
            assert world.send("other-ehr", method, path, body, mime).status_code == 403
            assert world.get("keeper", path).get_json() == before
            assert world.send("keeper", method, path, body, mime).status_code == 200
