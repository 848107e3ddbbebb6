"""Where an invited person types the code: from then on their account acts for the patient who invited them.

The page belongs to no role and no space: whoever is signed in may use it.
Source: rules B4 and B13; docs/adr/0145-relatives-by-invitation.md.
"""

from flask import Response, make_response, render_template, request, url_for

from consent_rules.scopes import Scopes
from fhir_server.application.consents import relatives
from fhir_server.application.core import lockdown
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.application.identity.accounts import Grantee
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.http import request_rates
from fhir_server.http.pages.frame.routes import back_to, demand_own_form, portal
from fhir_server.http.pages.frame.visits import PAGE
from fhir_server.http.pages.sign_in.frame import current_session
from fhir_server.http.request_context import origin, runtime
from fhir_server.oauth.login.sessions import Session

_PATH = "/account/invitation"
_JOINING = Scopes.parse("patient/Consent.c")


@portal.get(_PATH)
def invitation() -> Response:
    """Ask for the code of an invitation."""
    session = current_session()
    return _shown(session, 200) if session else back_to(url_for("oauth_pages.login"))


@portal.post(_PATH)
def join() -> Response:
    """Let the account act for the patient whose code was typed, and show that space."""
    session = demand_own_form()
    caller = _caller(session)
    demand_served(runtime(), caller, None, interaction_of(EventKind.RELATIVE_JOINED))
    request_rates.demand_of_session(caller, runtime().profile.ceilings)
    try:
        joined = relatives.accept(runtime(), caller, session.account, request.form.get("code", ""))
    except Problem as problem:
        if problem.category is not Category.BUSINESS_RULE:
            raise
        return _shown(session, 422, problem.issues[0].code)
    return back_to(url_for("portal.documents", patient=joined.patient))


def _caller(session: Session) -> Caller:
    granted = Grantee(PAGE, session.account).on_page(session.id)
    return Caller.of_page(granted, _JOINING, origin(), in_lockdown=lockdown.find(runtime()) is not None)


def _shown(session: Session, status: int, fault: str = "") -> Response:
    text = render_template("portal/family/invitation.html", session=session, fault=fault)
    return make_response(text, status)
