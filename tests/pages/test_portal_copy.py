"""Taking a copy of the whole space on its page: the same copy and the same event as an app's, and who is refused."""

import pytest

from tests.http.test_space_copies import files, path, resources
from tests.pages.visitors import SITE, camille_at_home, left


@pytest.fixture
def camille(world):
    world.publish(), world.publish()
    return camille_at_home(world)


def test_the_page_says_what_a_copy_holds_and_the_form_sends_it(world, camille):
    page = camille.get("/copy")
    assert page.status_code == 200
    assert "Download the copy" in page.text
    assert "Space of Camille" in page.text
    assert camille.at("/copy") in camille.get("/documents").text
    by_page, by_app = files(camille.send("/copy/file")), files(world.get("camille", path(world)))
    assert resources(by_page) == resources(by_app)
    assert by_page.keys() == by_app.keys()


def test_the_form_leaves_the_event_of_an_app(world, camille):
    csrf = camille.csrf(camille.at("/copy"))
    by_page = left(world, lambda: _whole(camille.send("/copy/file", csrf=csrf)))
    assert by_page == left(world, lambda: _whole(world.get("camille", path(world)))) != []
    assert len(by_page) == 1


def _whole(answer):
    answer.get_data()
    return answer


def test_who_signed_in_long_ago_is_asked_to_sign_in_again(camille, clock):
    csrf = camille.csrf(camille.at("/copy"))
    clock.advance(minutes=16)
    page = camille.get("/copy").text
    assert "Sign in again" in page
    assert "Download the copy" not in page
    assert camille.send("/copy/file", csrf=csrf).status_code == 401


def test_a_form_without_token_from_elsewhere_or_after_the_sign_out_is_refused(world, camille):
    csrf = camille.csrf(camille.at("/copy"))
    assert camille.send("/copy/file", csrf="x").status_code == 403
    assert camille.send("/copy/file", {"Origin": "https://elsewhere.example"}, csrf=csrf).status_code == 403
    assert camille.web.post("/logout", data={"csrf": csrf}, base_url=SITE).status_code == 303
    assert camille.send("/copy/file", csrf=csrf).status_code == 401
    assert world.web.get(camille.at("/copy"), base_url=SITE).status_code == 303


def test_nobody_takes_a_copy_of_a_space_for_which_they_do_not_act(world, camille):
    world.patient("ines", "210039999900255", "2010-06-01")
    for patient in (world.ids["ines"], "00000000-0000-4000-8000-000000000009"):
        answer = camille.send(f"//account/spaces/{patient}/copy/file")
        assert answer.status_code == 404
