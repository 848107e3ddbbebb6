"""A code that the patient shows lets one professional in for one consultation, once, on both stores (V1, C4)."""

import json
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent_rules.vocabulary import DirectiveKind, Grade, PatientId, Proof
from fhir_server.domain import record_codec
from tests.http.choices import choose, listed, relative
from tests.http.notices import kinds
from tests.http.notices import told as noticed
from tests.http.spaces import call, parent, told
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import World

WRONG = "ABCD-EFGH-JKLM"


def asked(**given):
    """Build the body of an operation."""
    parts = []
    for name, value in given.items():
        kind = {int: "valueInteger", dict: "valueReference"}.get(type(value), "valueString")
        parts += [{"name": name, kind: one} for one in (value if isinstance(value, list) else [value])]
    return {"resourceType": "Parameters"} | ({"parameter": [fixed(part) for part in parts]} if parts else {})


def fixed(part):
    """Write what a list held as references."""
    return {
        name.replace("valueString", "valueReference") if isinstance(v, dict) else name: v for name, v in part.items()
    }


def invite(world, who="camille", patient="camille", **given):
    answer = call(world, who, "invite", patient, asked(**given))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return next(part["valueString"] for part in answer.get_json()["parameter"] if part["name"] == "code")


def redeem(world, who, code):
    return world.send(who, "POST", "/Patient/$redeem", asked(code=code))


def agreed(world, patient="camille"):
    """Return the agreements in the decision state."""
    with world.runtime.ports.store.snapshot() as snapshot:
        record = record_codec.load(snapshot.load_space(PatientId(world.ids[patient])).state)
    return [one for one in record.directives if one.kind is DirectiveKind.AGREEMENT]


def ref(world, name, type_="Practitioner"):
    return {"reference": f"{type_}/{world.ids[name]}"}


@BOTH
def test_a_code_lets_one_professional_in_for_one_consultation(world: World, clock):
    document = world.publish()
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404
    code = invite(world)

    got = told(redeem(world, "martin", code.lower().replace("-", " ")))

    assert got["patient"] == ref(world, "camille", "Patient")
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 200
    assert world.get("nour", f"/DocumentReference/{document}").status_code == 404
    (kept,) = agreed(world)
    assert (kept.grade, kept.proof, kept.by_patient) == (Grade.PATIENT, Proof.CODE, False)
    assert (kept.actors, kept.given_by) == ({f"Practitioner/{world.ids['martin']}"}, "")
    clock.advance(hours=24)
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404


@BOTH
def test_wrong_used_expired_foreign_and_barred_codes_get_one_answer(world: World, clock):
    used = invite(world)
    assert redeem(world, "martin", used).status_code == 200
    answers = [redeem(world, "zoe", used), redeem(world, "nour", WRONG), redeem(world, "nour", "x")]
    foreign = invite(world, audience=ref(world, "nour"))
    answers.append(redeem(world, "zoe", foreign))
    assert redeem(world, "nour", foreign).status_code == 200
    expired = invite(world, minutes=2)
    clock.advance(minutes=2)
    answers.append(redeem(world, "zoe", expired))
    choose(world, world.consent("zoe", "deny"))
    answers.append(redeem(world, "zoe", invite(world)))

    assert {(answer.status_code, answer.get_data()) for answer in answers} == {(422, answers[0].get_data())}
    assert "code-not-usable" in answers[0].get_data(as_text=True)


def test_a_code_for_an_establishment_is_redeemed_by_one_of_its_professionals(world: World):
    code = invite(world, audience=ref(world, "other", "Organization"))

    assert [redeem(world, who, code).status_code for who in ("nour", "martin", "zoe")] == [422, 200, 422]
    (kept,) = agreed(world)
    assert kept.actors == {f"Practitioner/{world.ids['martin']}"}


@BOTH
def test_a_code_is_redeemed_once_by_many_who_come_at_the_same_time(world: World):
    for number in range(4):
        world.professional(f"p{number}", "10", "other")
    code = invite(world)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: redeem(world, f"p{number}", code).status_code, range(4)))

    assert sorted(answers) == [200, 422, 422, 422]
    assert len(agreed(world)) == 1


@BOTH
def test_a_code_opens_the_chosen_documents_only(world: World):
    shown, kept = world.publish(), world.publish()
    code = invite(world, document=[{"reference": f"DocumentReference/{shown}"}])

    redeem(world, "martin", code)

    assert listed(world, "martin") == {shown}
    assert world.get("martin", f"/DocumentReference/{kept}").status_code == 404


def test_the_patient_cancels_a_code_and_a_new_one_replaces_the_earlier(world: World):
    first = invite(world)
    second = invite(world)
    assert redeem(world, "martin", first).status_code == 422
    assert call(world, "camille", "cancel-invitation").status_code == 200
    assert redeem(world, "martin", second).status_code == 422


