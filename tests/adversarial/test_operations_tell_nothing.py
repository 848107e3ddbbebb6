"""The doors of a space attacked: no operation and no notice tells a professional what is hidden, blocked or closed.

Abuse cases AC02 (hidden documents), AC12 (texts of refusals), AC18 (a hint at more), AC20 (is there a space?).
"""

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from tests.holds import holds
from tests.http.notices import told
from tests.http.spaces import UNKNOWN, call, reason
from tests.world import LABORATORY, World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
OF_A_PATIENT = [one.name for one in OPERATIONS if one.type == "Patient" and one.instance]
FOR_PROFESSIONALS = {"explain", "break-glass", "regulation-access", "everything", "meta", "summary", "validate"}
"""Operations that a professional may call; `meta` and `validate` are readings of the resource, and answer as a read."""
READINGS = [("meta", None), ("validate", None), ("validate", {"resourceType": "Patient", "gender": "none"})]
NOT_FOR_PROFESSIONALS = [name for name in OF_A_PATIENT if name not in FOR_PROFESSIONALS]
NAMED = {"resourceType": "Parameters", "parameter": [{"name": "name", "valueString": "Anne"}]}
SENT = {"import-space": {"body": b"no archive", "mime": "application/zip"}, "invite-relative": {"body": NAMED}}
"""What an operation needs in order to be read at all, where that is no Parameters."""
MODES = [("awa-btg", "break-glass"), ("roux-samu", "regulation-access")]


def answered(answer):
    """Return what a caller can compare: status, body, and headers without the request id and the date."""
    headers = sorted((n, v) for n, v in answer.headers if n not in {"X-Request-Id", "Date"})
    return answer.status_code, answer.data, headers


@pytest.fixture
def ward(world: World) -> World:
    world.professional("awa", "10", "chu")
    world.professional("roux", "10", "other")
    world.in_mode("awa-btg", "awa", ("10", "chu", Capacity.NONE), Purpose.BREAK_GLASS)
    world.in_mode("roux-samu", "roux", ("10", "other", Capacity.NONE), Purpose.EMERGENCY)
    return world


def switch_off(world, code):
    deny = world.consent("nour", "deny")
    deny["provision"] = {
        "type": "deny",
        "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}],
    }
    assert world.send("camille", "POST", "/Consent", deny).status_code == 201


