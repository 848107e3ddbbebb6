"""Where a person arrives after the sign-in: the one thing that there is to do, or the choice of role and patient."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template, url_for
from flask_babel import lazy_gettext

from fhir_server.application.identity.accounts import Account
from fhir_server.http.pages.frame.desks import key_of, situations
from fhir_server.http.pages.frame.roles import NAVIGATION, Role, roles_of
from fhir_server.http.pages.frame.routes import back_to, portal
from fhir_server.http.pages.sign_in.frame import current_session

_OWN = lazy_gettext("your own space")
_FOR_ANOTHER = lazy_gettext("you act for this person")
_PROFESSIONAL = lazy_gettext("you act as a professional")
_OFFICER = lazy_gettext("Data protection"), lazy_gettext("cases, and the audit log")
_OPERATOR = lazy_gettext("Operation"), lazy_gettext("the state of this server")


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to go on. label: what the person reads. role: in which role they go on there."""

    address: str
    label: str
    role: Any


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
        Choice(url_for(first, patient=one.patient), one.label, _OWN if one.person == account.person else _FOR_ANOTHER)
        for one in account.patients
    ]


def _desks(account: Account) -> list[Choice]:
    first = NAVIGATION[Role.PROFESSIONAL][0].endpoint
    return [
        Choice(url_for(first, situation=key_of(one)), one.label or one.organization_display, _PROFESSIONAL)
        for one in situations(account)
    ]


def _staff(role: Role, label: Any, says: Any) -> Callable[[Account], list[Choice]]:  # noqa: ANN401 - lazy texts
    first = NAVIGATION[role][0].endpoint
    return lambda _account: [Choice(url_for(first), label, says)]


_CHOICES: Mapping[Role, Callable[[Account], list[Choice]]] = {
    Role.PATIENT: _spaces,
    Role.PROFESSIONAL: _desks,
    Role.OFFICER: _staff(Role.OFFICER, *_OFFICER),
    Role.OPERATOR: _staff(Role.OPERATOR, *_OPERATOR),
}
"""The choices of each role on the start page."""
