"""An officer or an operator on a page: no patient is in view, and the sign-in had two factors.

Source: docs/adr/0147-the-officers-pages.md; docs/adr/0148-operators-in-the-browser.md.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from flask import abort, current_app, url_for
from flask_babel import lazy_gettext

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose
from fhir_server.application.core import lockdown
from fhir_server.application.identity.accounts import Grantee
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import GrantId
from fhir_server.http.pages import error_pages
from fhir_server.http.pages.frame.roles import Role, roles_of
from fhir_server.http.pages.frame.visits import PAGE, Presence
from fhir_server.http.request_context import origin, runtime
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough
from fhir_server.oauth.login.sessions import Session

SECOND_FACTOR = error_pages.Text(
    lazy_gettext("This page needs a second factor"),
    lazy_gettext("You have signed in with a password alone."),
    lazy_gettext(
        "Set up a second factor with the code that the operator of this server gave you, then sign out and in again."
    ),
)
"""The page for an officer or an operator who has shown one factor."""


@dataclass(frozen=True, slots=True)
class StaffVisit(Presence):
    """An officer or an operator on a page."""

    @property
    def heading(self) -> str:
        """Who is signed in."""
        return self.session.account.display

    def address(self, endpoint: str, **values: object) -> str:
        """Return the address of another page of the role. endpoint: without the blueprint."""
        return url_for(f"portal.{endpoint}", **values)  # type: ignore[arg-type]  # any value has a text


def officer(session: Session, scopes: Scopes, _named: dict[str, str | UUID]) -> StaffVisit:
    """Begin the visit of an auditor, whose rules decide what is shown. Raises: as `_demand`."""
    _demand(session, Role.OFFICER)
    granted = replace(Grantee(PAGE, session.account).on_page(session.id), purpose=Purpose.AUDIT)
    caller = Caller.of_page(granted, scopes, origin(), in_lockdown=lockdown.find(runtime()) is not None)
    return StaffVisit(Role.OFFICER, session, caller)


def operator(session: Session, scopes: Scopes, _named: dict[str, str | UUID]) -> StaffVisit:
    """Begin the visit of an operator; a lockdown is theirs to end, and does not stop it. Raises: as `_demand`."""
    _demand(session, Role.OPERATOR)
    granted = replace(Caller.of_operator(session.account.login).granted, id=GrantId(session.id))
    caller = Caller.of_page(granted, scopes, origin(), in_lockdown=False)
    return StaffVisit(Role.OPERATOR, session, caller)


def _demand(session: Session, role: Role) -> None:
    """Refuse whoever has not this role, or has shown one factor; in the demonstration one is enough.

    Raises: HTTPException 403, before anything is read.
    """
    if role not in roles_of(session.account):
        abort(403)
    if not (current_app.config["DEMO"] or is_strong_enough(session.proof.acr, LEVELS[1])):
        abort(error_pages.page(403, text=SECOND_FACTOR))
