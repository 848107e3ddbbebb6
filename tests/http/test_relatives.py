"""Relatives by invitation, over HTTP: named by the patient's side, they join by a code and act until the end."""

from datetime import timedelta

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import find_account
from tests.http.spaces import call, parent, sign_in
from tests.http.test_invitations import asked
from tests.http.test_terms import events, notices, work
from tests.pages.visitors import an_account
from tests.world import LABORATORY

UNTIL = "2026-05-01T22:00:00Z"
WRONG = "AAAA-AAAA-AAAA"


@pytest.fixture
def rose(world):
    """Rose has a space and an account of her own."""
    world.patient("rose", "250039999900276", "1950-03-02")
    an_account(world, "rose", "rose")
    return world


def invite(world, who="camille", patient="camille", **given):
    return call(world, who, "invite-relative", patient, asked(**{"name": "Rose", "until": UNTIL} | given))


def code_of(answer) -> str:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return next(one["valueString"] for one in answer.get_json()["parameter"] if one["name"] == "code")


def consent_of(answer) -> str:
    named = next(one for one in answer.get_json()["parameter"] if one["name"] == "consent")
    return named["valueReference"]["reference"].partition("/")[2]


def accept(world, who, code):
    return world.send(who, "POST", "/Patient/$accept-invitation", asked(code=code))


def act(world, name="rose", patient="camille") -> str:
    """Give the person who has joined a token for the patient, and return as whom they act."""
    joined = find_account(world.runtime, name).represented_patient(world.ids[patient])
    world.ids[f"{name}-for-{patient}"] = joined.person.partition("/")[2]
    sign_in(world, f"{name}-for-{patient}", patient, RequesterKind.RELATED)
    return f"{name}-for-{patient}"


def reads(world, who, patient="camille") -> int:
    return world.get(who, f"/DocumentReference?patient={world.ids[patient]}").status_code


def test_a_carer_joins_by_the_code_and_acts_until_the_end(rose, clock):
    world, document = rose, rose.publish()
    made = invite(world)
    assert accept(world, "rose", code_of(made).lower().replace("-", " ")).status_code == 200
    who = act(world)
    assert world.found(who, f"/DocumentReference?patient={world.ids['camille']}") == [document]
    assert find_account(world.runtime, "rose").represented_patient(world.ids["camille"]).label == "Camille"
    clock.at = clock.at.replace(month=5, day=1, hour=22, minute=0)
    assert reads(world, who) == 403


def test_a_carer_sees_the_classes_that_were_chosen(rose):
    world = rose
    seen = world.publish(type_=LABORATORY, category=("11", "Synthese"))
    world.publish()
    assert accept(world, "rose", code_of(invite(world, **{"class": ["11"]}))).status_code == 200
    assert world.found(act(world), f"/DocumentReference?patient={world.ids['camille']}") == [seen]


def test_the_patient_ends_it_at_once(rose):
    world, made = rose, invite(rose)
    accept(world, "rose", code_of(made))
    who = act(world)
    assert reads(world, who) == 200
    kept = world.get("camille", f"/Consent/{consent_of(made)}").get_json()
    assert world.send("camille", "PUT", f"/Consent/{kept['id']}", kept | {"status": "inactive"}).status_code == 200
    assert reads(world, who) == 403


def test_who_was_invited_invites_nobody(rose):
    world = rose
    accept(world, "rose", code_of(invite(world)))
    who = act(world)
    assert invite(world, who).status_code == 403
    assert call(world, who, "invite", "camille", asked()).status_code == 403


def test_wrong_used_ended_and_own_codes_get_one_answer(rose, clock):
    world = rose
    used, ended, own = (code_of(invite(world, name=name)) for name in ("One", "Two", "Three"))
    consents = world.get("camille", f"/Consent?patient={world.ids['camille']}&status=active").get_json()["entry"]
    assert accept(world, "rose", used).status_code == 200
    texts = {accept(world, "rose", code).get_data() for code in (WRONG, "x", used, own)}
    (of_two,) = [
        one["resource"]
        for one in consents
        if one["resource"].get("policyRule", {}).get("coding", [{}])[0].get("code") == "carer"
        and _name(world, one["resource"]) == "Two"
    ]
    world.send("camille", "PUT", f"/Consent/{of_two['id']}", of_two | {"status": "inactive"})
    world.patient("paul", "150039999900243")
    an_account(world, "paul", "paul")
    texts.add(accept(world, "paul", ended).get_data())
    an_account(world, "camille", "camille")
    texts.add(accept(world, "camille", own).get_data())
    clock.advance(days=8)
    texts.add(accept(world, "paul", own).get_data())
    assert len(texts) == 1


