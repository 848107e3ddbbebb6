"""Draw the pictures of docs/images: `python -m tests.oauth.screenshots [folder]`.

A demonstration is served on a free port, and Debian's Chromium walks through the pages with its invented people.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import requests
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, sync_playwright

from consent_rules.matrix.schedule import packaged
from consent_rules.rule_profile import profile
from fhir_server.adapters import opening
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.oauth.login import totp
from seed import book, cast
from tests.live import Live, running
from tests.oauth.conftest import PATIENT_SCOPES, USER_SCOPES, VERIFIER, challenge, query_of
from tests.pages.browsing import follow, is_there

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CALLBACK = "http://127.0.0.1:9/app.html"
SECRET = "JBSWY3DPEHPK3PXP"
SIZE = ViewportSize(width=760, height=600)


@dataclass
class Studio:
    """The server, its people, and a browser."""

    server: Live
    demo: book.Demonstration
    browser: Browser
    folder: Path

    def page(self, language: str = "fr-FR") -> Page:
        return self.browser.new_context(locale=language, viewport=SIZE, device_scale_factor=1).new_page()

    def ask(self, page: Page, client: str, scope: str) -> None:
        """Open an authorization request."""
        wanted = {
            "response_type": "code", "client_id": client, "redirect_uri": CALLBACK, "scope": scope, "state": "s",
            "aud": self.demo.fhir, "code_challenge": challenge(), "code_challenge_method": "S256",
        }  # fmt: skip
        page.goto(f"{self.server.base_url}/oauth/authorize?{urlencode(wanted)}")

    def sign_in(self, page: Page, login: str) -> None:
        page.fill("#login", login)
        page.fill("#password", self.demo.logins[login])
        follow(page.locator("main button[type=submit]").first)

    def redeem(self, address: str) -> None:
        """Let the app fetch its tokens."""
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        form |= {"client_id": "tension", "code": query_of(address)["code"]}
        requests.post(f"{self.server.base_url}/oauth/token", data=form, timeout=60).raise_for_status()

    def keep(self, page: Page, name: str, height: int = 0) -> None:
        """Keep a page, whole or its upper part."""
        clip = FloatRect(x=0, y=0, width=SIZE["width"], height=height) if height else None
        page.screenshot(path=self.folder / f"{name}.png", full_page=True, clip=clip)


@contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """Serve the demonstration, register two apps, give one professional a second factor."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        data = Path(place) / "data"
        data.mkdir()
        with running(Live(data, settings={"HABILIS_DEMO": "yes"})) as server:
            demo = book.read(data)
            if demo is None:
                raise RuntimeError("there is no demonstration")
            furnish(data, demo)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            yield Studio(server, demo, browser, folder)
            browser.close()


def furnish(data: Path, demo: book.Demonstration) -> None:
    ports = opening.open_sqlite(data, data / "keys.json")
    runtime = Runtime(ports, packaged(), profile("fr"), demo.fhir, b"k" * 32)
    register(runtime, Client("tension", "MaTension", ClientKind.PATIENT_APP, (CALLBACK,), PATIENT_SCOPES))
    register(runtime, Client("consult", "Consult", ClientKind.PROFESSIONAL_APP, (CALLBACK,), USER_SCOPES))
    martin = find_account(runtime, "martin")
    if martin is not None:
        change_account(runtime, replace(martin, totp=SECRET))
    ports.store.close()


def draw(found: Studio) -> None:
    """Walk through the pages and keep each."""
    patient = found.page()
    wanted = "openid fhirUser offline_access launch/patient patient/DocumentReference.rs patient/Binary.r"
    found.ask(patient, "tension", wanted)
    found.keep(patient, "sign-in")
    found.sign_in(patient, "camille")
    if is_there(patient.locator("input[name=patient]")):
        patient.check("input[name=patient] >> nth=0")
        follow(patient.locator("main button[type=submit]").first)
    patient.click("details summary")
    patient.uncheck("input[name=document] >> nth=1")
    found.keep(patient, "consent-patient", 1240)
    with patient.expect_request(lambda sent: sent.url.startswith(CALLBACK)) as back:
        patient.click("button[value=allow]", no_wait_after=True)
    found.redeem(back.value.url)
    own = patient.context.new_page()
    own.goto(f"{found.server.base_url}/account/apps")
    found.keep(own, "apps", 660)
    physio = found.page()
    found.ask(physio, "consult", "openid fhirUser user/DocumentReference.rs user/Binary.r offline_access")
    found.sign_in(physio, "paul")
    found.keep(physio, "consent-physiotherapist")
    emergency(found)


def emergency(found: Studio) -> None:
    page = found.page()
    found.ask(page, "consult", "openid launch/patient __break-glass patient/DocumentReference.rs")
    found.sign_in(page, "martin")
    page.fill("#code", totp.code_at(SECRET, int(datetime.now(UTC).timestamp())))
    follow(page.locator("main button[type=submit]").first)
    for _ in range(3):
        if is_there(page.locator("input[name=capacity]")):
            page.check("input[name=capacity] >> nth=0")
        elif is_there(page.locator("#identifier")):
            page.fill("#identifier", next(part.ins_value for part in cast.PATIENTS if part.key == "camille"))
        else:
            break
        follow(page.locator("main button[type=submit]").first)
    found.keep(page, "emergency-declaration")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    target.mkdir(parents=True, exist_ok=True)
    with studio(target) as found_studio:
        draw(found_studio)