class TestIsThereASpace:
    """AC20: whoever may not ask gets one answer for a patient who is there, is not, closed, opposed or blocked."""

    @holds("AC20")
    @pytest.mark.parametrize("operation", NOT_FOR_PROFESSIONALS)
    @pytest.mark.parametrize("who", ["nour", "zoe", "chu-ehr", "other-ehr"])
    def test_one_answer_for_every_patient(self, ward, who, operation):
        sent = SENT.get(operation, {})
        unknown = answered(call(ward, who, operation, UNKNOWN, **sent))
        assert unknown[0] in {403, 404}
        assert answered(call(ward, who, operation, **sent)) == unknown
        ward.agree("camille", "chu")
        assert answered(call(ward, who, operation, **sent)) == unknown
        call(ward, "camille", "close-space")
        assert answered(call(ward, who, operation, **sent)) == unknown

    @pytest.mark.parametrize(("operation", "body"), READINGS, ids=["meta", "validate", "validate-a-body"])
    @pytest.mark.parametrize("who", ["nour", "zoe", "chu-ehr", "other-ehr"])
    def test_a_reading_of_the_patient_is_answered_as_the_read(self, ward, who, operation, body):
        """Whoever may not read the patient now gets the bytes of an unknown one; whoever may is told no more by it."""
        unknown = answered(call(ward, who, operation, UNKNOWN, body))
        assert unknown[0] == 404

        def demand_as_the_read():
            read = ward.get(who, f"/Patient/{ward.ids['camille']}").status_code
            answer = answered(call(ward, who, operation, body=body))
            assert answer[0] == read
            assert read == 200 or answer == unknown
            return read

        assert demand_as_the_read() == (200 if who.endswith("-ehr") else 404)
        ward.agree("camille", "chu")
        assert demand_as_the_read() == (404 if who == "zoe" else 200)
        ward.agree("camille", "nour", "deny")
        assert demand_as_the_read() == (200 if who.endswith("-ehr") else 404)
        call(ward, "camille", "close-space")
        assert demand_as_the_read() == 404

    @pytest.mark.parametrize(("who", "operation"), MODES)
    def test_an_emergency_that_cannot_be_opened_is_refused_alike(self, ward, who, operation):
        person = who.partition("-")[0]
        unknown = answered(call(ward, who, operation, UNKNOWN, reason()))
        assert unknown[0] == 403
        blocked = ward.agree("camille", person, "deny").get_json()["id"]
        assert answered(call(ward, who, operation, body=reason())) == unknown
        consent = ward.get("camille", f"/Consent/{blocked}").get_json()
        ward.send("camille", "PUT", f"/Consent/{blocked}", consent | {"status": "inactive"})
        switch_off(ward, "BTG" if operation == "break-glass" else "ETREAT")
        assert answered(call(ward, who, operation, body=reason())) == unknown
        call(ward, "camille", "close-space")
        assert answered(call(ward, who, operation, body=reason())) == unknown

    def test_a_space_that_does_not_exist_leaves_no_trace_of_a_patient(self, ward):
        call(ward, "awa-btg", "break-glass", UNKNOWN, reason())
        with ward.runtime.ports.store.snapshot() as snapshot:
            assert snapshot.load_space(UNKNOWN) is None
        assert ward.runtime.ports.store._keyring.shelf.newest(UNKNOWN) is None

    @pytest.mark.parametrize(("who", "operation"), [*MODES, ("zoe", "explain"), ("zoe", "close-space")])
    def test_the_own_trace_of_a_refusal_tells_nothing_either(self, ward, who, operation):
        """A trace that can be found under the patient would say that the patient is known here."""
        ward.agree("camille", who.partition("-")[0], "deny")
        body = reason() if who in dict(MODES) else None
        call(ward, who, operation, body=body)
        call(ward, who, operation, UNKNOWN, body)
        own = f"/AuditEvent?patient={ward.ids['camille']}&_count=50"
        found = ward.get(who, own)
        assert found.status_code == 200
        traces = [entry["resource"] for entry in found.get_json().get("entry", ())]
        assert not [event for event in traces if operation in str(event["subtype"])]
        told = ward.get("camille", own).get_json()["entry"]
        assert [e for e in told if operation in str(e["resource"]["subtype"])]


class TestIsSomethingHidden:
    """AC02, AC18: what is hidden changes no answer to a professional, whatever door is tried."""

    def everything(self, world, who):
        """Ask all that a professional can ask of operations and notices."""
        id_ = world.ids["camille"]
        paths = (
            f"/Patient/{id_}/$explain",
            f"/Patient/{id_}/$explain?type=34112-3",
            f"/Communication?patient={id_}",
            f"/Communication?patient={id_}&_summary=count",
            f"/Communication?patient={id_}&recipient=Patient/{id_}",
            f"/Consent?patient={id_}",
        )
        return [answered(world.get(who, path)) for path in paths]

    @holds("AC18")
    @pytest.mark.parametrize("who", ["nour", "martin", "zoe"])
    def test_a_hiding_changes_none_of_them(self, ward, who):
        ward.agree("camille", "chu")
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        document = ward.publish("other-ehr", place="other")
        ward.get(who, f"/DocumentReference?patient={ward.ids['camille']}")
        before = self.everything(ward, who)
        ward.get("camille", f"/DocumentReference/{document}/$audience?proposed=hidden")
        ward.hide(document)
        ward.get("camille", f"/DocumentReference/{document}/$audience")
        assert self.everything(ward, who) == before

    @pytest.mark.parametrize("who", ["nour", "martin", "zoe", "chu-ehr", "keeper"])
    def test_the_audience_of_a_hidden_a_visible_and_an_unknown_document_are_one_refusal(self, ward, who):
        ward.agree("camille", "chu")
        hidden, plain = ward.publish(), ward.publish()
        ward.hide(hidden)
        answers = {
            answered(ward.get(who, f"/DocumentReference/{id_}/$audience?proposed=hidden"))[:2]
            for id_ in (hidden, plain, UNKNOWN)
        }
        assert [status for status, _ in answers] == [403]
        journal = ward.get("camille", f"/AuditEvent?patient={ward.ids['camille']}&outcome=4").get_json()
        assert journal["total"] == 2

    def test_the_question_of_an_audience_is_in_nobodys_trail_but_the_patients(self, ward):
        """P1.1: no professional can detect that she asked, not even who reads all traces."""
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        document = ward.publish()
        path = f"/AuditEvent?patient={ward.ids['camille']}&_count=100"
        before = {e["resource"]["id"] for e in ward.get("martin", path).get_json().get("entry", ())}
        ward.get("camille", f"/DocumentReference/{document}/$audience?proposed=hidden")
        entries = ward.get("martin", path).get_json().get("entry", ())
        new = [e["resource"] for e in entries if e["resource"]["id"] not in before]
        assert not [event for event in new if "audience" in str(event["subtype"])]
        own = ward.get("camille", f"{path}&subtype=urn:habilis:operation|audience").get_json()
        assert own["total"] == 1

    @holds("AC18")
    @pytest.mark.parametrize(("who", "operation"), MODES)
    def test_an_emergency_reads_the_same_whether_something_is_hidden_or_not(self, ward, who, operation):
        place = "other" if who == "awa-btg" else "chu"  # whoever deposits reads the own document
        ward.publish(f"{place}-ehr", place=place)
        first = call(ward, who, operation, body=reason()).get_json()["parameter"]
        shown = ward.found(who, f"/DocumentReference?patient={ward.ids['camille']}")
        ward.hide(ward.publish(f"{place}-ehr", place=place, type_=LABORATORY))
        second = call(ward, who, operation, body=reason()).get_json()["parameter"]
        assert [p["name"] for p in first] == [p["name"] for p in second]
        assert ward.found(who, f"/DocumentReference?patient={ward.ids['camille']}") == shown


