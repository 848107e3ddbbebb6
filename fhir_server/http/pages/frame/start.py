"""Where a person arrives after the sign-in: the one thing that there is to do, or the choice of role and patient."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, make_response, render_template, url_for

from fhir_server.application.identity.accounts import Account
from fhir_server.http.pages.frame.roles import NAVIGATION, Role, roles_of
from fhir_server.http.pages.frame.routes import back_to, portal
from fhir_server.http.pages.sign_in.frame import current_session


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to go on. label: what the person reads. is_own: whether it is the person's own space."""

    address: str
    label: str
    is_own: bool


@portal.get("/account/start")
def start() -> Response:
    """Lead a person to their pages; who has several roles, or acts for several patients, chooses."""
    session = current_session()
    if session is None:
        return back_to(url_for("oauth_pages.login"))
    choices = [choice for role in roles_of(session.account) for choice in _CHOICES[role](session.account)]
    if not choices:
        return back_to(url_for("oauth_pages.apps"))
    if len(choices) == 1:
        return back_to(choices[0].address)
    return make_response(render_template("portal/start.html", session=session, choices=choices))


def _spaces(account: Account) -> list[Choice]:
    first = NAVIGATION[Role.PATIENT][0].endpoint
    return [
        Choice(url_for(first, patient=one.patient), one.label, is_own=one.person == account.person)
        for one in account.patients
    ]


_CHOICES: Mapping[Role, Callable[[Account], list[Choice]]] = {Role.PATIENT: _spaces}
"""The choices of each role on the start page."""
