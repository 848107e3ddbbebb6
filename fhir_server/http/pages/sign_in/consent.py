"""The consent page: what an app may do, for how long and, for a patient's own app, which documents it never sees.

Sources: SMART App Launch 2.2 (the person may grant less); RFC 9700 4.16.
"""

from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlsplit

from flask import Response, request

from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.caller import AppExclusions
from fhir_server.domain.values import Json
from fhir_server.http.oauth.endpoints import context, respond
from fhir_server.http.pages import language
from fhir_server.http.pages.base import CSP
from fhir_server.http.pages.sign_in import scope_words
from fhir_server.http.pages.sign_in.frame import page
from fhir_server.http.request_context import options, runtime
from fhir_server.oauth.authorize import approval, interactions, selection
from fhir_server.oauth.authorize.approval import Choice
from fhir_server.oauth.authorize.authorization import Refusal
from fhir_server.oauth.authorize.interactions import LiveState, PendingAuthorization
from fhir_server.oauth.granted import narrowing, redirects
from fhir_server.oauth.login import regulation

DAYS = (1, 30, 365)


def show(held: PendingAuthorization, live: LiveState, complaint: str = "") -> Response:
    """Show the consent page of a conversation that has come to this last step.

    Raises: Refusal when nothing may be granted.
    """
    shown: Json = {"held": held, "step": "consent", "client": live.client, "account": live.account}
    shown["complaint"] = complaint
    shown["goes_to"] = redirects.shown(held.asked.redirect_uri)
    response = page("consent", 422 if complaint else 200, **shown, **_offer(held, live))
    return may_return(response, held)


def may_return(response: Response, held: PendingAuthorization) -> Response:
    """Allow a form of this page to end in a redirect to the app."""
    policy = response.headers.get("Content-Security-Policy", CSP)
    to_app = f"form-action 'self' {_origin(held.asked.redirect_uri)}"
    response.headers["Content-Security-Policy"] = policy.replace("form-action 'self'", to_app)
    return response


def decide(held: PendingAuthorization, live: LiveState) -> Response:
    """Take the decision and send the browser back to the app.

    Raises: Refusal when the person refuses, or leaves nothing ticked.
    """
    known = context()
    if request.form.get("decision") != "allow":
        approval.turn_away(known, held, live.account)
    try:
        until = _until()
    except ValueError:
        return show(held, live, complaint="wrong")
    choice = Choice(request.form.getlist("scope"), until, _withheld(held, live))
    return respond(approval.approve(known, held, choice))


def _offer(held: PendingAuthorization, live: LiveState) -> Json:
    party = interactions.party_of(held, live)
    offer = approval.offered(runtime(), held.asked, party)
    asked = set(narrowing.clinical(held.asked.scope))
    if not offer:
        raise Refusal(held.asked, "invalid_scope")
    earliest, latest = _days()
    return {
        "scopes": scope_words.tell(offer),
        "others": scope_words.others(offer),
        "is_cut": bool(asked - set(narrowing.clinical(offer))),
        "is_professional": party is not None and party.requester.kind is RequesterKind.PROFESSIONAL,
        "is_regulating": regulation.is_regulating(party),
        "is_lasting": "offline_access" in offer.split(),
        "days": DAYS,
        "earliest": earliest.isoformat(),
        "latest": latest.isoformat(),
        "listing": selection.listing(context(), held, live) if selection.is_open(party, offer) else None,
    }


def _withheld(held: PendingAuthorization, live: LiveState) -> AppExclusions:
    party = interactions.party_of(held, live)
    if party is None:
        return AppExclusions()
    if not selection.is_open(party, approval.offered(runtime(), held.asked, party)):
        return selection.before(context(), held, live)
    documents, kinds = request.form.getlist("document"), request.form.getlist("kind")
    return selection.withheld(context(), held, live, documents, kinds)


def _days() -> tuple[date, date]:
    """Return today and the last day that may be chosen, both in the time zone of the page."""
    now = runtime().now()
    return language.local(now).date(), language.local(now + options().offline_limit).date()


def _until() -> datetime | None:
    """Return the date on which the person wants the app's access to end, None when they chose none.

    Raises: ValueError when the value is not a date, or not one that the page offers.
    """
    text, now = request.form.get("days", ""), runtime().now()
    if text == "date":
        day = date.fromisoformat(request.form.get("until", ""))
        earliest, latest = _days()
        if not earliest <= day <= latest:
            raise ValueError(text)
        next_day = datetime.combine(day + timedelta(days=1), time(), language.zone())
        return next_day.astimezone(UTC)
    return now + timedelta(days=int(text)) if text in {str(days) for days in DAYS} else None


def _origin(uri: str) -> str:
    """Return the Content-Security-Policy source that allows the consent form to end in a redirect to the app."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"
