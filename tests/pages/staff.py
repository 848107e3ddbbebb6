"""Somebody who audits or runs the server of a small world, signed in over HTTP with two factors."""

from typing import Any

from werkzeug.test import TestResponse

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account, add_account
from fhir_server.oauth.login import totp
from tests.pages.visitors import PASSWORD, SITE, Visitor
from tests.world import World

SECRET = "JBSWY3DPEHPK3PXP"
OF_KIND = {RequesterKind.AUDITOR: "officer", RequesterKind.SUPPORT: "operator"}


class Staff(Visitor):
    """A browser of somebody of the staff. patient: the part of the address that names the role."""

    def __post_init__(self) -> None:
        """Sign in with the password, and with a code when the account has a second factor."""
        super().__post_init__()
        page = "/login/second-factor"
        if self.web.get(page, base_url=SITE).status_code == 200:
            code = totp.code_at(SECRET, int(self.world.runtime.now().timestamp()))
            sent = self.web.post(page, data={"csrf": self.csrf(page), "code": code}, base_url=SITE)
            assert sent.status_code == 303

    def at(self, path: str) -> str:
        return f"/account/{self.patient}{path}"

    def send(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> TestResponse:
        first = {"officer": "/suspensions", "operator": "/state"}[self.patient]
        form = {"csrf": self.csrf(self.at(first))} | form if "csrf" not in form else form
        headers = {"Accept-Language": "en"} | (headers or {})
        return self.web.post(self.at(path), data=form, headers=headers, base_url=SITE)


def staff_of(world: World, login: str, kind: RequesterKind = RequesterKind.AUDITOR, secret: str = SECRET) -> Staff:
    """Give somebody an account of a kind, by the person of the token of the same name, and sign them in."""
    add_account(world.runtime, Account(login, kind, f"Device/{login}", login.title(), totp=secret), PASSWORD)
    return Staff(world, login, OF_KIND[kind])


def dana_at_work(world: World) -> Staff:
    """Sign the officer in."""
    return staff_of(world, "dana")


def oscar_at_work(world: World) -> Staff:
    """Sign the operator in."""
    return staff_of(world, "oscar", RequesterKind.SUPPORT)
