"""Whom a space lets in and keeps out, on its page: blocking with undo, ending an agreement."""

import re

import pytest

from tests.pages.visitors import camille_at_home, left


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def reads(world) -> bool:
    return world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200


def test_somebody_let_in_is_blocked_and_let_in_again_by_undo(world, camille):
    world.agree("camille", "martin")
    assert reads(world)
    page = camille.get("/people").text
    assert "Martin" in page
    actor = re.search(r'name="actor" value="([^"]+)"', page)[1]
    answer = camille.send("/people/block", actor=actor)
    assert not reads(world)
    page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
    assert "Martin is blocked now" in page
    camille.send(re.search(r'role="status">.*?action="([^"]+)"', page, re.DOTALL)[1].removeprefix(camille.at("")))
    assert "is blocked now" not in camille.get("/people").text
    assert "End the block" not in camille.get("/people").text


def test_an_agreement_is_ended(world, camille):
    world.agree("camille", "martin")
    page = camille.get("/people").text
    path = re.search(r'action="([^"]+/end)"', page)[1].removeprefix(camille.at(""))
    assert camille.send(path).status_code == 303
    assert not reads(world)
    assert "names nobody yet" in camille.get("/people").text


def test_the_page_and_the_block_leave_the_events_of_the_same_requests_of_an_app(world, camille):
    world.agree("camille", "zoe")
    query = f"/Consent?patient={camille.patient}&status=active&_count=100&_include=Consent%3Aactor"
    csrf = camille.csrf(camille.at("/people"))
    assert left(world, lambda: camille.get("/people")) == left(world, lambda: world.get("camille", query)) != []
    actor = f"Practitioner/{world.ids['martin']}"
    by_page = left(world, lambda: camille.send("/people/block", csrf=csrf, actor=actor))
    by_app = left(world, lambda: world.agree("camille", "nour", "deny"))
    kinds = [[event["subtype"], event["action"], event["outcome"], event["ground"]] for event in (*by_page, *by_app)]
    assert len(kinds) == 2
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("actor", ["", "x", "Practitioner/x", "Device/d", "Practitioner/00000000-0000-4000-8000-0"])
def test_who_is_unknown_is_not_blocked(camille, actor):
    assert 400 <= camille.send("/people/block", actor=actor).status_code < 500
    assert "End the block" not in camille.get("/people").text


def test_nobody_ends_a_choice_of_another_space(world, camille):
    world.patient("ines", "210039999900255", "2010-06-01")
    own = {
        "patient": {"reference": f"Patient/{world.ids['ines']}"},
        "performer": [{"reference": f"Patient/{world.ids['ines']}"}],
    }
    made = world.send("ines", "POST", "/Consent", world.consent("martin") | own)
    id_ = made.headers["Location"].split("/Consent/")[1].split("/")[0]
    unknown = "00000000-0000-4000-8000-000000000009"
    answers = [camille.send(f"/people/{one}/end") for one in (id_, unknown)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(id_, unknown) == answers[1].text
