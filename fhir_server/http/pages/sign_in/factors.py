"""A person's own pages about signing in: password, second factor, recent changes.

Source: OWASP ASVS 5.0, 6.2 (passwords), 6.4 (changing factors), 7.5 (asking again before a change).
"""

import segno
from flask import Response, request
from markupsafe import Markup

from fhir_server.application.identity import accounts, credentials, passwords
from fhir_server.domain.caller import SERVER
from fhir_server.http.cookies import cookie
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.sign_in.frame import (
    current_session,
    gone,
    is_same,
    oauth_pages,
    page,
    remember,
    second_factor_page,
    see_other,
    too_weak,
)
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import issuer, page_state
from fhir_server.oauth.base.page_state import Kept
from fhir_server.oauth.login import factors, passkeys, sign_in, totp
from fhir_server.oauth.login.factors import Owner

_PLACES = ("password", "second-factor", "passkeys", "notices")
"""Pages that ask for a factor first, by the last part of their address."""


def owner() -> Owner | None:
    """Return the person who is signed in at this browser."""
    session = current_session()
    return Owner(context(), session, cookie("session")) if session else None


def sender() -> Owner | None:
    """Return the person who is signed in, when the request is a form of their own page."""
    found = owner()
    return found if found and is_same(found.session.csrf) else None


def way_to(found: Owner, place: str) -> str:
    """Return the page that this session needs before a change: show the factor again, or type the first code."""
    return f"/account/confirm?then={place}" if factors.has_second(found) else f"/account/enrolment?then={place}"


@oauth_pages.get("/account/sign-in")
def signing_in() -> Response:
    """Show how a person signs in, and the recent changes."""
    found = owner()
    if found is None:
        return see_other("/login")
    account = found.account
    return page(
        "sign_in", 200, session=found.session, has_password=accounts.has_password(runtime(), account),
        has_codes=bool(account.totp), passkeys=passkeys.of(runtime(), account),
        changes=credentials.news_of(runtime(), account),
    )  # fmt: skip


@oauth_pages.post("/account/sign-in/seen")
def seen() -> Response:
    """Remove the notice of recent changes once the person says that they know about them."""
    found = sender()
    if found is None:
        return gone()
    credentials.acknowledge(runtime(), found.account)
    return see_other("/account/sign-in")


@oauth_pages.get("/account/confirm")
def ask_factor() -> Response:
    """Ask for the second factor again before a change to the account."""
    found = owner()
    if found is None:
        return see_other("/login")
    return _asked(found, 200) if factors.has_second(found) else see_other(way_to(found, _place()))


@oauth_pages.post("/account/confirm")
def take_factor() -> Response:
    """Check the second factor that was asked for."""
    found = sender()
    if found is None or not factors.has_second(found):
        return gone()
    return see_other(f"/account/{_place()}") if factors.show(found, request.form) else _asked(found, 422)


def _asked(found: Owner, status: int) -> Response:
    complaint = "wrong" if status != 200 else ""  # noqa: PLR2004 - a status
    place, csrf = found.session.id, found.session.csrf
    return second_factor_page(status, found.account, place, csrf=csrf, complaint=complaint)


@oauth_pages.get("/account/enrolment")
def ask_code() -> Response:
    """Ask for the code from the operator before the person sets up a first second factor."""
    found = owner()
    if found is None:
        return see_other("/login")
    if factors.has_second(found):
        return see_other(way_to(found, _place()))
    return page("enrolment", 200, session=found.session, complaint="")


@oauth_pages.post("/account/enrolment")
def take_code() -> Response:
    """Check the code from the operator."""
    found = sender()
    if found is None:
        return gone()
    if not factors.redeem(found, request.form.get("code", "")):
        return page("enrolment", 422, session=found.session, complaint="wrong")
    return see_other(f"/account/{_place()}")


def _place() -> str:
    wanted = request.args.get("then", "")
    return wanted if wanted in _PLACES else _PLACES[1]


@oauth_pages.get("/account/second-factor")
def enrol() -> Response:
    """Show the secret of a new authenticator app, once."""
    found = owner()
    if found is None:
        return see_other("/login")
    if not factors.may_change(found):
        return see_other(way_to(found, "second-factor"))
    secret = totp.new_secret()
    remember(Kept.NEW_CODES, found.session.id, secret)
    where = totp.address_of(found.account, secret)
    return page("enrol", 200, session=found.session, secret=secret, address=where, picture=_picture(where))


def _picture(address: str) -> Markup:
    """Draw a QR code inside the page: the browser fetches nothing, and no address contains the secret."""
    drawn = segno.make(address, micro=False, error="m")
    return Markup(drawn.svg_inline(scale=4, light="#fff", svgclass=None, lineclass=None))  # noqa: S704 - drawn here


@oauth_pages.post("/account/second-factor")
def confirm_factor() -> Response:
    """Put an authenticator app in force when the person has typed a code from it."""
    found = sender()
    if found is None:
        return gone()
    if not factors.may_change(found):
        return too_weak()
    secret = page_state.take(runtime(), Kept.NEW_CODES, found.session.id) or ""
    if not secret or not totp.proves(runtime(), found.account, secret, request.form.get("code", "")):
        return page("message", 422, title="This code is not right", text="Begin again to get a new key.")
    factors.set_codes(found, secret)
    return see_other("/account/sign-in")


@oauth_pages.get("/account/password")
def ask_password() -> Response:
    """Ask for the present password and a new one."""
    found = owner()
    return (_refusal(found) or _shown(found, "")) if found else see_other("/login")


@oauth_pages.post("/account/password")
def change_password() -> Response:
    """Change the password; the person needs the present password, and the second factor if there is one."""
    found = sender()
    if found is None:
        return gone()
    refusal = _refusal(found)
    if refusal:
        return refusal
    complaint = _changed(found)
    return _shown(found, complaint) if complaint else see_other("/account/sign-in")


def _refusal(found: Owner) -> Response | None:
    if not accounts.has_password(runtime(), found.account):
        return page("message", 404, title="This account has no password", text="You sign in elsewhere.")
    if factors.has_second(found) and not factors.may_change(found):
        return see_other(way_to(found, "password"))
    return None


def _shown(found: Owner, complaint: str) -> Response:
    status = 422 if complaint else 200
    return page("password", status, session=found.session, complaint=complaint, shortest=passwords.SHORTEST)


def _changed(found: Owner) -> str:
    """Change the password as the form says; return what is wrong with the form, "" when the password was changed.

    Raises: TooManyFailuresError.
    """
    form, account = request.form, found.account
    if sign_in.log_in(found.context, account.login, form.get("password", ""), SERVER) is None:
        return "wrong"
    new = form.get("new", "")
    if new != form.get("again", ""):
        return "different"
    host = issuer.issuer_of(runtime()).rpartition("//")[2]
    weak = passwords.weakness(new, (account.login, account.display, host))
    if weak:
        return weak.name.lower()
    factors.set_password(found, new, ends_apps=form.get("apps") == "end")
    return ""
