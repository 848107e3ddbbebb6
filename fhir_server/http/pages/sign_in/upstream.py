"""Sign-in through Pro Santé Connect or FranceConnect: redirect there, return, and the one-time link of a patient.

Sources: OpenID Connect Core 1.0, 3.1; OpenID Connect RP-Initiated Logout 1.0; RFC 9700 4.4 and 4.7.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import orjson
from authlib.oauth2 import OAuth2Error
from flask import Response, request

from fhir_server import telemetry
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.franceconnect_link import Traits
from fhir_server.domain.caller import SERVER, Login
from fhir_server.http.cookies import cookie, set_cookie
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.base import CSP
from fhir_server.http.pages.sign_in.frame import (
    csrf_of,
    gone,
    is_own_form,
    oauth_pages,
    page,
    remember,
    see_other,
    signed_in,
)
from fhir_server.http.request_context import options, runtime
from fhir_server.oauth.authorize import conversation, interactions
from fhir_server.oauth.authorize.interactions import PendingAuthorization
from fhir_server.oauth.base import issuer, page_state
from fhir_server.oauth.base.bulkhead import RETRY_SECONDS, BusyError
from fhir_server.oauth.base.page_state import Kept
from fhir_server.oauth.base.wire import once
from fhir_server.oauth.login import sign_in, throttle
from fhir_server.oauth.login.sessions import Session
from fhir_server.oauth.upstream import admission, relying
from fhir_server.oauth.upstream.metadata import ProviderError, metadata_of
from fhir_server.oauth.upstream.relying import Errand, VouchedPerson
from fhir_server.settings.upstream import Provider

_LABELS = {"psc": "Pro Santé Connect", "franceconnect": "FranceConnect"}
_FOR_APPS = {ClientKind.PATIENT_APP: "franceconnect"}
_UNTRUSTED = ("You were not signed in", "What came back does not prove who you are.")
_UNKNOWN = (
    "You are not in the directory",
    (
        "Who you are is confirmed, but this server knows no health professional with your number. "
        "Your establishment can have you recorded."
    ),
)
_TEXTS = {
    "unknown-state": (
        "This sign-in has expired",
        "It was begun in another browser, or too long ago, or it was completed already.",
    ),
    "refused-upstream": ("You were not signed in", "You cancelled, or who you are was not confirmed."),
    "unreachable": ("You were not signed in", "The service that should confirm who you are does not answer now."),
    "too-weak": ("You were not signed in", "You signed in by a means that is too weak for health data."),
    "too-old": ("You were not signed in", "You must sign in anew for this, and the sign-in that came back is older."),
    "no-professional": _UNKNOWN,
    "unknown-professional": _UNKNOWN,
    "no-situation": (
        "None of your situations is known here",
        (
            "None of the practice situations that the directory has for you is confirmed. "
            "Your establishment can have them recorded."
        ),
    ),
}


def offered(client: Client | None = None) -> dict[str, str]:
    """Return the providers to show for an app, or for a person's own pages: id to label."""
    wanted = _FOR_APPS.get(client.kind, "psc") if client else ""
    return {provider.id: _LABELS[provider.id] for provider in options().providers if wanted in {"", provider.id}}


@oauth_pages.get("/login/with/<provider_id>")
def leave_for(provider_id: str) -> Response:
    """Redirect the browser to a provider."""
    provider = _provider(provider_id)
    browser = cookie("browser")
    waiting = request.args.get("interaction", "")
    held = interactions.load(runtime(), waiting, browser) if waiting else None
    if provider is None or not browser or (waiting and held is None):
        return gone()
    emergency = held is not None and held.asked.is_emergency
    if not throttle.begin(context(), emergency=emergency) and not emergency:
        raise throttle.TooManyFailuresError
    try:
        with options().bulkhead.enter(provider.id):
            where = relying.depart(runtime(), provider, browser, _errand(provider, held))
    except BusyError:
        return _busy(f"?interaction={waiting}" if waiting else "", provider)
    except ProviderError as error:
        return _refused(error, waiting)
    response = see_other("/")
    response.headers["Location"] = where
    return response


@oauth_pages.get("/login/with/<provider_id>/callback")
def come_back(provider_id: str) -> Response:
    """Take the answer of a provider, which the browser brings."""
    provider = _provider(provider_id)
    if provider is None:
        return gone()
    try:
        with options().bulkhead.enter(provider.id):  # before the state is spent: the browser may try again
            return _arrived(provider)
    except BusyError:
        return _busy(f"/callback?{request.query_string.decode('ascii', 'replace')}", provider)


def _arrived(provider: Provider) -> Response:
    waiting = ""
    try:
        params = once(tuple(request.args.items(multi=True)))
        ticket = relying.claim(runtime(), provider, cookie("browser"), params.get("state", ""))
        waiting = ticket.errand.interaction
        arrival = relying.arrive(runtime(), provider, ticket, params)
        admitted = admission.admit(runtime(), provider, arrival)
    except OAuth2Error:
        return _refused(ProviderError("repeated-parameter"), waiting)
    except ProviderError as error:
        return _refused(error, waiting)
    if admitted.account is None:
        _await_code(provider, arrival, admitted.proof, waiting)
        return see_other("/login/link")
    return _complete(admitted.account, admitted.proof, waiting, arrival.id_token)


@dataclass(frozen=True, slots=True)
class _PendingLink:
    """A person whom a provider vouches for, and who still has to enter the one-time code."""

    provider: str
    subject: str
    proof: Login
    interaction: str
    traits: Traits
    id_token: str


