"""Every page and every form of the portal, from the URL map: who is refused before the view runs, and how."""

import re

import pytest

from tests.http.spaces import UNKNOWN
from tests.pages.visitors import SITE, Visitor, a_professional, an_account, camille_at_home

_OF_EVERYBODY = frozenset({"portal.join"})
"""Forms of whoever is signed in, which belong to no role and no space."""
_CHOICE = re.compile(r"<any\((\w+).*?\):[a-z_]+>")
_VARIABLE = re.compile(r"<(?:[a-z_]+(?:\(.*?\))?:)?([a-z_]+)>")


def addresses(world, method: str, patient: str = UNKNOWN) -> dict[str, str]:
    """Return an address of each endpoint of the portal that takes a method. patient: id that stands in it."""
    found = {}
    for rule in world.web.application.url_map.iter_rules():
        if rule.endpoint.startswith("portal.") and method in (rule.methods or ()):
            chosen = _CHOICE.sub(r"\1", rule.rule)
            filled = _VARIABLE.sub(lambda name: patient if name[1] == "patient" else UNKNOWN, chosen)
            found[rule.endpoint] = filled
    return found


def answers(world, visitor: Visitor, patient: str, headers=None, **sent: str) -> dict[str, int]:
    """Send every form of the portal and return the status of each answer."""
    return {
        name: visitor.web.post(path, data=sent, headers=headers, base_url=SITE).status_code
        for name, path in addresses(world, "POST", patient).items()
    }


def everywhere(found: dict[str, int], *expected: int) -> bool:
    assert found
    assert {name: status for name, status in found.items() if status not in expected} == {}
    return True


def place(answer) -> str:
    """Return where an answer leads, without the page that the sign-in shall show afterwards."""
    return answer.headers.get("Location", "").partition("?")[0]


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.mark.parametrize("csrf", [None, "", "x", "é"])
def test_without_the_token_of_the_session_every_form_is_refused(world, camille, csrf):
    sent = {} if csrf is None else {"csrf": csrf}
    assert everywhere(answers(world, camille, camille.patient, **sent), 403)


def test_with_the_token_of_another_session_every_form_is_refused(world, camille):
    other = Visitor(world, "camille", camille.patient)
    csrf = other.csrf(other.at("/documents"))
    assert everywhere(answers(world, camille, camille.patient, csrf=csrf), 403)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_from_a_foreign_origin_every_form_is_refused(world, camille, headers):
    csrf = camille.csrf(camille.at("/documents"))
    assert everywhere(answers(world, camille, camille.patient, headers, csrf=csrf), 403)


def test_without_a_session_every_form_is_refused_and_every_page_leads_to_the_sign_in(world, camille):
    stranger = world.web.application.test_client()
    camille.web = stranger
    assert everywhere(answers(world, camille, camille.patient, csrf="x"), 401)
    for name, path in addresses(world, "GET", camille.patient).items():
        answer = stranger.get(path, base_url=SITE)
        assert (name, answer.status_code, place(answer)) == (name, 303, "/login")


def test_after_the_sign_out_every_form_is_refused_and_every_page_leads_to_the_sign_in(world, camille):
    csrf = camille.csrf(camille.at("/documents"))
    camille.web.post("/logout", data={"csrf": csrf}, base_url=SITE)
    assert everywhere(answers(world, camille, camille.patient, csrf=csrf), 401)
    pages = addresses(world, "GET", camille.patient).values()
    assert {place(camille.web.get(path, base_url=SITE)) for path in pages} == {"/login"}


def test_somebody_of_another_space_or_role_finds_no_page_and_no_form(world, camille):
    """Each answer is the same as for a space that nobody has."""
    world.patient("ines", "210039999900255", "2010-06-01")
    an_account(world, "ines", "ines")
    a_professional(world, "martin", "other")
    own = Visitor(world, "ines", world.ids["ines"])
    csrf = own.csrf(own.at("/documents"))
    of_space = {name for name, path in addresses(world, "POST").items() if path.startswith("/account/spaces/")}
    for patient in (camille.patient, UNKNOWN):
        found = answers(world, own, patient, csrf=csrf)
        assert everywhere({name: found[name] for name in of_space}, 404)
        assert everywhere({name: status for name, status in found.items() if name not in _OF_EVERYBODY}, 403, 404)
    _finds_no_page(world, own, camille.patient)
    _finds_no_page(world, Visitor(world, "martin"), camille.patient)


def _finds_no_page(world, visitor: Visitor, patient: str) -> None:
    for name, path in addresses(world, "GET", patient).items():
        if path.startswith("/account/spaces/"):
            one, other = (visitor.web.get(at, base_url=SITE) for at in (path, path.replace(patient, UNKNOWN)))
            assert (name, one.status_code) == (name, 404)
            assert one.text.replace(patient, UNKNOWN) == other.text
