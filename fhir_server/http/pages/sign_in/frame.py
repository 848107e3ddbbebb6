"""What all pages of the authorization server share: their frame, cookies, forms and refusals.

Rendered on the server, without scripts, readable without style sheets; never framed or cached, nothing loaded from
other sites.
Sources: RFC 9700 4.7, 4.12 and 4.16; OWASP ASVS 5.0, chapter 7.
"""

import re
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, render_template, request

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.identity import credentials
from fhir_server.application.identity.accounts import Account, StaleAccountError
from fhir_server.http.cookies import cookie, set_cookie
from fhir_server.http.oauth import forms
from fhir_server.http.oauth.endpoints import respond
from fhir_server.http.pages import error_pages
from fhir_server.http.pages.base import CSP
from fhir_server.http.pages.language import Catalogue
from fhir_server.http.request_context import options, runtime
from fhir_server.oauth.base import issuer, page_state
from fhir_server.oauth.base.page_state import Kept
from fhir_server.oauth.base.wire import Answer
from fhir_server.oauth.login import passkeys, sessions
from fhir_server.oauth.login.throttle import TooManyFailuresError

SCRIPTED = f"{CSP}; script-src 'self'"
"""For the pages on which a passkey is made or used, and no other page."""
oauth_pages = Blueprint("oauth_pages", "fhir_server.http", template_folder="templates")
_WITH_NEWS = frozenset({"apps", "consent", "passkeys", "sign_in"})
"""Pages that show recent changes of the account to the person who is signed in."""
_TELLS_SUSPENSION = _WITH_NEWS | {"notices"}
"""Pages that tell a professional that their declarations are suspended."""
_OWN_PAGE = re.compile(r"/(?:account|journal)(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9_.~%&=+:-]*)?", re.ASCII)
_LONGEST_ADDRESS = 500
_words = Catalogue(domain="oauth")

oauth_pages.before_request(forms.bound_page_request)


@oauth_pages.after_request
def protect(response: Response) -> Response:
    """Forbid framing, script, caching and referrers on every page."""
    response.headers.setdefault("Content-Security-Policy", CSP)
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


@oauth_pages.errorhandler(TooManyFailuresError)
def too_many(_error: TooManyFailuresError) -> Response:
    """Answer that there were too many attempts."""
    return error_pages.page(429, [("Retry-After", "900")])


@oauth_pages.errorhandler(StaleAccountError)
def changed_meanwhile(_error: StaleAccountError) -> Response:
    """Answer that somebody else changed the account at the same time, and that this request changed nothing."""
    return gone()


def page(name: str, status: int, **shown: object) -> Response:
    """Render a page in the browser's language; it shows recent changes of the account until the owner has seen them.

    It says, too, when the declarations of the person or of their establishment are suspended, and never why.
    """
    session = current_session() if name in _TELLS_SUSPENSION else None
    if name in _WITH_NEWS:
        shown |= _news(session)
    if session:
        shown |= {"suspended": _is_suspended(session.account)}
    text = render_template(f"oauth/{name}.html", _=_words.gettext, **shown)
    return Response(text, status, mimetype="text/html")


def _news(session: sessions.Session | None) -> dict[str, object]:
    found = credentials.news_of(runtime(), session.account) if session else ()
    return {"news": [item for item in found if not item.seen], "news_csrf": session.csrf if session else ""}


def _is_suspended(account: Account) -> bool:
    if account.kind is not RequesterKind.PROFESSIONAL:
        return False
    places = (practice.organization for practice in account.practices)
    return supervising.is_suspended(runtime(), account.person, *places)


def second_factor_page(status: int, owner: Account | None, place: str, **shown: object) -> Response:
    """Ask for a second factor: a passkey, a code, or either. place: what the passkey challenge is bound to."""
    passkey = passkeys.request_options(runtime(), owner, place) if owner else ""
    has_code = owner is None or bool(owner.totp)
    response = page("second_factor", status, passkey=passkey, has_code=has_code, **shown)
    if passkey:
        response.headers["Content-Security-Policy"] = SCRIPTED
    return response


def too_weak() -> Response:
    """Refuse to change a factor when the person has shown none within the last minutes."""
    text = "This can be changed only by whoever has just shown it. A first one needs the code that you were handed."
    return page("message", 403, title="Show your second factor again", text=text)


def gone() -> Response:
    """Answer that a form or an address is no longer valid."""
    return page("message", 400, title="This page has expired", text="Go back to the app and begin again.")


def see_other(path: str) -> Response:
    """Redirect the browser to one of our paths by GET."""
    return respond(Answer(303, "", {"Location": f"{issuer.issuer_of(runtime())}{path}"}))


def wanted_page() -> str:
    """Return the page to show after the sign-in, as this request names it in `then`; "" when it names none.

    `then` holds the id of a notice, or the address of a page for people who are signed in. Any other value is ignored,
    so that nobody sends a person from our sign-in to another site.
    """
    wanted = request.args.get("then", "")
    if is_own_page(wanted):
        return wanted
    try:
        return f"/account/notices/{UUID(wanted)}"
    except ValueError:
        return ""


def is_own_page(address: str) -> bool:
    """Tell whether an address is the path of a page of a person's own on this server, with or without a query."""
    return len(address) <= _LONGEST_ADDRESS and bool(_OWN_PAGE.fullmatch(address))


def with_wanted_page(path: str) -> str:
    """Return a path of the sign-in that remembers which page this request wants afterwards."""
    wanted = wanted_page()
    return f"{path}?{urlencode({'then': wanted})}" if wanted else path


def signed_in(session: str) -> Response:
    """Redirect a person who has just signed in to the page that they asked for, or to their own pages."""
    response = see_other(wanted_page() or "/account/start")
    set_cookie(response, "session", session)
    return response


def current_session() -> sessions.Session | None:
    """Return the live session of the person at the browser, None when nobody is signed in."""
    return sessions.find_session(runtime(), options(), cookie("session"))


def remember(kind: Kept, key: str, value: str) -> None:
    """Keep a value as long as a conversation lasts; it replaces an earlier value."""
    page_state.keep(runtime(), kind, key, value, runtime().now() + options().interaction_lifetime)


def csrf_of(browser: str) -> str:
    """Return the token that forms carry before there is a session."""
    return sha256(f"csrf|{browser}".encode("utf-8", "surrogatepass")).hexdigest()


def is_own_form(browser: str) -> bool:
    """Tell whether a form was made for this browser."""
    return bool(browser) and is_same(csrf_of(browser))


def is_same(csrf: str) -> bool:
    """Tell whether the form carries this token; compared as bytes, because an attacker's value may not be ASCII."""
    return compare_digest(request.form.get("csrf", "").encode("utf-8", "surrogatepass"), csrf.encode())
