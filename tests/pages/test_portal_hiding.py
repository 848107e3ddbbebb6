"""Hiding a document on its pages: before and after, undo, and forms that are refused."""

import json

import pytest

from consent_rules.vocabulary import RequesterKind
from tests.pages.visitors import SITE, Visitor, an_account, camille_at_home, left
from tests.world import JSON_PATCH, TRE_A07


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def document(world):
    world.agree("camille", "martin")
    return world.publish()


def sees(world, document: str) -> bool:
    return world.get("martin", f"/DocumentReference/{document}").status_code == 200


def test_a_document_is_hidden_and_shown_again_by_undo(world, camille, document):
    assert sees(world, document)
    answer = camille.send(f"/documents/{document}/hide")
    assert answer.status_code == 303
    page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
    assert "This document is hidden from professionals now." in page
    assert f'action="{camille.at(f"/documents/{document}/show")}"' in page
    assert not sees(world, document)
    camille.send(f"/documents/{document}/show")
    assert sees(world, document)


def test_the_page_claims_nothing_that_was_not_done(camille, document):
    page = camille.get(f"/documents/{document}?done=hidden").text
    assert "This document is hidden from professionals now." not in page


def test_the_audience_is_that_of_the_operation(world, camille, document):
    world.colleague("lise", "99700001234", "other")
    world.agree("camille", "lise")
    shown = camille.get(f"/documents/{document}/audience").text
    told = world.get("camille", f"/DocumentReference/{document}/$audience?proposed=hidden").get_json()
    assert '"Lise"' in json.dumps(told)
    of_lise = shown.partition("Lise")[2].partition("</li>")[0]
    before, after = of_lise.split("If you hide it:")
    assert "sees it" in before
    assert "does not see it" in after


def test_pages_leave_the_events_of_the_same_requests_of_an_app(world, camille):
    first, second = world.publish(), world.publish()
    value = {"coding": [{"system": TRE_A07, "code": "MASQUE_PS"}]}
    adding = [{"op": "add", "path": "/securityLabel/-", "value": value}]
    csrf = camille.csrf(camille.at("/documents"))
    by_page = left(world, lambda: camille.send(f"/documents/{first}/hide", csrf=csrf))
    by_app = left(world, lambda: world.send("camille", "PATCH", f"/DocumentReference/{second}", adding, JSON_PATCH))
    assert told(by_page, first) == told(by_app, second) != []
    by_page = left(world, lambda: camille.get(f"/documents/{first}/audience"))
    by_app = left(world, lambda: world.get("camille", f"/DocumentReference/{second}"))
    by_app += left(world, lambda: world.send("camille", "POST", f"/DocumentReference/{second}/$audience"))
    about = f"/Consent?patient={camille.patient}&status=active&data=DocumentReference%2F{second}&_count=50"
    by_app += left(world, lambda: world.get("camille", about))
    assert told(by_page, first) == told(by_app, second)


class TestRefusedForms:
    """Every form of the portal is refused unless a page of this server sent it in this session."""

    @pytest.fixture(params=["hide", "show"])
    def path(self, request, document):
        return f"/documents/{document}/{request.param}"

    def test_without_the_token_of_the_session(self, world, camille, document, path):
        world.patient("ines", "210039999900255", "2010-06-01")
        an_account(world, "ines", "ines")
        ines = Visitor(world, "ines", world.ids["ines"])
        for csrf in ("", "x", "é", ines.csrf(ines.at("/documents"))):
            assert camille.send(path, csrf=csrf).status_code == 403
        assert sees(world, document)

    @pytest.mark.parametrize(
        "headers",
        [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
        ids=["origin", "opaque", "fetch"],
    )
    def test_from_another_site(self, world, camille, document, path, headers):
        assert camille.send(path, headers).status_code == 403
        assert sees(world, document)

    def test_of_somebody_else_and_of_another_role(self, world, camille, document, path):
        world.patient("ines", "210039999900255", "2010-06-01")
        an_account(world, "ines", "ines")
        an_account(world, "nour", kind=RequesterKind.PROFESSIONAL)
        own = f"/account/spaces/{world.ids['ines']}/documents"
        for login, at in (("ines", own), ("nour", "/account/apps")):
            visitor = Visitor(world, login, camille.patient)
            assert visitor.send(path, csrf=visitor.csrf(at)).status_code == 404
        assert sees(world, document)

    def test_after_the_sign_out(self, world, camille, document, path):
        csrf = camille.csrf(camille.at("/documents"))
        camille.web.post("/logout", data={"csrf": csrf}, base_url=SITE)
        assert camille.send(path, csrf=csrf).status_code == 401
        assert sees(world, document)

    def test_by_a_link(self, camille, path):
        assert camille.get(path).status_code == 405

    def test_about_a_hidden_and_an_unknown_document_alike(self, world, camille):
        sealed, unknown = world.publish(marks=("INVISIBLE_PATIENT",)), "00000000-0000-4000-8000-000000000009"
        answers = [camille.send(f"/documents/{id_}/hide") for id_ in (sealed, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(sealed, unknown) == answers[1].text


def told(events: list[dict], document: str) -> list[str]:
    """Return events of one instant as texts, in an order of their own."""
    return sorted(str(event).replace(document, "document") for event in events)
