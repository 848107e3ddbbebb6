"""One document kept from somebody, or left to some people only, on the page of its audience; each with undo (E4)."""

import re

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.domain.consents.elements import DECLARED
from tests.http.spaces import call
from tests.pages.visitors import SITE, camille_at_home, left
from tests.world import World

UNKNOWN = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def document(world):
    world.professional("paul", "10", "other")
    for who in ("martin", "paul"):
        world.agree("camille", who)
    return world.publish()


def sees(world: World, who: str, document: str) -> bool:
    return world.get(who, f"/DocumentReference/{document}").status_code == 200


def after(camille, answer) -> str:
    assert answer.status_code == 303, answer.text
    return camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text


def undo(page: str) -> str:
    return re.search(r'role="status">.*?action="([^"]+)"', page, re.DOTALL)[1]


def test_a_document_is_kept_from_one_and_given_back_by_undo(world, camille, document):
    other = world.publish()
    page = after(camille, camille.send(f"/documents/{document}/keep", actor=f"Practitioner/{world.ids['martin']}"))
    assert "This document is kept from Martin." in page
    assert not sees(world, "martin", document)
    assert sees(world, "martin", other)
    assert sees(world, "paul", document)
    camille.send(undo(page).removeprefix(camille.at("")))
    assert sees(world, "martin", document)
    assert "is kept from" not in camille.get(f"/documents/{document}/audience").text


def test_a_document_is_left_to_some_only_and_to_all_again(world, camille, document):
    page = after(camille, camille.send(f"/documents/{document}/only", actor=f"Practitioner/{world.ids['paul']}"))
    assert "only Paul may see this document" in page
    assert not sees(world, "martin", document)
    assert sees(world, "paul", document)
    world.professional("late", "10", "other")
    world.agree("camille", "late")
    assert not sees(world, "late", document)
    camille.send(undo(page).removeprefix(camille.at("")))
    assert sees(world, "martin", document)


def test_what_the_page_says_of_emergencies_depositors_and_physicians_holds(world, camille, document):
    other = world.publish()
    world.in_mode("martin-btg", "martin", ("10", "other", Capacity.NONE), Purpose.BREAK_GLASS)
    camille.send(f"/documents/{document}/only", actor=f"Practitioner/{world.ids['paul']}")
    reason = {"name": "reason", "valueString": "unconscious, found at home"}
    opening = {"resourceType": "Parameters", "parameter": [reason]}
    assert call(world, "martin-btg", "break-glass", body=opening).status_code == 200
    assert [sees(world, "martin-btg", one) for one in (other, document)] == [True, False]
    assert sees(world, "chu-ehr", document)
    declared = world.consent("martin", role={"system": DECLARED[0], "code": DECLARED[1]})
    assert world.send("camille", "POST", "/Consent", declared).status_code == 201
    assert sees(world, "martin", document)


def test_choosing_nobody_keeps_it_from_nobody(world, camille, document):
    assert "kept from" not in after(camille, camille.send(f"/documents/{document}/only"))
    assert sees(world, "martin", document)


def test_an_unknown_document_is_refused_and_nothing_recorded(world, camille):
    actor, choices = f"Practitioner/{world.ids['martin']}", f"/Consent?patient={camille.patient}&status=active"
    before = world.found("camille", choices)
    for path, named in (("keep", actor), ("only", actor), ("keep", ""), ("keep", "Device/x"), ("only", "x")):
        assert camille.send(f"/documents/{UNKNOWN}/{path}", actor=named).status_code == 422, (path, named)
    assert world.found("camille", choices) == before


def test_the_choice_leaves_the_event_of_the_same_request_of_an_app(world, camille, document):
    csrf, second = camille.csrf(camille.at("/documents")), world.publish()
    actor = f"Practitioner/{world.ids['martin']}"
    by_page = left(world, lambda: camille.send(f"/documents/{document}/keep", csrf=csrf, actor=actor))
    consent = world.consent("martin", "deny")
    consent["provision"]["data"] = [{"meaning": "instance", "reference": {"reference": f"DocumentReference/{second}"}}]
    by_app = left(world, lambda: world.send("camille", "POST", "/Consent", consent))
    assert [[one["subtype"], one["outcome"], one["ground"]] for one in by_page] == [
        [one["subtype"], one["outcome"], one["ground"]] for one in by_app
    ]
    assert len(by_page) == 1


def test_forms_of_nobody_and_of_other_sites_are_refused(world, camille, document):
    for path in (f"/documents/{document}/keep", f"/documents/{document}/only"):
        assert camille.send(path, csrf="x").status_code == 403
        stranger = world.web.application.test_client()
        assert stranger.post(camille.at(path), data={"csrf": "x"}, base_url=SITE).status_code == 401