class TestNoticesTellNoProfessional:
    def test_the_declared_physicians_notice_names_no_document_no_reason_and_no_other_recipient(self, ward):
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        ward.publish()
        call(ward, "awa-btg", "break-glass", body=reason("overdose, see the letter of the psychiatrist"))
        ward.found("awa-btg", f"/DocumentReference?patient={ward.ids['camille']}")
        (notice,) = told(ward, "martin")
        assert "DocumentReference" not in str(notice)
        assert "overdose" not in str(notice)
        assert notice["recipient"] == [{"reference": f"Practitioner/{ward.ids['martin']}"}]

    def test_a_blocked_declared_physician_reads_none_and_is_refused_like_anybody(self, ward):
        ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP))
        call(ward, "awa-btg", "break-glass", body=reason())
        (notice,) = told(ward, "martin")
        ward.agree("camille", "martin", "deny")
        path = f"/Communication?patient={ward.ids['camille']}"
        assert answered(ward.get("martin", path)) == answered(ward.get("martin", f"/Communication?patient={UNKNOWN}"))
        gone = answered(ward.get("martin", f"/Communication/{notice['id']}"))
        assert gone == answered(ward.get("martin", f"/Communication/{UNKNOWN}"))

    def test_a_physician_who_is_declared_no_more_reads_none(self, ward):
        declared = ward.send("camille", "POST", "/Consent", ward.consent("martin", role=PCP)).get_json()
        call(ward, "awa-btg", "break-glass", body=reason())
        ward.send("camille", "PUT", f"/Consent/{declared['id']}", declared | {"status": "inactive"})
        assert ward.get("martin", f"/Communication?patient={ward.ids['camille']}").status_code == 403

    def test_a_notice_is_no_door_around_a_batch_a_search_by_id_or_an_app_of_another_patient(self, ward):
        ward.agree("camille", "chu")
        ward.get("nour", f"/DocumentReference?patient={ward.ids['camille']}")
        (notice,) = told(ward)
        entry = {"request": {"method": "GET", "url": f"Communication/{notice['id']}"}}
        batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        answer = ward.send("nour", "POST", "", batch).get_json()
        assert answer["entry"][0]["response"]["status"] == "404"
        assert ward.found("nour", f"/Communication?_id={notice['id']}") == []
        ward.patient("zora", "284039999900999")
        assert ward.get("zora", f"/Communication/{notice['id']}").status_code == 404
        assert ward.found("zora", f"/Communication?_id={notice['id']}") == []

    def test_the_first_access_is_told_alike_whatever_is_hidden(self, ward):
        """The professional sees no difference between the first access and the second, but in time."""
        ward.agree("camille", "chu")
        ward.publish()
        path = f"/DocumentReference?patient={ward.ids['camille']}"
        assert answered(ward.get("nour", path)) == answered(ward.get("nour", path))
        assert len(told(ward)) == 1