@BOTH
def test_vain_attempts_are_bounded_and_then_refuse_a_right_code_too(world: World, clock):
    code = invite(world, minutes=300)
    answers = [redeem(world, "zoe", WRONG).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    refused = redeem(world, "zoe", code)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert redeem(world, "martin", code).status_code == 200
    clock.advance(minutes=59)
    assert redeem(world, "zoe", code).headers["Retry-After"] == "60"
    clock.advance(minutes=1)
    assert redeem(world, "zoe", WRONG).status_code == 422


@BOTH
def test_both_sides_read_of_a_code_and_nothing_keeps_it(world: World):
    code = invite(world)
    redeem(world, "zoe", WRONG)
    redeem(world, "martin", code)

    entries = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=50").get_json()["entry"]
    operations = {
        coding["code"] for entry in entries for coding in entry["resource"].get("subtype", []) if "code" in coding
    }
    assert {"invite", "redeem"} <= operations
    notices = noticed(world)
    assert kinds(notices) == ["professional-let-in"]
    assert "martin" in json.dumps(notices)
    own = world.get("martin", f"/AuditEvent?patient={world.ids['camille']}&_count=50").get_json()
    assert own["total"] >= 1
    for text in (json.dumps(entries), json.dumps(notices), json.dumps(own)):
        assert code not in text
        assert code.replace("-", "") not in text


def test_a_minors_secret_stays_closed_to_the_professional_whom_a_guardian_invited(world: World):
    world.patient("lea", "209019999900183", "2009-01-17")
    parent(world, "marc", "lea")
    plain = world.publish(patient="lea")
    secret = world.publish(patient="lea", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
    code = invite(world, "marc", "lea")

    assert redeem(world, "martin", code).status_code == 200

    assert set(world.found("martin", f"/DocumentReference?patient={world.ids['lea']}")) == {plain}
    assert world.get("martin", f"/DocumentReference/{secret}").status_code == 404
    assert redeem(world, "zoe", invite(world, "lea", "lea")).status_code == 200
    assert (
        call(world, "marc", "invite", "lea", asked(document=[{"reference": f"DocumentReference/{secret}"}])).status_code
        == 422
    )


def test_a_guardian_cancels_their_own_code_only(world: World):
    world.patient("lea", "209019999900183", "2009-01-17")
    parent(world, "marc", "lea")
    own, of_lea = invite(world, "marc", "lea"), invite(world, "lea", "lea")
    call(world, "marc", "cancel-invitation", "lea")

    assert redeem(world, "martin", own).status_code == 422
    assert redeem(world, "martin", of_lea).status_code == 200


def test_a_code_of_a_guardian_ends_with_the_guardians_authority(world: World, clock):
    world.patient("lea", "208039999900183", "2008-03-03")
    parent(world, "marc", "lea")
    code = invite(world, "marc", "lea", minutes=1440)
    clock.advance(hours=23)

    assert redeem(world, "martin", code).status_code == 422


def test_only_the_patients_side_invites_and_only_a_professional_redeems(world: World):
    relative(world, "rose")
    for who in ("martin", "chu-ehr"):
        assert call(world, who, "invite").status_code == 403
        assert call(world, who, "cancel-invitation").status_code == 403
    assert call(world, "rose", "invite").status_code == 403
    code = invite(world)
    for who in ("camille", "chu-ehr"):
        assert redeem(world, who, code).status_code == 403
    assert redeem(world, "martin", code).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"minutes": 0},
        {"minutes": 1441},
        {"audience": {"reference": "Practitioner/00000000-0000-4000-8000-000000000009"}},
        {"document": [{"reference": "DocumentReference/00000000-0000-4000-8000-000000000009"}]},
    ],
)
def test_what_no_code_can_be(world: World, given):
    assert call(world, "camille", "invite", body=asked(**given)).status_code == 422


def test_the_picture_shows_the_code_alone(world: World):
    answer = call(world, "camille", "invite")
    picture = next(part["valueAttachment"] for part in answer.get_json()["parameter"] if part["name"] == "qr")

    assert picture["contentType"] == "image/svg+xml"
    assert b"<svg" in b64decode(picture["data"])
    assert answer.headers["Cache-Control"] == "no-store"


@BOTH
def test_codes_in_force_are_listed_without_the_codes(world: World, clock):
    document = {"reference": f"DocumentReference/{world.publish()}"}
    code = invite(world, audience=ref(world, "martin"), document=[document], minutes=30)
    answer = world.get("camille", f"/Patient/{world.ids['camille']}/$invitations")
    (one,) = answer.get_json()["parameter"]
    parts = {part["name"]: part for part in one["part"]}
    assert parts["giver"]["valueReference"] == ref(world, "camille", "Patient")
    assert parts["audience"]["valueReference"] == ref(world, "martin")
    assert parts["document"]["valueReference"] == document
    assert parts["own"]["valueBoolean"] is True
    assert code not in answer.get_data(as_text=True)
    clock.advance(minutes=30)
    assert "parameter" not in call(world, "camille", "invitations").get_json()


def test_a_guardian_sees_the_own_code_only_and_the_patient_not_what_a_guardian_chose(world: World):
    world.patient("lea", "209019999900183", "2009-01-17")
    parent(world, "marc", "lea")
    invite(world, "lea", "lea")
    assert listed_codes(world, "marc") == []
    invite(world, "marc", "lea", audience=ref(world, "martin"))
    assert len(listed_codes(world, "marc")) == 1
    told_to_lea = listed_codes(world, "lea")
    assert len(told_to_lea) == 2
    assert "audience" not in json.dumps(told_to_lea)


def listed_codes(world, who):
    return call(world, who, "invitations", "lea").get_json().get("parameter", [])


def test_only_the_patients_side_lists_codes(world: World):
    invite(world)
    relative(world, "rose")
    for who in ("martin", "chu-ehr", "rose"):
        assert call(world, who, "invitations").status_code == 403
