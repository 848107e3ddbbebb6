"""Emergencies over HTTP: a declared operation, under a grant of its purpose, then ordinary reads.

Source: L.1111-17 I and R.1111-48 of the French public health code (rules G1 to G8), docs/operations.md.
"""

import base64
from dataclasses import replace

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call, reason, refusal, search, told
from tests.world import LABORATORY, World

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY


@pytest.fixture
def ward(world: World) -> World:
    """Dr Awa may break the glass, Dr Roux regulates calls, Zoé is an optician with the same wish."""
    world.professional("awa", "10", "chu")
    world.professional("roux", "10", "other")
    world.in_mode("awa-btg", "awa", ("10", "chu", Capacity.NONE), BTG)
    world.in_mode("roux-samu", "roux", ("10", "other", Capacity.NONE), ETREAT)
    world.in_mode("zoe-btg", "zoe", ("28", "other", Capacity.NONE), BTG)
    world.in_mode("zoe-samu", "zoe", ("28", "other", Capacity.NONE), ETREAT)
    return world


@holds("G1", "L.1111-17")
def test_break_glass_opens_for_a_day_and_says_what_follows(ward, clock):
    """P6.3, G1."""
    document = ward.publish()
    assert search(ward, "awa-btg").status_code == 403
    opened = told(call(ward, "awa-btg", "break-glass", body=reason()))
    assert (opened["mode"], opened["until"]) == ("BTG", "2026-03-03T09:00:00.000Z")
    assert opened["reviewDue"] == "2026-03-05T09:00:00.000Z"
    assert ward.found("awa-btg", f"/DocumentReference?patient={ward.ids['camille']}") == [document]
    consent = ward.get("camille", f"/{opened['consent']['reference']}").get_json()
    assert consent["sourceAttachment"]["title"] == "unconscious, found at home"
    assert base64.b64decode(consent["sourceAttachment"]["data"]) == b"unconscious, found at home"
    clock.advance(hours=24)
    assert search(ward, "awa-btg").status_code == 403


@holds("G2", "L.1111-17")
def test_regulation_opens_for_an_hour(ward, clock):
    """P6.1, G2."""
    document = ward.publish()
    opened = told(call(ward, "roux-samu", "regulation-access", body=reason("call 2026-0042")))
    assert (opened["mode"], opened["until"]) == ("ETREAT", "2026-03-02T10:00:00.000Z")
    assert "reviewDue" not in opened
    assert ward.found("roux-samu", f"/DocumentReference?patient={ward.ids['camille']}") == [document]
    clock.advance(hours=1)
    assert search(ward, "roux-samu").status_code == 403


@holds("G7")
def test_the_trail_says_that_an_emergency_began(ward):
    """G7, H3: with the code of an override, and who reads it next knows the ground."""
    call(ward, "awa-btg", "break-glass", body=reason())
    search(ward, "awa-btg")
    found = ward.get("camille", f"/AuditEvent?patient={ward.ids['camille']}&_sort=date").get_json()["entry"]
    events = [entry["resource"] for entry in found]
    begun = next(event for event in events if any(code["code"] == "110127" for code in event["subtype"]))
    assert "a ouvert l’espace en urgence (bris de glace)" in begun["text"]["div"]
    assert begun["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
    (reading,) = [event for event in events if any(code["code"] == "ITI-67" for code in event["subtype"])]
    assert "break-glass" in str(reading["entity"])


@pytest.mark.parametrize(
    ("who", "operation"),
    [
        ("nour", "break-glass"),
        ("nour", "regulation-access"),
        ("awa-btg", "regulation-access"),
        ("roux-samu", "break-glass"),
        ("camille", "break-glass"),
        ("chu-ehr", "break-glass"),
    ],
)
def test_without_a_grant_for_the_mode_nothing_opens(ward, who, operation):
    answer = call(ward, who, operation, body=reason())
    assert refusal(answer)[:2] == (403, "emergency-grant-required")
    assert call(ward, who, operation, UNKNOWN, reason()).data == answer.data


@holds("L.1111-17")
def test_a_profession_that_may_not_is_refused(ward):
    """P6.3, G2: regulation is the regulating physician's; break-glass is for health professions."""
    assert refusal(call(ward, "zoe-samu", "regulation-access", body=reason()))[:2] == (403, "forbidden")
    assert told(call(ward, "zoe-btg", "break-glass", body=reason()))["mode"] == "BTG"


@holds("G8")
@pytest.mark.parametrize("body", [None, {"resourceType": "Parameters"}, reason(" "), reason("")])
def test_without_a_reason_nothing_opens(ward, body):
    """P6.3, G8."""
    assert call(ward, "awa-btg", "break-glass", body=body).status_code in {400, 422}
    assert search(ward, "awa-btg").status_code == 403


def test_missing_reason_is_named(ward):
    answer = call(ward, "awa-btg", "break-glass")
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["details"]["text"] == "the parameter `reason` is required"


def test_a_token_that_may_not_read_opens_nothing(ward):
    ward.in_mode("awa-poor", "awa", ("10", "chu", Capacity.NONE), BTG, scopes="user/Patient.rs")
    assert call(ward, "awa-poor", "break-glass", body=reason()).status_code == 403


@holds("G3", "R.1111-48")
def test_both_parties_are_told_at_once(ward):
    """G3: in the same commit as the opening."""
    role = {
        "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
        "code": "PCP",
    }
    ward.send("camille", "POST", "/Consent", ward.consent("martin", role=role))
    call(ward, "roux-samu", "regulation-access", body=reason())
    for who in ("camille", "martin"):
        found = ward.get(who, f"/Communication?patient={ward.ids['camille']}").get_json()["entry"]
        kinds = {e["resource"]["category"][0]["coding"][0]["code"] for e in found}
        assert "emergency-regulation" in kinds, who


@holds("AC34")
def test_hidden_documents_stay_closed(ward):
    plain, hidden = ward.publish(), ward.publish(type_=LABORATORY)
    ward.hide(hidden)
    call(ward, "roux-samu", "regulation-access", body=reason())
    assert ward.found("roux-samu", f"/DocumentReference?patient={ward.ids['camille']}") == [plain]


@holds("G4", "AC34")
def test_one_mode_off_leaves_the_other(ward):
    """P6.2, G4: two switches."""
    off = ward.consent("nour", "deny")
    off["provision"] = {
        "type": "deny",
        "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "ETREAT"}],
    }
    answer = ward.send("camille", "POST", "/Consent", off)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert refusal(call(ward, "roux-samu", "regulation-access", body=reason()))[:2] == (403, "consent-required")
    assert call(ward, "awa-btg", "break-glass", body=reason()).status_code == 200


def test_under_a_profile_with_a_shorter_mode_it_ends_sooner(ward, clock):
    short = replace(ward.runtime.profile, break_glass=ward.runtime.profile.regulation)
    ward.web.application.extensions["habilis.runtime"] = replace(ward.runtime, profile=short)
    call(ward, "awa-btg", "break-glass", body=reason())
    clock.advance(hours=1)
    assert search(ward, "awa-btg").status_code == 403


def test_the_practice_situation_is_what_is_traced(ward):
    call(ward, "awa-btg", "break-glass", body=reason())
    found = ward.get("camille", f"/Communication?patient={ward.ids['camille']}").get_json()["entry"]
    assert "awa (chu)" in found[0]["resource"]["payload"][0]["contentString"]
