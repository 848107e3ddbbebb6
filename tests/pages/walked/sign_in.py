"""The pages of signing in, of consenting to an app, and of one's own account."""

from urllib.parse import urlencode

from playwright.sync_api import Page

from fhir_server.application.identity.accounts import find_account
from fhir_server.application.identity.clients import Client, ClientKind, find, register
from fhir_server.application.identity.credentials import issue_code
from tests.oauth.conftest import PATIENT_SCOPES, challenge
from tests.pages.browsing import follow, is_there, measured
from tests.pages.conftest import Site
from tests.pages.steps import ask_factor, sign_in_with_factor

_CALLBACK = "http://127.0.0.1:9/app.html"
PAGES = {
    "": ["/login"],
    "camille": [
        "/account/apps",
        "/account/enrolment",
        "/account/notices",
        "/account/passkeys",
        "/account/password",
        "/account/sign-in",
    ],
}
NOT_WALKED = {
    "oauth_pages.authorize": "leads to the page of the request (oauth_pages.interaction)",
    "oauth_pages.leave_for": "leads to a provider of identities",
    "oauth_pages.come_back": "leads on from a provider of identities",
    "oauth_pages.link": "comes after a provider of identities: tests/oauth/test_upstream.py; looked at by hand",
}


def _ask_factor(page: Page, site: Site) -> None:
    ask_factor(page, site, "camille")


def _confirm(page: Page, site: Site) -> None:
    """Go where the second factor is asked for again."""
    sign_in_with_factor(page, site, "camille")
    page.goto("/account/confirm")


def _consent(page: Page, site: Site) -> None:
    """Come from an app, as far as the page that asks for the consent."""
    if find(site.runtime, "walked") is None:
        register(site.runtime, Client("walked", "MaTension", ClientKind.PATIENT_APP, (_CALLBACK,), PATIENT_SCOPES))
    wanted = {
        "response_type": "code", "client_id": "walked", "redirect_uri": _CALLBACK, "state": "s", "aud": site.demo.fhir,
        "scope": "openid fhirUser launch/patient patient/DocumentReference.rs patient/Binary.r offline_access",
        "code_challenge": challenge(), "code_challenge_method": "S256",
    }  # fmt: skip
    page.goto(f"/oauth/authorize?{urlencode(wanted)}")
    page.fill("#login", "camille")
    page.fill("#password", site.demo.logins["camille"])
    follow(page.locator("main button[type=submit]").first)
    if is_there(page.locator("input[name=patient]")):
        page.locator("input[name=patient]").first.check()
        follow(page.locator("main button[type=submit]").first)
    measured(page, "document.querySelector('main details').open = true")


def _enrol(page: Page, site: Site) -> None:
    """Show the key of a new authenticator app."""
    account = find_account(site.runtime, "camille")
    if account is None:
        raise LookupError("camille")
    page.goto("/account/enrolment?then=second-factor")
    page.fill("#code", issue_code(site.runtime, account))
    follow(page.locator("main button[type=submit]").first)


STEPS = {
    "oauth_pages.second_factor": ("walker", _ask_factor),
    "oauth_pages.ask_factor": ("walker", _confirm),
    "oauth_pages.interaction": ("consenting", _consent),
    "oauth_pages.enrol": ("camille", _enrol),
}
