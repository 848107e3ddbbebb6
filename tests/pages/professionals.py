"""A professional who signs in to the desk of a small world, over HTTP and without a browser."""

from dataclasses import dataclass
from typing import Any, TypeVar

from werkzeug.test import TestResponse

from consent_rules.vocabulary import PatientId
from fhir_server.application.identity import accounts
from fhir_server.application.identity.accounts import RepresentedPatient
from fhir_server.domain.caller import Login
from fhir_server.http.request_context import OPTIONS_EXTENSION
from fhir_server.oauth.login import sessions
from tests.pages.visitors import SITE, Visitor, a_professional
from tests.world import World

NUMBER = "284039999900148"
"""The national number of Camille in the small world."""
Anybody = TypeVar("Anybody", bound=Visitor)
DECLARED = {"whom": "me", "how": "oral", "agreed": "yes"}


@dataclass
class AtDesk(Visitor):
    """A professional at the desk. situation: id of the PractitionerRole in which they act."""

    situation: str = ""

    def at(self, path: str) -> str:
        return f"/account/desk/{self.situation}{path}"

    def of_patient(self, path: str = "", patient: str = "camille") -> str:
        """Return a path about a patient of the world, or about whomever has this id."""
        return f"/patients/{self.world.ids.get(patient, patient)}{path}"

    def send(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> TestResponse:
        """Send a form of the desk with the token of the session, unless the form has one."""
        form = {"csrf": self.csrf(self.at("/patients"))} | form if "csrf" not in form else form
        return self.web.post(
            self.at(path), data=form, headers={"Accept-Language": "en"} | (headers or {}), base_url=SITE
        )

    def follows(self, answer: TestResponse) -> TestResponse:
        """Open the page to which a form led."""
        assert answer.status_code == 303, answer.text
        return self.get("/" + answer.headers["Location"])


def at_desk(world: World, name: str = "martin", place: str = "other", profession: str = "10", **more: Any) -> AtDesk:
    """Sign a professional in at the desk."""
    a_professional(world, name, place, profession, **more)
    return AtDesk(world, name, situation=world.ids[f"{name}@{place}"])


def own_space(world: World, name: str) -> RepresentedPatient:
    """Return the space of a patient of the world as their own."""
    id_ = PatientId(world.ids[name])
    return RepresentedPatient(id_, f"Patient/{id_}", name.title())


def proven_again(visitor: Anybody) -> Anybody:
    """Sign a professional in anew with two factors, as the sign-in pages do."""
    runtime = visitor.world.runtime
    account = accounts.find_account(runtime, visitor.login)
    assert account is not None
    options = visitor.world.web.application.extensions[OPTIONS_EXTENSION]
    value = sessions.start(runtime, options, account, Login(acr="eidas2", amr=("pwd", "otp")))
    visitor.web.set_cookie("habilis-session", value, domain="localhost")
    return visitor
