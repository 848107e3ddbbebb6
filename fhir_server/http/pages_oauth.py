"""The authorization server's pages: sign in, choose, consent, and end what was granted.

Server-rendered, without script, readable without style; never framed, never cached, nothing from elsewhere.
Sources: RFC 6749 3.1, RFC 9700 4.7, 4.12 and 4.16; OWASP ASVS 5.0, chapter 7.
"""

from dataclasses import replace
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, render_template, request
from flask_babel import Domain
from flask_smorest import Api

from fhir_server.application.accounts import change_account
from fhir_server.application.app_authorization import find_grant, grants_of, revoke_grant
from fhir_server.http import language, scope_words
from fhir_server.http.oauth_endpoints import context, options, respond
from fhir_server.http.request_context import runtime
from fhir_server.oauth import (
    approval,
    authorization,
    conversation,
    events,
    interactions,
    issuer,
    narrowing,
    sessions,
    totp,
)
from fhir_server.oauth.authorization import BadRequestError, Refusal
from fhir_server.oauth.interactions import Interaction
from fhir_server.oauth.throttle import TooManyFailuresError
from fhir_server.oauth.wire import Answer
from fhir_server.ports import Secret

Json = dict[str, Any]

_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_HALF_LOGIN, _NEW_TOTP = "half-login", "new-totp"
_pages = Blueprint("oauth_pages", __name__, template_folder="templates")
_words = Domain([str(Path(__file__).parents[1] / "translations")], domain="oauth")


def register(app: Flask, _api: Api) -> None:
    """Register the pages."""
    language.install(app)
    app.register_blueprint(_pages)


@_pages.after_request
def protect(response: Response) -> Response:
    """Forbid framing, script, caching and referrers on every page."""
    response.headers.setdefault("Content-Security-Policy", _CSP)
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


@_pages.errorhandler(TooManyFailuresError)
def too_many(_error: TooManyFailuresError) -> Response:
    """Say that it is too much for now."""
    response = _page("message", 429, title="Too many attempts", text="Wait a quarter of an hour, then try again.")
    response.headers["Retry-After"] = "900"
    return response


