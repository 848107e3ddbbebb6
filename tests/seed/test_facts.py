"""The facts that the whole project started from, over HTTP: rules D4, D6, D11, E1 to E3, F3, F5 and C1."""

import pytest

from seed import choices
from seed.documents import documents
from tests.holds import holds

BIOLOGY = {part.key for part in documents() if part.patient == "camille" and part.type == "11502-2"}
REPORT = "camille-hospital-report"
SEALED = "camille-pathology"
CAMILLES = {part.key for part in documents() if part.patient == "camille"}
SUPERSEDED = {part.replaces for part in documents() if part.replaces}


@holds("D6")
def test_d6_the_optician_never_sees_a_laboratory_result(stage):
    stage.choose("zoe", choices.consultation(stage.demo, "camille", "zoe"))
    seen = stage.keys("zoe")
    assert "camille-eye-consultation" in seen
    assert not seen & BIOLOGY
    assert {stage.read("zoe", key).status_code for key in BIOLOGY} == {404}


@holds("D11")
def test_d11_the_physiotherapist_sees_the_hospital_report_and_no_laboratory_result(stage):
    seen = stage.keys("paul")
    assert REPORT in seen
    assert not seen & BIOLOGY
    assert stage.read("paul", REPORT).status_code == 200


@holds("D4")
def test_d4_the_declared_physician_sees_all_that_is_current_the_hidden_and_the_sealed_included(stage):
    assert stage.keys("martin") == CAMILLES - SUPERSEDED


def test_c1_a_stranger_sees_nothing_and_learns_nothing(stage):
    refused = stage.search("stern")
    assert refused.status_code == 403
    assert "consent-required" in refused.get_data(as_text=True)
    assert not any(id_ in refused.get_data(as_text=True) for id_ in stage.demo.documents.values())
    assert {stage.read("stern", key).status_code for key in CAMILLES} == {404}


def test_c4_without_consent_the_optician_is_refused_as_the_stranger_is(stage):
    assert stage.search("zoe").data == stage.search("stern").data


@holds("E3")
def test_e3_what_the_patient_hid_is_seen_by_the_declared_physician_and_not_by_the_team(stage):
    hidden = "camille-emergency-visit"
    assert hidden in stage.keys("martin")
    assert hidden not in stage.keys("paul")
    assert hidden in stage.keys("camille")


@holds("E2")
def test_e2_the_depositing_establishment_keeps_what_was_hidden(stage):
    assert "camille-emergency-visit" in stage.keys("awa")
    assert "camille-emergency-visit" in stage.keys("chu-a-ehr")


@holds("E9")
def test_e9_a_sealed_result_is_not_there_for_the_patient(stage):
    assert SEALED not in stage.keys("camille")
    assert stage.read("camille", SEALED).status_code == 404
    assert SEALED in stage.keys("nour")


def test_b6_a_minors_secret_is_not_there_for_the_representative(stage):
    secret = {"ines-midwife-visit", "ines-midwife-order"}
    assert secret <= stage.keys("ines", "ines")
    seen = stage.keys("camille/ines", "ines")
    assert not secret & seen
    assert "ines-dental" in seen


def test_b2_each_parent_enters_the_childs_space_and_nobody_elses(stage):
    assert stage.keys("camille/leo", "leo") == stage.keys("marc/leo", "leo") != set()
    assert stage.search("marc", "camille").status_code == 403
    assert stage.search("marc/leo", "ines").status_code == 403


@holds("J3")
def test_j3_a_replaced_document_is_superseded_and_its_successor_current(stage):
    assert "camille-lipids" in stage.keys("martin")
    assert stage.read("martin", "camille-lipids-first").json["status"] == "superseded"


@holds("E1")
def test_e1_a_hiding_holds_at_the_very_next_request(stage):
    before = stage.search("paul").json["total"]
    assert stage.hide(REPORT).status_code == 200
    after = stage.search("paul").json
    assert after["total"] == before - 1
    assert REPORT not in stage.keys("paul")
    unknown = stage.ask("paul", "GET", "DocumentReference/00000000-0000-4000-8000-000000000001")
    assert stage.read("paul", REPORT).data == unknown.data


@holds("F3", "AC21")
def test_f3_a_block_holds_at_the_very_next_request_and_beats_the_agreement(stage):
    assert stage.search("paul").status_code == 200
    stage.block("paul")
    assert stage.search("paul").status_code == 403
    assert stage.read("paul", REPORT).status_code == 404


@holds("F7")
def test_f3_a_block_also_binds_the_declared_physician(stage):
    stage.block("martin")
    assert stage.search("martin").status_code == 403


def test_f5_lifting_a_block_does_not_bring_the_agreement_back(stage):
    block = stage.block("paul")
    assert stage.withdraw(block).status_code == 200
    assert stage.search("paul").status_code == 403
    stage.choose("camille", choices.team(stage.demo, "camille", "cabinet-paul"))
    assert stage.search("paul").status_code == 200


def test_c8_a_withdrawal_holds_at_the_very_next_request(stage):
    assert stage.withdraw(stage.demo.consents["camille-agrees-paul"]).status_code == 200
    assert stage.search("paul").status_code == 403


@pytest.mark.parametrize("who", ["matension", "dana"])
def test_i7_an_app_and_an_auditor_get_no_further_than_their_scopes(stage, who):
    expected = {"matension": 200, "dana": 403}
    assert stage.search(who).status_code == expected[who]
    assert stage.ask(who, "GET", f"Consent?patient={stage.demo.patients['camille']}").status_code == 403


def test_h4_the_auditor_reads_who_did_what(stage):
    stage.search("stern")
    path = f"AuditEvent?patient={stage.demo.patients['camille']}&date=ge2020-01-01&outcome=4"
    assert stage.ask("dana", "GET", path).json["total"] >= 1