def _name(world, consent):
    person = consent["provision"]["actor"][0]["reference"]["reference"]
    return world.get("camille", f"/{person}").get_json()["name"][0]["text"]


def test_after_too_many_vain_codes_a_right_one_is_refused_too(rose):
    world, code = rose, code_of(invite(rose))
    answers = [accept(world, "rose", WRONG).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    refused = accept(world, "rose", code)
    assert (refused.status_code, bool(refused.headers["Retry-After"])) == (429, True)


@pytest.mark.parametrize(
    ("who", "given", "status"),
    [
        ("martin", {}, 403),
        ("chu-ehr", {}, 403),
        ("camille", {"as": "representative", "until": None}, 403),
        ("camille", {"as": "friend"}, 400),
        ("camille", {"until": None}, 422),
        ("camille", {"until": "2020-01-01T00:00:00Z"}, 422),
        ("camille", {"until": "soon"}, 400),
        ("camille", {"name": "x" * 81}, 422),
        ("camille", {"name": "a\u202eb"}, 422),
        ("camille", {"class": ["no class"]}, 422),
    ],
)
def test_what_may_not_be_said_is_refused_and_nothing_is_stored(rose, who, given, status):
    world = rose
    before = world.found("camille", f"/RelatedPerson?patient={world.ids['camille']}")
    said = {name: value for name, value in ({"name": "Rose", "until": UNTIL} | given).items() if value is not None}
    answer = call(world, who, "invite-relative", "camille", asked(**said))
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert world.found("camille", f"/RelatedPerson?patient={world.ids['camille']}") == before


def test_a_fourth_carer_is_refused(rose):
    assert [invite(rose, name=str(number)).status_code for number in range(4)] == [200, 200, 200, 422]


def test_a_sixth_patient_is_refused_to_a_carer(rose):
    world = rose
    for number in range(6):
        world.patient(f"p{number}", f"18403999990{number:04}", "1950-01-01")
        code = code_of(invite(world, f"p{number}", f"p{number}"))
        assert accept(world, "rose", code).status_code == (422 if number == 5 else 200)


def test_the_second_parent_joins_by_the_invitation_of_the_first(rose):
    world = rose
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    made = call(world, "marc", "invite-relative", "ines", asked(**{"name": "Rose", "as": "representative"}))
    assert accept(world, "rose", code_of(made)).status_code == 200
    assert reads(world, act(world, patient="ines"), "ines") == 200


def test_both_sides_are_told_two_days_before_the_end_and_once(rose, clock):
    world = rose
    accept(world, "rose", code_of(invite(world)))
    ended = invite(world, name="Paul")
    kept = world.get("camille", f"/Consent/{consent_of(ended)}").get_json()
    world.send("camille", "PUT", f"/Consent/{kept['id']}", kept | {"status": "inactive"})
    who = act(world)
    clock.at = clock.at.replace(month=4, day=29, hour=21)
    work(world)
    assert "carer-ends" not in notices(world)
    clock.advance(hours=2)
    for _ in range(2):
        work(world)
    assert notices(world).count("carer-ends") == 2, "the patient reads the carer's notice too"
    assert notices(world, who=who) == ["carer-ends"]
    assert events(world) == ["carer-ends"]


def test_a_carer_of_one_day_is_not_told_afterwards(rose, clock):
    world = rose
    invite(world, until=(clock.at + timedelta(days=1)).isoformat())
    clock.advance(days=3)
    work(world)
    assert "carer-ends" not in notices(world)


def test_the_space_tells_who_was_invited_and_who_joined(rose):
    world = rose
    accept(world, "rose", WRONG)
    accept(world, "rose", code_of(invite(world)))
    found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&date=ge2020").get_json()["entry"]
    codes = [one["resource"]["subtype"][-1]["code"] for one in found]
    assert {"invite-relative", "accept-invitation"} <= set(codes)
    assert codes.count("accept-invitation") == 1
