"""Steps that tests of several pages take."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from playwright.sync_api import Page

from consent_rules.model import Requester
from consent_rules.vocabulary import PatientId, Purpose, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import add_account, find_account
from fhir_server.application.spaces import break_glass
from fhir_server.oauth.login import totp
from tests.factories import a_caller
from tests.pages.browsing import follow
from tests.pages.conftest import Site

_SECRET, _PASSWORD = "JBSWY3DPEHPK3PXP", "nine green bicycles"
_NUMBERS = count(1)


def open_in_an_emergency(runtime: Runtime, patient: PatientId, name: str, reason: str) -> str:
    """Let Dr Awa break the glass of a space; return the id of the Consent. name: as it is displayed."""
    awa = Requester(
        RequesterKind.PROFESSIONAL,
        "Practitioner/awa",
        organization="Organization/chu",
        client="Device/d",
        profession="10",
    )
    caller = a_caller(awa, "user/*.rs", display=name, purpose=Purpose.BREAK_GLASS)
    return break_glass.open_as_granted(runtime, caller, patient, reason)


def ask_factor(page: Page, site: Site, like: str) -> None:
    """Sign in as somebody of the demonstration who has an authenticator app, as far as the second factor.

    A new account each time: no code of an app counts twice.
    """
    known = find_account(site.runtime, like)
    if known is None:
        raise LookupError(like)
    login = f"{like}-{next(_NUMBERS)}"
    add_account(site.runtime, replace(known, login=login, subject="", totp=_SECRET), _PASSWORD)
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", _PASSWORD)
    follow(page.locator("main button[type=submit]").first)


def sign_in_with_factor(page: Page, site: Site, like: str) -> None:
    """Sign in as somebody of the demonstration, with a second factor."""
    ask_factor(page, site, like)
    page.fill("#code", totp.code_at(_SECRET, int(datetime.now(UTC).timestamp())))
    follow(page.locator("main button[type=submit]").first)
