"""The only way to add a page or a form of a signed-in person: `page` and `form`.

Both check the session, the role and the patient of the address, the lockdown and the limit of requests, before the view
runs. A form takes a POST from a page of this server alone, with the token of the session, and answers with a redirect
to a page.
Source: OWASP ASVS 5.0, V3.5 (requests across sites) and V7; https://www.w3.org/TR/fetch-metadata/.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for

from consent_rules.scopes import Scopes
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.http import request_rates
from fhir_server.http.oauth import forms
from fhir_server.http.pages.base import lock_down
from fhir_server.http.pages.frame.beginnings import begin
from fhir_server.http.pages.frame.roles import PREFIXES, Role
from fhir_server.http.pages.frame.visits import Presence
from fhir_server.http.pages.sign_in.frame import current_session, is_own_page, is_same
from fhir_server.http.request_context import header, runtime
from fhir_server.oauth.base import issuer
from fhir_server.oauth.login.sessions import Session
from fhir_server.settings import limits

portal = Blueprint("portal", "fhir_server.http", template_folder="templates")
View = Callable[..., Response]
_OWN_SITES = frozenset({"", "same-origin", "none"})
"""Values of `Sec-Fetch-Site` of a request that a page of this server, or the person, has begun."""

portal.before_request(forms.bound_page_request)


@portal.after_request
def protect(response: Response) -> Response:
    """Forbid what no page uses, and storing; a content has stricter headers of its own."""
    if "Content-Security-Policy" not in response.headers:
        lock_down(response)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"  # else browsers hide from us where a form comes from
    return response


def page(role: Role, rule: str, scopes: str, asks: AuditedInteraction | None) -> Callable[[View], View]:
    """Add a page of a role. The view gets the visit, then what the rule names; its own name names the endpoint.

    rule: what follows the prefix of the role. scopes: all that the page may ask for. asks: what the audit log keeps
    when a lockdown refuses the page; None for a page of the account, which asks for nothing of a space and is served.
    """

    def added(view: View) -> View:
        @wraps(view)
        def shown(**named: str | UUID) -> Response:
            session = current_session()
            if session is None:
                return to_sign_in()
            return view(_served(begin(role, session, granted, named), asks), **named)

        granted = Scopes.parse(scopes)
        portal.get(PREFIXES[role] + rule, endpoint=view.__name__)(shown)
        return view

    return added


def form(
    role: Role, rule: str, scopes: str, asks: AuditedInteraction | None, *, uploads: bool = False
) -> Callable[[View], View]:
    """Add what a form of a role sends; as `page`, for POST alone. uploads: whether it may carry a file.

    Without a session the answer is 401, for a form of another site or of another session 403; the view does not run.
    """

    def added(view: View) -> View:
        @wraps(view)
        def taken(**named: str | UUID) -> Response:
            session = current_session()
            if session is None:
                abort(401)
            if uploads:
                request.max_content_length = limits.in_force().body_bytes
            if _is_foreign() or not is_same(session.csrf):
                abort(403)
            return view(_served(begin(role, session, granted, named), asks), **named)

        granted = Scopes.parse(scopes)
        portal.post(PREFIXES[role] + rule, endpoint=view.__name__)(taken)
        return view

    return added


def demand_own_form() -> Session:
    """Return the session of a form that belongs to no role, such as the code of an invitation.

    Raises: HTTPException 401 without a session, 403 for a form of another site or session; as for `form`.
    """
    session = current_session()
    if session is None:
        abort(401)
    if _is_foreign() or not is_same(session.csrf):
        abort(403)
    return session


def back_to(address: str) -> Response:
    """Redirect the browser to a page, as the answer to a form."""
    return make_response(redirect(address, 303))


def to_sign_in() -> Response:
    """Lead a person to the sign-in, and from there to the page that they asked for."""
    wanted = request.full_path.removesuffix("?")
    return back_to(url_for("oauth_pages.login", then=wanted if is_own_page(wanted) else None))


def _served(visit: Presence, asks: AuditedInteraction | None) -> Presence:
    """Return the visit unless a lockdown or the limit of requests refuses it before anything is read."""
    served = runtime()
    if asks is not None:
        demand_served(served, visit.caller, visit.patient or None, asks)
    request_rates.demand_of_session(visit.caller, served.profile.ceilings)
    return visit


def _is_foreign() -> bool:
    """Tell whether another site has sent this form, as far as the browser says."""
    sent = header("Origin")
    if sent and sent != issuer.issuer_of(runtime()):
        return True
    return header("Sec-Fetch-Site") not in _OWN_SITES