_DECODER = msgspec.json.Decoder(_PendingLink)


@oauth_pages.route("/login/link", methods=["GET", "POST"])
def link() -> Response:
    """Let a patient who comes for the first time enter the one-time code."""
    browser = cookie("browser")
    held = page_state.kept(runtime(), Kept.LINKING, browser)
    pending = _DECODER.decode(held) if held else None
    provider = _provider(pending.provider) if pending else None
    if pending is None or provider is None:
        return gone()
    if request.method != "POST":
        return page("link", 200, csrf=csrf_of(browser), provider=_LABELS[provider.id], complaint="")
    if not is_own_form(browser):
        return gone()
    account = _link(provider, pending)
    if account is None:
        return page("link", 422, csrf=csrf_of(browser), provider=_LABELS[provider.id], complaint="wrong")
    page_state.drop(runtime(), Kept.LINKING, browser)
    return _complete(account, pending.proof, pending.interaction, pending.id_token)


def _link(provider: Provider, pending: _PendingLink) -> Account | None:
    known, subject = context(), pending.subject
    attempt = throttle.Attempt(throttle.LINK_CODE, subject)
    throttle.check(known, attempt)
    account = admission.link_patient(known, provider, subject, request.form.get("code", ""), pending.traits)
    if account is None:
        sign_in.refuse_link_code(known, attempt)
    return account


def _await_code(provider: Provider, arrival: VouchedPerson, proof: Login, waiting: str) -> None:
    traits = admission.traits_of(arrival.person)
    kept = _PendingLink(provider.id, arrival.proof.subject, proof, waiting, traits, arrival.id_token)
    remember(Kept.LINKING, cookie("browser"), orjson.dumps(kept).decode())


def _complete(account: Account, proof: Login, waiting: str, id_token: str) -> Response:
    """Begin the session, keep what its end will need at the provider, and continue what the person was doing."""
    held = interactions.load(runtime(), waiting, cookie("browser")) if waiting else None
    if waiting and held is None:
        return gone()
    known = context()
    begun = sign_in.begin_proven(known, account, proof, held.asked.client_id if held else SERVER)
    session = begun[1].session
    until = runtime().now() + options().session_absolute
    page_state.keep_with_session(runtime(), Kept.UPSTREAM_EXIT, session, id_token, until)
    if held is None:
        return signed_in(begun[0])
    turn = conversation.go_on(interactions.lasting(known, held), account, begun)
    if not interactions.save(runtime(), turn.interaction):
        return gone()
    response = see_other(f"/oauth/interaction/{held.id}")
    set_cookie(response, "session", turn.cookie)
    return response


def _errand(provider: Provider, held: PendingAuthorization | None) -> Errand:
    if held is None:
        return Errand(level=provider.level)
    asked = held.asked
    wanted = issuer.LEVELS[1] if asked.is_emergency else interactions.wanted_level(held)
    level = wanted if issuer.is_strong_enough(wanted, provider.level) else provider.level
    limits = [asked.max_age, interactions.EMERGENCY_LOGIN_SECONDS if asked.is_emergency else None]
    oldest = min((limit for limit in limits if limit is not None), default=None)
    return Errand(held.id, level, oldest, fresh="login" in asked.prompt.split())


def _provider(id_: str) -> Provider | None:
    return next((provider for provider in options().providers if provider.id == id_), None)


def _refused(error: ProviderError, waiting: str) -> Response:
    """Answer that nobody was signed in; the audit log keeps the reason, the log notes a provider that does not answer.

    Raises: TooManyFailuresError instead when too many failed at this address; further failures are not recorded.
    """
    if error.reason == "unreachable":
        telemetry.alarm("provider_unreachable")
    try:
        sign_in.refuse_arrival(context(), error.reason)
    except throttle.TooManyFailuresError:
        if error.reason != "unreachable":
            raise
    title, text = _TEXTS.get(error.reason, _UNTRUSTED)
    again = f"/oauth/interaction/{waiting}" if waiting else "/login"
    return page("message", 403 if "situation" in error.reason or "professional" in error.reason else 400,
                title=title, text=text, again=again)  # fmt: skip


def _busy(rest: str, provider: Provider) -> Response:
    """Answer at once that the provider is slow. rest: what follows in the address that the person should try again."""
    title, text = "Please try again in a few seconds", "The service that should confirm who you are is slow now."
    response = page("message", 503, title=title, text=text, again=f"/login/with/{provider.id}{rest}")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def farewell(session: Session) -> Response | None:
    """Return the page that offers to end the session at the provider too, None when there is no such session.

    A form sends the id_token, so that no address contains it. Call this function before the session ends.
    """
    provider = _provider(session.proof.provider)
    kept = page_state.kept(runtime(), Kept.UPSTREAM_EXIT, session.id)
    if provider is None or kept is None:
        return None
    try:
        with options().bulkhead.enter(provider.id):
            where = metadata_of(runtime(), provider).end_session_endpoint
    except (BusyError, ProviderError):
        return None
    if not where:
        return None
    fields = {
        "id_token_hint": kept, "client_id": provider.client_id,
        "post_logout_redirect_uri": issuer.address(runtime(), "/login"),
    }  # fmt: skip
    response = page("signed_out", 200, provider=_LABELS[provider.id], where=where, fields=fields)
    parts = urlsplit(where)
    response.headers["Content-Security-Policy"] = f"{CSP} {parts.scheme}://{parts.netloc}"
    return response
