"""Emergencies at the desk: declared, short, seen on each page, ended early; what they open, and what they leave."""

import re

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.application.core import lockdown
from tests.pages.professionals import NUMBER, at_desk, proven_again
from tests.pages.visitors import left

REASON = {"reason": "unconscious", "words": "found at home", "confirmed": "yes", "number": NUMBER}
OPENING = "/openings/emergency"


@pytest.fixture
def martin(world):
    return proven_again(at_desk(world))


def within(visitor, path):
    return visitor.get(f"/emergencies/{visitor.world.ids['camille']}{path}")


def test_an_emergency_opens_what_it_permits_and_is_ended_early(world, martin):
    document, hidden = world.publish(), world.publish()
    world.hide(hidden)
    opened = martin.follows(martin.send(OPENING, **REASON))
    assert document in opened.text
    assert hidden not in opened.text
    for page in (opened, within(martin, f"/documents/{document}")):
        assert "It ends at" in page.text
        assert "End it now" in page.text
    assert within(martin, f"/documents/{hidden}").status_code == 404
    assert martin.get(martin.of_patient("/documents")).status_code == 403
    assert martin.send(f"/emergencies/{world.ids['camille']}/end").status_code == 303
    ended = within(martin, "/documents")
    assert (ended.status_code, document in ended.text) == (403, False)
    assert "No emergency access is open here" in ended.text


def test_it_ends_by_itself_after_a_quarter_of_an_hour(world, martin, clock):
    document = world.publish()
    martin.send(OPENING, **REASON)
    clock.advance(minutes=14)
    assert within(martin, f"/documents/{document}").status_code == 200
    clock.advance(minutes=2)
    assert within(martin, f"/documents/{document}").status_code == 403


def test_the_opening_leaves_the_events_of_the_same_opening_by_an_app(world, martin):
    world.in_mode("urgent", "martin", ("10", "other", Capacity.NONE), Purpose.BREAK_GLASS)
    path, reason = (
        f"/Patient/{world.ids['camille']}/$break-glass",
        [{"name": "reason", "valueString": "unconscious: x"}],
    )
    csrf = martin.csrf(martin.at("/patients"))
    by_page = left(world, lambda: martin.send(OPENING, csrf=csrf, **REASON))
    body = {"resourceType": "Parameters", "parameter": reason}
    by_app = left(world, lambda: world.send("urgent", "POST", path, body))
    kinds = [
        [(one["subtype"], one["action"], one["outcome"], one["purposeOfEvent"]) for one in each]
        for each in (by_page, by_app)
    ]
    assert kinds[0] == kinds[1] != []
    told = world.get("camille", f"/Communication?patient={world.ids['camille']}").get_data(as_text=True)
    assert "Martin" in told


def test_a_declaration_that_is_not_whole_opens_nothing_and_names_the_field(martin):
    for name in ("reason", "words", "confirmed", "number"):
        answer = martin.send(OPENING, **(REASON | {name: ""}))
        assert answer.status_code == 422
        assert f'href="#{name}"' in answer.text
    assert within(martin, "/documents").status_code == 403


def test_a_weak_or_old_sign_in_is_asked_for_again_and_leads_back(world, martin, clock):
    clock.advance(minutes=6)
    for answer in (martin.get(OPENING), martin.send(OPENING, **REASON)):
        assert answer.status_code == 401
        assert f"/login?then={martin.at(OPENING)}" in answer.text.replace("%2F", "/")
    weak = at_desk(world, "nour", "chu")
    assert weak.get(OPENING).status_code == 401


def test_a_patient_who_switched_it_off_and_somebody_unknown_are_answered_alike(world, martin):
    switched = world.consent("martin", "deny")
    switched["provision"] = {
        "type": "deny",
        "purpose": [{"system": switched["provision"]["purpose"][0]["system"], "code": "BTG"}],
    }
    assert world.send("camille", "POST", "/Consent", switched).status_code == 201
    off, nobody = (martin.send(OPENING, **(REASON | {"number": one})) for one in (NUMBER, "284039999900247"))
    csrf = re.compile(r'name="csrf" value="[^"]+"')
    assert (off.status_code, csrf.sub("", off.text)) == (422, csrf.sub("", nobody.text))


def test_a_lockdown_closes_the_desk_and_lets_emergencies_through(world, martin):
    document, csrf = world.publish(), martin.csrf(martin.at("/patients"))
    lockdown.switch_on(world.runtime, "oscar", "an attack")
    assert martin.get("/patients").status_code == 503
    assert martin.get(OPENING).status_code == 200
    assert document in martin.follows(martin.send(OPENING, csrf=csrf, **REASON)).text


def test_only_a_regulating_physician_regulates_and_sees_it_for_longer(world, martin, clock):
    assert martin.get("/openings/regulation").status_code == 404
    roux = proven_again(at_desk(world, "nour", "chu", regulator=True))
    document = world.publish()
    told = {"words": "call 15-0042: chest pain", "confirmed": "yes", "number": NUMBER}
    assert document in roux.follows(roux.send("/openings/regulation", **told)).text
    clock.advance(minutes=20)
    assert within(roux, f"/documents/{document}").status_code == 200


@pytest.mark.parametrize("path", [OPENING, "/emergencies/{}/end"])
def test_forms_are_refused_without_token_by_a_foreign_origin_and_after_sign_out(world, martin, path):
    martin.send(OPENING, **REASON)
    path, csrf = path.format(world.ids["camille"]), martin.csrf(martin.at("/patients"))
    assert martin.send(path, **(REASON | {"csrf": "x"})).status_code == 403
    assert martin.send(path, {"Origin": "https://elsewhere.example"}, **(REASON | {"csrf": csrf})).status_code == 403
    assert within(martin, "/documents").status_code == 200
    martin.web.post("/logout", data={"csrf": csrf}, base_url="http://localhost:8080")
    assert martin.send(path, **(REASON | {"csrf": csrf})).status_code == 401