@_pages.route("/oauth/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Take an app's request, check it whole, and begin a conversation."""
    known = context()
    browser = _cookie("browser") or runtime().ports.ids.secret()
    try:
        asked = authorization.read(known)
        begun = interactions.start(known, asked, browser)
        begun = conversation.with_session(known, begun, _cookie("session"))
        if asked.prompt == "none":
            return respond(approval.silent(known, begun))
        interactions.save(runtime(), begun)
    except BadRequestError as bad:
        return _page("message", 400, title="This request cannot be answered", text=bad.text)
    except Refusal as refusal:
        return respond(authorization.refused(known, refusal))
    response = _see_other(f"/oauth/interaction/{begun.id}")
    _set_cookie(response, "browser", browser)
    return response


@_pages.route("/oauth/interaction/<id_>", methods=["GET", "POST"])
def interaction(id_: str) -> Response:
    """Show the next step of a conversation, or take the answer to it."""
    held = interactions.load(runtime(), id_, _cookie("browser"))
    if held is None:
        return _gone()
    try:
        step, settled = conversation.next_step(runtime(), held)
        if request.method == "GET":
            return _show(settled, step)
        if not _is_same(held.csrf) or request.form.get("step") != step:
            return _gone()
        return _decide(settled) if step == "consent" else _take(settled, step)
    except Refusal as refusal:
        interactions.finish(runtime(), held)
        return respond(authorization.refused(context(), refusal))


def _take(held: Interaction, step: str) -> Response:
    turn = conversation.answer(context(), held, step, request.form)
    if turn.complaint:
        return _show(held, step, complaint=turn.complaint)
    if not interactions.save(runtime(), turn.interaction):
        return _gone()
    response = _see_other(f"/oauth/interaction/{held.id}")
    if turn.cookie:
        _set_cookie(response, "session", turn.cookie)
    return response


def _decide(held: Interaction) -> Response:
    known = context()
    if request.form.get("decision") != "allow":
        account = interactions.account_of(runtime(), held)
        if account:
            events.consent_refused(known, account, held.asked.client_id)
        raise Refusal(held.asked, "access_denied")
    return respond(approval.approve(known, held, request.form.getlist("scope"), _days()))


def _days() -> int | None:
    text = request.form.get("days", "")
    return int(text) if text in {"1", "30", "365"} else None


def _show(held: Interaction, step: str, complaint: str = "") -> Response:
    client, account = interactions.client_of(runtime(), held), interactions.account_of(runtime(), held)
    shown: Json = {"held": held, "step": step, "client": client, "account": account, "complaint": complaint}
    if step == "capacity" and account and client:
        shown["choices"] = interactions.capacities(account, client)
    if step == "patient" and account:
        shown["choices"] = interactions.patients_of(account) if held.capacity == interactions.SELF else {}
    if step == "emergency":
        shown |= {"reasons": conversation.REASONS, "proposed": approval.emergency_reason(held)}
    if step == "consent":
        shown |= _offer(held)
    response = _page(step.replace("-", "_"), 200 if not complaint else 422, **shown)
    if step == "consent":
        response.headers["Content-Security-Policy"] = f"{_CSP} {_origin(held.asked.redirect_uri)}"
    return response


def _offer(held: Interaction) -> Json:
    offer = approval.offered(runtime(), held)
    asked = set(narrowing.clinical(held.asked.scope))
    if not offer:
        raise Refusal(held.asked, "invalid_scope")
    return {
        "scopes": scope_words.tell(offer),
        "others": scope_words.others(offer),
        "is_cut": bool(asked - set(narrowing.clinical(offer))),
        "is_lasting": "offline_access" in offer.split(),
    }


def _origin(uri: str) -> str:
    """Return the source expression that lets the consent form end in a redirect to the app."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


@_pages.route("/login", methods=["GET", "POST"])
def login() -> Response:
    """Sign in to one's own pages."""
    browser = _cookie("browser") or runtime().ports.ids.secret()
    if request.method == "GET":
        response = _page("login", 200, csrf=_csrf(browser), complaint="")
        _set_cookie(response, "browser", browser)
        return response
    if not _is_own_form(browser):
        return _gone()
    account = conversation.log_in(
        context(), request.form.get("login", ""), request.form.get("password", ""), events.SELF
    )
    if account is None:
        return _page("login", 422, csrf=_csrf(browser), complaint="wrong")
    if account.totp:
        _remember(_HALF_LOGIN, browser, account.login)
        return _see_other("/login/second-factor")
    return _signed_in(conversation.begin_session(context(), account, ("pwd",), events.SELF)[0])


@_pages.route("/login/second-factor", methods=["GET", "POST"])
def second_factor() -> Response:
    """Give the second factor of a sign-in that has begun."""
    browser = _cookie("browser")
    half = runtime().ports.vault.get(_HALF_LOGIN, browser, runtime().ports.clock.now()) if browser else None
    if half is None:
        return _see_other("/login")
    if request.method == "GET":
        return _page("second_factor", 200, csrf=_csrf(browser), complaint="")
    if not _is_own_form(browser):
        return _gone()
    account = conversation.prove_second(context(), half.value.decode(), request.form.get("code", ""), events.SELF)
    if account is None:
        return _page("second_factor", 422, csrf=_csrf(browser), complaint="wrong")
    runtime().ports.vault.drop(_HALF_LOGIN, browser)
    return _signed_in(conversation.begin_session(context(), account, ("pwd", "otp"), events.SELF)[0])


@_pages.post("/logout")
def logout() -> Response:
    """End the session."""
    session = current_session()
    if session and _is_same(session.csrf):
        sessions.end(runtime(), session)
        events.logged_out(context(), session.account)
    response = _see_other("/login")
    response.delete_cookie(_name("session"), secure=_is_secure(), httponly=True, samesite="Lax")
    return response


@_pages.get("/account/apps")
def apps() -> Response:
    """Show a person every app that may act for them."""
    session = current_session()
    if session is None:
        return _see_other("/login")
    granted = [(grant, scope_words.tell(grant.scopes)) for grant in grants_of(runtime(), session.account.subject)]
    return _page("apps", 200, session=session, granted=granted)


@_pages.post("/account/apps/<grant_id>")
def end_app(grant_id: str) -> Response:
    """End what one app may do, from the next request on."""
    session = current_session()
    if session is None or not _is_same(session.csrf):
        return _gone()
    grant = find_grant(runtime(), grant_id)
    if grant is not None and grant.subject == session.account.subject:
        revoke_grant(runtime(), grant.id)
        events.grant_ended(context(), grant, "ended-by-person")
    return _see_other("/account/apps")


@_pages.route("/account/second-factor", methods=["GET", "POST"])
def enrol() -> Response:
    """Set up a second factor: shown once, in force when a code of it was typed back."""
    session = current_session()
    if session is None:
        return _see_other("/login")
    if request.method == "GET":
        secret = totp.new_secret()
        _remember(_NEW_TOTP, session.id, secret)
        where = totp.address_of(session.account, secret)
        return _page("enrol", 200, session=session, secret=secret, address=where, complaint="")
    if not _is_same(session.csrf):
        return _gone()
    kept = runtime().ports.vault.take(_NEW_TOTP, session.id, runtime().ports.clock.now())
    account = replace(session.account, totp=kept.value.decode() if kept else "")
    if kept is None or not totp.is_right(runtime(), account, request.form.get("code", "")):
        return _page("message", 422, title="This code is not right", text="Begin again to get a new key.")
    change_account(runtime(), account)
    return _see_other("/account/apps")


def _page(name: str, status: int, **shown: object) -> Response:
    text = render_template(f"oauth/{name}.html", _=_words.gettext, **shown)
    return Response(text, status, mimetype="text/html")


def _gone() -> Response:
    return _page("message", 400, title="This page has expired", text="Go back to the app and begin again.")


def _see_other(path: str) -> Response:
    return respond(Answer(303, "", {"Location": f"{issuer.issuer_of(runtime())}{path}"}))


def _signed_in(cookie: str) -> Response:
    response = _see_other("/account/apps")
    _set_cookie(response, "session", cookie)
    return response


def current_session() -> sessions.Session | None:
    """Return the live session of the person at the browser, None when nobody is signed in."""
    return sessions.find_session(runtime(), options(), _cookie("session"))


def _remember(kind: str, key: str, value: str) -> None:
    runtime().ports.vault.drop(kind, key)
    expires = runtime().ports.clock.now() + options().interaction_lifetime
    runtime().ports.vault.add(Secret(kind, key, value.encode(), expires=expires))


def _csrf(browser: str) -> str:
    return sha256(f"csrf|{browser}".encode("utf-8", "surrogatepass")).hexdigest()


def _is_own_form(browser: str) -> bool:
    return bool(browser) and _is_same(_csrf(browser))


def _is_same(csrf: str) -> bool:
    """Tell whether the form carries this token; as bytes, for a hostile one may be no ASCII."""
    return compare_digest(request.form.get("csrf", "").encode("utf-8", "surrogatepass"), csrf.encode())


def _is_secure() -> bool:
    return issuer.issuer_of(runtime()).startswith("https://")


def _name(what: str) -> str:
    """Return a cookie's name: `__Host-` binds it to this host, which needs https."""
    return f"__Host-{what}" if _is_secure() else f"habilis-{what}"


def _cookie(what: str) -> str:
    value = request.cookies.get(_name(what), "")
    return value if value.isascii() and len(value) <= 128 else ""  # noqa: PLR2004


def _set_cookie(response: Response, what: str, value: str) -> None:
    response.set_cookie(_name(what), value, secure=_is_secure(), httponly=True, samesite="Lax", path="/")
