"""Settings of a whole space over HTTP (ITI-108): "all hidden" (E12, E17), "ask me first" (C1), "at once" (E9)."""

import pytest

from tests.holds import holds
from tests.http.choices import INACTIVE, choose, listed, setting
from tests.world import JSON_PATCH, World

SHOW = [{"op": "remove", "path": "/securityLabel/1"}]


class TestAllHidden:
    """The holder's default reaches documents present and future; single ones can then be changed (E12)."""

    @holds("E12", "E17")
    def test_documents_that_are_there_are_hidden_and_those_to_come_are_born_so(self, world: World):
        world.agree("camille", "martin")
        before = {world.publish(), world.publish()}
        assert listed(world, "martin") == before

        choose(world, setting(world, "hidden-by-default"))

        after = world.publish()
        assert listed(world, "martin") == set()
        assert listed(world, "camille") == before | {after}
        assert all(world.get("martin", f"/DocumentReference/{id_}").status_code == 404 for id_ in before | {after})

    def test_the_holder_shows_one_again(self, world: World):
        world.agree("camille", "martin")
        shown, other = world.publish(), world.publish()
        id_ = choose(world, setting(world, "hidden-by-default"))

        answer = world.send("camille", "PATCH", f"/DocumentReference/{shown}", SHOW, JSON_PATCH)

        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert listed(world, "martin") == {shown}
        again = setting(world, "hidden-by-default") | {"id": id_, "dateTime": "2026-03-02T08:00:00Z"}
        assert world.send("camille", "PUT", f"/Consent/{id_}", again).status_code == 200
        assert listed(world, "martin") == {shown}, "to say the same again hides nothing anew"
        assert other not in listed(world, "martin")

    @holds("AC53")
    def test_changing_the_default_back_shows_no_document_by_itself(self, world: World):
        world.agree("camille", "martin")
        world.publish()
        id_ = choose(world, setting(world, "hidden-by-default"))

        world.send("camille", "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH)

        assert listed(world, "martin") == set()
        later = world.publish()
        assert listed(world, "martin") == {later}

    @holds("AC53")
    def test_chosen_again_it_hides_again(self, world: World):
        world.agree("camille", "martin")
        id_ = choose(world, setting(world, "hidden-by-default"))
        world.send("camille", "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH)
        world.publish()

        again = setting(world, "hidden-by-default") | {"id": id_}
        assert world.send("camille", "PUT", f"/Consent/{id_}", again).status_code == 200

        assert listed(world, "martin") == set()

    def test_nobody_but_the_holder_sees_that_something_changed(self, world: World):
        document = world.publish()
        pcp = "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction"
        choose(world, world.consent("martin", role={"system": pcp, "code": "PCP"}))
        before = world.get("camille", f"/DocumentReference/{document}").get_json()["meta"]["versionId"]

        choose(world, setting(world, "hidden-by-default"))

        after = world.get("camille", f"/DocumentReference/{document}").get_json()
        assert (before, after["meta"]["versionId"]) == ("1-0", "1-1")
        assert "MASQUE_PS" in str(after["securityLabel"])
        assert listed(world, "martin") == {document}
        assert world.send("martin", "POST", "/Consent", setting(world, "hidden-by-default")).status_code == 403

    def test_more_documents_than_one_page_holds(self, world: World, monkeypatch):
        monkeypatch.setattr("fhir_server.application.documents.replacement_chain._AT_ONCE", 2)
        world.agree("camille", "martin")
        for _ in range(5):
            world.publish()

        choose(world, setting(world, "hidden-by-default"))

        assert listed(world, "martin") == set()

    def test_documents_of_others_stay_as_they_are(self, world: World):
        world.patient("marc", "184039999900123")
        of_marc = world.publish(patient="marc")

        choose(world, setting(world, "hidden-by-default"))

        assert "MASQUE_PS" not in str(world.get("marc", f"/DocumentReference/{of_marc}").get_json())


class TestAskMeFirst:
    """With "ask me first" what a professional wrote down waits for the patient; silence is a refusal (C1, C6)."""

    def test_the_patient_approves_by_saying_it_too(self, world: World):
        choose(world, setting(world, "ask-first"))
        written = world.send("martin", "POST", "/Consent", world.consent("martin")).get_json()
        waiting = world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
        stranger = world.get("zoe", f"/DocumentReference?patient={world.ids['camille']}")
        assert (waiting.status_code, waiting.get_data()) == (403, stranger.get_data())

        answer = world.send(
            "camille", "PUT", f"/Consent/{written['id']}", world.consent("martin") | {"id": written["id"]}
        )

        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert listed(world, "martin") == set()

    def test_it_does_not_ask_about_what_the_patient_said(self, world: World):
        choose(world, setting(world, "ask-first"))
        world.agree("camille", "martin")
        assert listed(world, "martin") == set()

    def test_silence_opens_nothing_however_long(self, world: World, clock):
        choose(world, setting(world, "ask-first"))
        world.send("martin", "POST", "/Consent", world.consent("martin"))
        clock.advance(hours=3)
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403


class TestAtOnce:
    """Who wants results at once is not kept waiting by a depositor (E9)."""

    @pytest.mark.parametrize(("chosen", "status"), [(True, 403), (False, 200)])
    def test_a_sealed_document_is_not_taken(self, world: World, chosen, status):
        if chosen:
            choose(world, setting(world, "at-once"))
        bundle = world.bundle(world.filing(marks=("INVISIBLE_PATIENT",)))

        assert world.send("chu-ehr", "POST", "", bundle).status_code == status


class TestStagedRelease:
    """A sealed document is the patient's at the announcement, or by itself one month after filing (E9, E11)."""

    @pytest.mark.parametrize(("days", "status"), [(27, 404), (31, 200)])
    def test_it_opens_by_itself(self, world: World, clock, days, status):
        sealed = world.publish(marks=("INVISIBLE_PATIENT",))
        clock.advance(days=days)
        assert world.get("camille", f"/DocumentReference/{sealed}").status_code == status
        assert len(listed(world, "camille")) == (1 if status == 200 else 0)

    def test_the_depositor_opens_it_after_the_announcement(self, world: World):
        sealed = world.publish(marks=("INVISIBLE_PATIENT",))
        labels = world.get("chu-ehr", f"/DocumentReference/{sealed}").get_json()["securityLabel"]
        index = next(n for n, label in enumerate(labels) if "INVISIBLE_PATIENT" in str(label))

        answer = world.send(
            "chu-ehr",
            "PATCH",
            f"/DocumentReference/{sealed}",
            [{"op": "remove", "path": f"/securityLabel/{index}"}],
            JSON_PATCH,
        )

        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert world.get("camille", f"/DocumentReference/{sealed}").status_code == 200


@holds("E13")
def test_care_history_hidden_is_a_block_of_it(world: World):
    """The reimbursement history is hidden as a block (E13)."""
    remb = (
        "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaire/FHIR/TRE-A05-TypeDocComplementaire",
        "REMB",
        "x",
    )
    world.agree("camille", "martin")
    history, report = world.publish(type_=remb, category=("60", "x")), world.publish()
    assert listed(world, "martin") == {history, report}

    choose(world, setting(world, "care-history-hidden"))

    assert listed(world, "martin") == {report}
    assert listed(world, "camille") == {history, report}
