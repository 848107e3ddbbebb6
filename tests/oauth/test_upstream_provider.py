"""Signing in at a certified OpenID provider that runs beside the tests: over HTTP, and once in a browser.

The provider is npm `oidc-provider`; tests/oauth/clients/provider.mjs gives it the claims of Pro Santé Connect and
FranceConnect.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet

from consent_rules.vocabulary import RequesterKind
from fhir_server.adapters.system import SystemClock
from fhir_server.app import create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import Account, add_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.application.identity.franceconnect_link import invite
from fhir_server.settings.upstream import Provider
from tests import npm
from tests.factories import runtime_on, settings_in
from tests.live import free_port, serving
from tests.oauth.conftest import USER_SCOPES, Person, csrf_of, query_of, redeem, request_for
from tests.oauth.test_real_clients import packages  # noqa: F401 - a fixture
from tests.oauth.upstream import RPPS, SECRET, citizen, exercise, helene, professional
from tests.pages.browsing import follow
from tests.world import INS, World

pytestmark = [pytest.mark.npm, pytest.mark.live]
PSC_PEOPLE = {
    "helene-card": professional(RPPS, exercise("10", "SM26")),
    "stranger-card": professional("899700000999"),
    "clerk-card": professional("") | {"SubjectRefPro": None},
}


@dataclass
class Upstream:
    """A provider in a process of its own."""

    issuer: str
    process: subprocess.Popen[str]


@contextmanager
def running(kind: str, base: str, people: dict[str, object], acr: str = "eidas3") -> Iterator[Upstream]:
    """Run a provider that knows some people and this server."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    known = {
        "issuer": issuer, "port": port, "kind": kind, "people": json.dumps(people), "acr": acr,
        "redirect": f"{base}/login/with/{kind}/callback", "home": f"{base}/login",
    }  # fmt: skip
    with subprocess.Popen(
        ["node", "provider.mjs", json.dumps(known)], cwd=npm.BUILD, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline().strip() == "ready"
            yield Upstream(issuer, process)
        finally:
            process.terminate()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def base() -> str:
    return f"http://localhost:{free_port()}"


@pytest.fixture
def runtime(ports, base: str) -> Runtime:
    return runtime_on(ports, base)


@contextmanager
def served(runtime: Runtime, base: str, folder: Path, *providers: Provider) -> Iterator[Flask]:
    """Serve the whole application on its port, with these providers."""
    settings = settings_in(folder, base, providers=providers)
    app = create_app(settings, runtime)
    with serving(app, base):
        yield app


@pytest.fixture
def psc(packages, base: str) -> Iterator[Upstream]:  # noqa: F811, ARG001 - the fixture above, for what it installs
    with running("psc", base, PSC_PEOPLE) as found:
        yield found


@pytest.fixture
def desk(runtime: Runtime, base: str, tmp_path: Path, psc: Upstream) -> Iterator[Flask]:
    helene(runtime)
    with served(runtime, base, tmp_path, Provider("psc", psc.issuer, "habilis", SECRET)) as app:
        yield app


class Traveller(Person):
    """Somebody with a browser that goes from one server to the other, each with its own cookies."""

    def __init__(self, app: Flask, base: str, **choices: str) -> None:
        super().__init__(app, **choices)
        self.base = base
        self.elsewhere = requests.Session()

    def sign_in(self, id_: str, who: str, conversation: str = "") -> requests.Response | object:
        """Go to the provider, show a card there, and bring its answer back here."""
        query = {"interaction": conversation.rpartition("/")[2]} if conversation else {}
        where = self.get(f"/login/with/{id_}", **query).headers["Location"]
        page = self.elsewhere.get(where, timeout=10)
        back = page
        if "/sign-in/" in page.url:
            back = self.elsewhere.post(page.url, data={"who": who}, allow_redirects=False, timeout=10)
        while not back.headers["Location"].startswith(self.base):
            back = self.elsewhere.get(back.headers["Location"], allow_redirects=False, timeout=10)
        there = urlsplit(back.headers["Location"])
        return self.get(there.path, **query_of(there.geturl()))


def asked(base: str, **changes: str) -> dict[str, str]:
    return request_for(aud=f"{base}/fhir", **changes)


def test_a_professional_signs_in_with_a_card_and_the_app_learns_who_and_how(desk, base, runtime):
    visitor = Traveller(desk, base, capacity="role:PractitionerRole/martin-1")
    scope = "openid fhirUser user/DocumentReference.rs"
    begun = visitor.get("/oauth/authorize", **asked(base, client_id="desk", scope=scope, acr_values="eidas2"))
    conversation = begun.headers["Location"].removeprefix(base)
    back = visitor.sign_in("psc", "helene-card", conversation)
    assert back.headers["Location"] == f"{base}{conversation}", back.text
    code = query_of(visitor.walk(back))["code"]
    with desk.test_client() as web:
        body = redeem(web, code, client_id="desk").get_json()
        keys = KeySet.import_key_set(web.get("/oauth/jwks").get_json())
    claims = jwt.decode(body["id_token"], keys).claims
    assert (claims["acr"], claims["amr"], claims["fhirUser"]) == ("eidas3", ["sc"], f"{base}/fhir/Practitioner/helene")
    grant = find_access(runtime, body["access_token"]).grant
    assert (grant.requester.role, grant.proof.provider) == ("PractitionerRole/martin-1", "psc")


@pytest.mark.parametrize(("who", "status"), [("stranger-card", 403), ("clerk-card", 403), ("no-card", 400)])
def test_a_card_of_nobody_here_opens_nothing(desk, base, who, status):
    visitor = Traveller(desk, base)
    visitor.get("/login")
    assert visitor.sign_in("psc", who).status_code == status
    assert visitor.get("/account/apps").status_code == 303


def test_a_provider_that_has_gone_opens_nothing(desk, base, psc):
    visitor = Traveller(desk, base)
    visitor.get("/login")
    psc.process.terminate()
    psc.process.wait(10)
    answer = visitor.get("/login/with/psc", lang="en")
    assert answer.status_code == 400
    assert "does not answer now" in answer.text


def test_signing_out_here_and_there_ends_both(desk, base, psc):
    visitor = Traveller(desk, base)
    visitor.get("/login")
    visitor.sign_in("psc", "helene-card")
    page = visitor.post("/logout", {"csrf": csrf_of(visitor.get("/account/apps").text)}).text
    fields = dict(part.split('" value="') for part in page.split('name="')[1:] if '" value="' in part)
    sent = {name: value.split('"')[0] for name, value in fields.items() if name != "csrf"}
    asking = visitor.elsewhere.post(f"{psc.issuer}/session/end", data=sent, timeout=10)
    assert asking.status_code == 200, (asking.url, asking.history, sent.keys(), asking.text)
    secret = asking.text.split('name="xsrf" value="')[1].split('"')[0]
    done = visitor.elsewhere.post(
        f"{psc.issuer}/session/end/confirm", data={"xsrf": secret, "logout": "yes"}, allow_redirects=False, timeout=10
    )
    assert done.headers["Location"] == f"{base}/login"
    where = visitor.get("/login/with/psc").headers["Location"]
    assert "/sign-in/" in visitor.elsewhere.get(where, timeout=10).url


def test_a_citizen_with_signed_userinfo_is_linked_once(runtime, base, tmp_path, packages):  # noqa: F811, ARG001
    world = World(runtime, None).open()
    id_ = world.record("ines", {
        "resourceType": "Patient", "identifier": [{"system": INS, "value": "290079999900153"}], "gender": "female",
        "birthDate": "1990-07-14", "name": [{"family": "Lefèvre", "given": ["Inès"]}],
    })  # fmt: skip
    ines = add_account(runtime, Account("ines", RequesterKind.PATIENT, f"Patient/{id_}", "Inès Lefèvre"), "")
    with running("franceconnect", base, {"fc-ines": citizen()}, "eidas2") as upstream:
        provider = Provider("franceconnect", upstream.issuer, "habilis", SECRET, "eidas2")
        with served(runtime, base, tmp_path, provider) as app:
            visitor = Traveller(app, base)
            visitor.get("/login")
            assert visitor.sign_in("franceconnect", "fc-ines").headers["Location"] == f"{base}/login/link"
            page = visitor.get("/login/link").text
            answer = visitor.post("/login/link", {"csrf": csrf_of(page), "code": invite(runtime, ines)})
            assert answer.headers["Location"] == f"{base}/account/start"
            again = Traveller(app, base)
            again.get("/login")
            assert again.sign_in("franceconnect", "fc-ines").headers["Location"] == f"{base}/account/start"


@pytest.mark.browser
def test_in_a_browser_the_card_leads_to_the_practice_situation(desk, base, runtime, chromium):  # noqa: ARG001
    back = ("http://127.0.0.1:9/cb",)
    register(runtime, Client("browser-desk", "Cabinet", ClientKind.PROFESSIONAL_APP, back, USER_SCOPES))
    page = chromium.new_context(locale="fr-FR").new_page()
    query = asked(base, client_id="browser-desk", redirect_uri=back[0], scope="openid user/DocumentReference.rs")
    page.goto(requests.Request("GET", f"{base}/oauth/authorize", params=query).prepare().url)
    follow(page.locator("text=Pro Santé Connect").first)
    page.fill("#who", "helene-card")
    follow(page.locator("text=Present").first)
    page.check("text=CHU")
    follow(page.locator("text=Continuer").first)
    with page.expect_request(lambda request: request.url.startswith(back[0])) as sent:
        page.click("button[value=allow]")
    assert query_of(sent.value.url)["code"]
    page.context.close()


def test_the_settings_reach_the_pages(desk, base):
    assert "/login/with/psc" in Traveller(desk, base).get("/login").text
