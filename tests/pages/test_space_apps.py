"""The apps of a space on its page, and the sign-out on every device."""

import re

import pytest

from fhir_server.application.core import lockdown
from fhir_server.application.identity.accounts import find_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.http.pages.sign_in.frame import is_own_page
from tests.http.spaces import UNKNOWN
from tests.pages.visitors import PASSWORD, SITE, Visitor, an_account, camille_at_home, events

SCOPES = "patient/DocumentReference.rs offline_access"


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def let_in(world, name: str, who: str = "camille", patient: str = "camille", scopes: str = SCOPES) -> None:
    """Let an app act for somebody who has an account; its token has the name of the app."""
    app = Client(id=name, name=f"App {name}", kind=ClientKind.PATIENT_APP)
    account = find_account(world.runtime, who)
    world.tokens[name] = world.mint(client=app, account=account, scopes=scopes, launch_patient=world.ids[patient])


def reads(world, name: str) -> int:
    return world.get(name, f"/DocumentReference?patient={world.ids['camille']}").status_code


class TestApps:
    def test_an_app_is_told_in_words_and_ended_at_once(self, world, camille):
        let_in(world, "pulse")
        page = camille.get("/apps").text
        assert "App pulse" in page
        assert "read, search" in page
        assert reads(world, "pulse") == 200
        path = re.search(r'action="([^"]+/apps/[^"]+/end)"', page)[1].removeprefix(camille.at(""))
        answer = camille.send(path)
        assert reads(world, "pulse") == 401
        page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
        assert "This app is ended" in page
        assert "App pulse" not in page

    def test_an_app_of_another_space_or_person_is_as_unknown(self, world, camille):
        world.patient("ines", "210039999900255", "2010-06-01")
        an_account(world, "ines", "ines")
        let_in(world, "pulse", "ines", "ines")
        ines = Visitor(world, "ines", world.ids["ines"])
        grant = re.search(r"/apps/([^/]+)/end", ines.get("/apps").text)[1]
        assert "App pulse" not in camille.get("/apps").text
        answers = [camille.send(f"/apps/{one}/end") for one in (grant, UNKNOWN)]
        assert [one.status_code for one in answers] == [404, 404]
        assert answers[0].text.replace(grant, UNKNOWN) == answers[1].text
        assert world.get("pulse", f"/Patient/{world.ids['ines']}").status_code != 401

    def test_an_app_is_ended_during_a_lockdown_too(self, world, camille):
        let_in(world, "pulse")
        csrf = camille.csrf(camille.at("/apps"))
        lockdown.switch_on(world.runtime, "tester", "a test")
        try:
            assert camille.get("/documents").status_code == 503
            page = camille.get("/apps").text
            path = re.search(r'action="([^"]+/apps/[^"]+/end)"', page)[1].removeprefix(camille.at(""))
            assert camille.send(path, csrf=csrf).status_code == 303
        finally:
            lockdown.switch_off(world.runtime, "tester")
        assert reads(world, "pulse") == 401

    def test_ending_leaves_the_event_of_an_app_that_was_cut(self, world, camille):
        let_in(world, "pulse")
        path = re.search(r'action="([^"]+/apps/[^"]+/end)"', camille.get("/apps").text)[1]
        camille.send(path.removeprefix(camille.at("")))
        assert [one for one in events(world) if "ended-by-person" in str(one)]


class TestSignOutEverywhere:
    def out(self, visitor, **form: str):
        return visitor.web.post(
            "/logout/everywhere", data={"csrf": visitor.csrf(visitor.at("/my-space"))} | form, base_url=SITE
        )

    def test_every_session_ends_and_lasting_apps_go_on(self, world, camille):
        let_in(world, "pulse")
        let_in(world, "glance", scopes="patient/DocumentReference.rs online_access")
        elsewhere = Visitor(world, "camille", camille.patient)
        assert elsewhere.get("/documents").status_code == 200
        assert self.out(camille).status_code == 303
        for one in (camille, elsewhere):
            assert one.get("/documents").status_code == 303
        assert (reads(world, "pulse"), reads(world, "glance")) == (200, 401)
        assert Visitor(world, "camille", camille.patient).get("/documents").status_code == 200

    def test_all_apps_end_too_when_the_form_says_so(self, world, camille):
        let_in(world, "pulse")
        self.out(camille, apps="yes")
        assert reads(world, "pulse") == 401

    def test_others_stay_signed_in(self, world, camille):
        world.patient("ines", "210039999900255", "2010-06-01")
        an_account(world, "ines", "ines")
        ines = Visitor(world, "ines", world.ids["ines"])
        self.out(camille)
        assert ines.get("/documents").status_code == 200

    @pytest.mark.parametrize("csrf", ["", "x"])
    def test_without_the_token_of_the_session_nothing_ends(self, camille, csrf):
        assert camille.web.post("/logout/everywhere", data={"csrf": csrf}, base_url=SITE).status_code == 400
        assert camille.get("/documents").status_code == 200


class TestReturn:
    """After the sign-in a person is where they wanted to go, and never on another site."""

    def arrives(self, world, then: str) -> str:
        web = world.web.application.test_client()
        query = {"then": then}
        page = web.get("/login", query_string=query, base_url=SITE).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        sent = {"csrf": csrf, "login": "camille", "password": PASSWORD}
        answer = web.post("/login", data=sent, query_string=query, base_url=SITE)
        assert answer.status_code == 303
        return answer.headers["Location"].removeprefix(SITE)

    def test_the_page_that_was_asked_for_comes_after_the_sign_in(self, world, camille):
        stranger = world.web.application.test_client()
        wanted = camille.at("/documents?class=10&words=caf%C3%A9")
        there = stranger.get(wanted, base_url=SITE).headers["Location"]
        assert there.startswith("/login?then=")
        page = stranger.get(there, base_url=SITE).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        sent = {"csrf": csrf, "login": "camille", "password": PASSWORD}
        answer = stranger.post(there, data=sent, base_url=SITE)
        assert answer.headers["Location"].removeprefix(SITE) == wanted
        assert stranger.get(wanted, base_url=SITE).status_code == 200

    @pytest.mark.usefixtures("camille")
    @pytest.mark.parametrize(
        "then",
        [
            "https://evil.example/", "//evil.example", "/\\evil.example", "/account//evil.example", "\\\\evil.example",
            "/account/../evil", "/account@evil.example", "javascript:alert(1)", "/login", "/logout", "/oauth/authorize",
            "/account/x\r\nSet-Cookie: a=b", "/account/%2e%2e/x", "/account.evil.example", "/fhir/Patient", "account",
            "/account/?x=\n", "/account/a?" + "x" * 600, "\t/account/apps", "/accounts",
        ],
    )  # fmt: skip
    def test_no_other_address_is_followed(self, world, then):
        assert not is_own_page(then)
        assert self.arrives(world, then) == "/account/start"

    @pytest.mark.usefixtures("camille")
    def test_the_notice_of_a_mail_is_still_reached(self, world):
        assert self.arrives(world, UNKNOWN) == f"/account/notices/{UNKNOWN}"
