"""A person's own pages: sign in and out; see every app that may act for them, and end its authorization.

Source: OWASP ASVS 5.0, chapter 7.
"""

from flask import Response, request

from fhir_server.application.identity.accounts import Account, find_account
from fhir_server.application.identity.clients import find as find_client
from fhir_server.application.identity.grant_replacement import in_force, is_settled
from fhir_server.application.identity.grants import Grant, find_grant, grants_of, has_ended
from fhir_server.domain.caller import SERVER
from fhir_server.domain.values import ClientId, GrantId
from fhir_server.http.cookies import cookie, cookie_name, is_secure, set_cookie
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.sign_in import scope_words, upstream
from fhir_server.http.pages.sign_in.frame import (
    csrf_of,
    current_session,
    gone,
    is_own_form,
    is_same,
    oauth_pages,
    page,
    remember,
    second_factor_page,
    see_other,
    signed_in,
    with_wanted_page,
)
from fhir_server.http.pages.sign_in.scope_words import ScopeInWords
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import page_state
from fhir_server.oauth.base.page_state import Kept
from fhir_server.oauth.granted import tokens
from fhir_server.oauth.login import passkeys, sign_in
from fhir_server.oauth.login.throttle import SECOND_FACTOR, Attempt


@oauth_pages.route("/login", methods=["GET", "POST"])
def login() -> Response:
    """Sign a person in to their own pages."""
    browser = cookie("browser") or page_state.new_browser(runtime())
    if request.method != "POST":
        response = page("login", 200, csrf=csrf_of(browser), complaint="", providers=upstream.offered())
        set_cookie(response, "browser", browser)
        return response
    if not is_own_form(browser):
        return gone()
    account = sign_in.log_in(context(), request.form.get("login", ""), request.form.get("password", ""), SERVER)
    if account is None:
        return page("login", 422, csrf=csrf_of(browser), complaint="wrong", providers=upstream.offered())
    if passkeys.has_second_factor(runtime(), account):
        remember(Kept.HALF_LOGIN, browser, f"{account.generation} {account.login}")
        return see_other(with_wanted_page("/login/second-factor"))
    return signed_in(sign_in.begin_session(context(), account, ("pwd",), SERVER)[0])


@oauth_pages.route("/login/second-factor", methods=["GET", "POST"])
def second_factor() -> Response:
    """Check the second factor of a sign-in that has begun."""
    browser = cookie("browser")
    account, csrf = _waiting(browser), csrf_of(browser)
    if account is None:
        return see_other("/login")
    if request.method != "POST":
        return second_factor_page(200, account, browser, csrf=csrf, complaint="")
    if not is_own_form(browser):
        return gone()
    attempt = Attempt(SECOND_FACTOR, account.login)
    proven = sign_in.prove_second(context(), attempt, request.form, browser, SERVER)
    if proven is None:
        return second_factor_page(422, account, browser, csrf=csrf, complaint="wrong")
    page_state.drop(runtime(), Kept.HALF_LOGIN, browser)
    return signed_in(sign_in.begin_session(context(), *proven, SERVER)[0])


def _waiting(browser: str) -> Account | None:
    """Return who has given the password in this browser, unless password or factors have changed since."""
    half = page_state.kept(runtime(), Kept.HALF_LOGIN, browser) or ""
    generation, _, login_name = half.partition(" ")
    account = find_account(runtime(), login_name)
    return account if account and str(account.generation) == generation else None


@oauth_pages.post("/logout")
def logout() -> Response:
    """End the session."""
    session, farewell = current_session(), None
    if session and is_same(session.csrf):
        farewell = upstream.farewell(session)
        sign_in.sign_out(context(), session)
    return _without_session(farewell or see_other("/login"))


@oauth_pages.post("/logout/everywhere")
def logout_everywhere() -> Response:
    """End every session of the person, and every authorization of an app when the form says so."""
    session = current_session()
    if session is None or not is_same(session.csrf):
        return gone()
    farewell = upstream.farewell(session)
    sign_in.sign_out_everywhere(context(), session, ends_apps=request.form.get("apps") == "yes")
    return _without_session(farewell or see_other("/login"))


def _without_session(response: Response) -> Response:
    response.delete_cookie(cookie_name("session"), secure=is_secure(), httponly=True, samesite="Lax")
    return response


@oauth_pages.get("/account/apps")
def apps() -> Response:
    """Show a person every app that may act for them."""
    session = current_session()
    if session is None:
        return see_other("/login")
    cards = cards_of(session.account.subject)
    clients = (find_client(runtime(), ClientId(client_id)) for client_id in cards)
    unverified = {client.id for client in clients if client and client.is_self_registered}
    return page("apps", 200, session=session, cards=cards, unverified=unverified)


def cards_of(subject: str) -> dict[str, list[tuple[Grant, tuple[ScopeInWords, ...]]]]:
    """Return one card for each app, with its grants: those in force, emergencies and token exchanges."""
    found = grants_of(runtime(), subject)
    standing = {grant.id for grant in in_force(found)}
    cards: dict[str, list[tuple[Grant, tuple[ScopeInWords, ...]]]] = {}
    for grant in found:
        if grant.id in standing or (not is_settled(grant) and not has_ended(runtime(), grant)):
            cards.setdefault(grant.client_id, []).append((grant, scope_words.tell(grant.scopes)))
    return cards


@oauth_pages.post("/account/apps/<grant_id>")
def end_app(grant_id: GrantId) -> Response:
    """End the authorization of one app; its next request is refused."""
    session = current_session()
    if session is None or not is_same(session.csrf):
        return gone()
    grant = find_grant(runtime(), grant_id)
    if grant is not None and grant.subject == session.account.subject:
        tokens.cut_app(context(), grant, "ended-by-person")
    return see_other("/account/apps")
