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


def actor_of(page: str, form: str) -> str:
    found = re.search(rf'action="[^"]*/people/{form}">.*?name="actor" value="([^"]+)"', page, re.DOTALL)
    assert found, form
    return found[1]


def test_somebody_looked_up_is_blocked_before_any_access_and_let_in_again_by_undo(world, camille):
    world.practice("martin", "other")
    page = camille.get("/people/directory?name=mart").text
    assert "Martin" in page
    answer = camille.send("/people/block", actor=actor_of(page, "block"))
    assert world.agree("martin", "martin").status_code == 403
    page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
    assert "Martin is blocked now" in page
    camille.send(re.search(r'role="status">.*?action="([^"]+)"', page, re.DOTALL)[1].removeprefix(camille.at("")))
    assert world.agree("martin", "martin").status_code == 201


def test_an_establishment_is_looked_up_by_name_and_town(world, camille):
    for name, town in (("Clinic of the Alders", "Lyon"), ("Clinic of the Oaks", "Lille")):
        number = {"system": "urn:example:places", "value": name}
        world.record(name, {"resourceType": "Organization", "identifier": [number], "name": name} | _in(town))
    assert "of the Oaks" in camille.get("/people/directory?name=Clinic").text
    page = camille.get("/people/directory?name=Clinic&town=lyon").text
    assert "Clinic of the Alders" in page
    assert "of the Oaks" not in page
    assert camille.send("/people/block", actor=actor_of(page, "block")).status_code == 303


def _in(town: str) -> dict[str, object]:
    return {"address": [{"city": town}]}


def test_nothing_is_asked_for_without_two_letters_and_nothing_found_says_what_to_do(world, camille):
    assert left(world, lambda: camille.get("/people/directory")) == []
    answer = camille.get("/people/directory?name=m")
    assert (answer.status_code, 'href="#name"' in answer.text) == (422, True)
    assert "Look at the spelling" in camille.get("/people/directory?name=nobodyhere").text
    assert camille.get("/people/directory?name=a%5Cb%2C%24%7C%00&town=%5C").status_code < 500


def test_who_has_left_is_not_found(world, camille):
    world.practice("martin", "other")
    id_ = world.ids["martin@other"]
    role = world.get("keeper", f"/PractitionerRole/{id_}").get_json()
    assert world.send("keeper", "PUT", f"/PractitionerRole/{id_}", role | {"active": False}).status_code == 200
    assert "Martin" not in camille.get("/people/directory?name=martin").text.split("<main", 1)[1].split("<form", 2)[-1]


def test_the_attending_physician_is_declared_changed_and_ended(world, camille):
    document = world.publish()
    world.hide(document)
    for name in ("martin", "nour"):
        world.practice(name, "other")
        page = camille.get(f"/people/directory?name={name}").text
        answer = camille.send("/people/physician", actor=actor_of(page, "physician"))
        page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
        assert f"{name.title()} is the declared attending physician now" in page
        assert page.count("End the declaration") == 1
    seen = f"/DocumentReference?patient={world.ids['camille']}"
    assert world.get("martin", seen).status_code == 403
    assert world.found("nour", seen) == [document]
    path = re.search(r'action="([^"]+/end)"', camille.get("/people").text)[1].removeprefix(camille.at(""))
    camille.send(path)
    assert "No attending physician is declared" in camille.get("/people").text
    assert world.get("nour", seen).status_code == 403


def test_who_is_no_physician_is_not_declared(world, camille):
    world.practice("zoe", "other", "28")
    assert "Declare as attending physician" not in camille.get("/people/directory?name=zoe").text


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
