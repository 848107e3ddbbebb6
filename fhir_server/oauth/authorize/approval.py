"""The end of a conversation: consent becomes a grant and a code, or the app gets a refusal.

Sources: RFC 6749 4.1.2, OpenID Connect Core 3.1.2.6, SMART App Launch 2.2; IHE IUA (purpose of use).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import access_tokens, grant_replacement, grants
from fhir_server.application.identity.accounts import Account, Grantee
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import Grant
from fhir_server.application.spaces import break_glass
from fhir_server.domain.caller import AppExclusions, Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json
from fhir_server.oauth.authorize import interactions
from fhir_server.oauth.authorize.authorization import AuthorizationRequest, Refusal, send_back
from fhir_server.oauth.authorize.interactions import PendingAuthorization
from fhir_server.oauth.base import events
from fhir_server.oauth.base.wire import Answer, Context
from fhir_server.oauth.granted import details, narrowing, redirects, tokens
from fhir_server.oauth.granted.launches import end_launch
from fhir_server.oauth.granted.records import AuthorizationCode
from fhir_server.oauth.login import regulation

EMERGENCY = timedelta(minutes=15)


def offered(runtime: Runtime, asked: AuthorizationRequest, party: Grantee | None) -> str:
    """Return the scopes that may be granted to a party: the requested ones, limited by public facts only."""
    return narrowing.for_person(runtime, asked.scope, party, emergency=asked.is_emergency) if party else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's decision on the consent page.

    scopes: what they kept. until: when the grant shall end; None for the longest time. withheld: documents they
        excluded.
    """

    scopes: Iterable[str]
    until: datetime | None = None
    withheld: AppExclusions = field(default_factory=AppExclusions)


@command(EventKind.APP_LET_IN)
def approve(context: Context, interaction: PendingAuthorization, choice: Choice) -> Answer:
    """Grant what the person kept of the offer, and redirect the browser to the app with a code.

    Whoever gets the grant is looked up once more, because an account or an app may have ended while the choice of
    documents was read.
    Raises: Refusal when the person kept nothing, or the conversation cannot end in a grant.
    """
    runtime, asked = context.runtime, interaction.asked
    party = interactions.party_of(interaction, interactions.look_up(runtime, interaction))
    offer = offered(runtime, asked, party)
    scopes = keep(offer, choice.scopes)
    if party is None or not (narrowing.clinical(scopes) or "openid" in scopes.split()):
        raise Refusal(asked, "invalid_scope" if not offer else "access_denied")
    if not interactions.finish(runtime, interaction):
        raise Refusal(asked, "invalid_request", "this sign-in has ended; send a new authorization request")
    _use_launch(runtime, asked)
    drafted = replace(_draft(runtime, interaction, party, scopes), withheld=choice.withheld)
    grant = grant_replacement.agree(runtime, replace(drafted, expires=_until(context, drafted, choice.until)))
    if asked.is_emergency:
        _open_space(context, interaction, grant)
    events.consent_given(context, grant)
    return _send_code(context, asked, grant)


@command(EventKind.APP_TURNED_AWAY)
def turn_away(context: Context, interaction: PendingAuthorization, account: Account | None) -> NoReturn:
    """End a conversation by refusing the app's request. account: who refuses, None before anybody has signed in.

    Raises: Refusal, which ends the conversation.
    """
    if account:
        events.consent_refused(context, account, interaction.asked.client_id)
    raise Refusal(interaction.asked, "access_denied")


def _use_launch(runtime: Runtime, asked: AuthorizationRequest) -> None:
    """Use up the launch of a conversation: a launch gives only one code.

    Raises: Refusal when another conversation used the launch first.
    """
    if asked.launch and not end_launch(runtime, asked.launch):
        raise Refusal(asked, "invalid_request", "the launch has been used")


def keep(offer: str, chosen: Iterable[str]) -> str:
    """Return the chosen part of an offer; scopes that give no access by themselves are always included."""
    wanted = set(chosen)
    offered_scopes = Scopes.parse(offer)
    resources = tuple(scope for scope in offered_scopes.resources if str(scope) in wanted)
    return str(Scopes(resources, offered_scopes.other))


def _draft(runtime: Runtime, interaction: PendingAuthorization, party: Grantee, scopes: str) -> Grant:
    """Return the grant that the person decided on."""
    asked = interaction.asked
    emergency = asked.is_emergency
    return replace(
        grants.draft_grant(runtime, party, scopes, _purpose(party, emergency=emergency)),
        context=context_of(asked),
        details=tuple(item | {"patient": interaction.patient} for item in asked.details) if emergency else (),
        reason=interaction.reason,
        proof=interaction.proof,
    )


def context_of(asked: AuthorizationRequest) -> Json:
    """Return the further members of the token response: the launch, and the requested scopes that are unknown here."""
    unread = narrowing.unreadable(asked.scope)
    return asked.context | ({"__scopes_not_understood": list(unread)} if unread else {})


def _open_space(context: Context, interaction: PendingAuthorization, grant: Grant) -> None:
    """Record the emergency in the patient's space, by the same decision as every access.

    Raises: Refusal, with the same text for every reason; the grant has then ended.
    """
    caller = Caller.of_token(grant, "", grant.scopes, context.received.origin)
    try:
        break_glass.open_as_granted(context.runtime, caller, interaction.patient, grant.reason)
    except Problem as problem:
        grants.revoke_grant(context.runtime, grant.id)
        raise Refusal(interaction.asked, "access_denied") from problem


def _purpose(party: Grantee, *, emergency: bool) -> Purpose | None:
    if emergency:
        return Purpose.BREAK_GLASS
    return Purpose.EMERGENCY if regulation.is_regulating(party) else None


def _until(context: Context, grant: Grant, wanted: datetime | None) -> datetime:
    now = context.runtime.ports.clock.now()
    if grant.is_emergency:
        return now + EMERGENCY
    words = grant.scopes.split()
    if "offline_access" in words:
        limit = now + context.options.offline_limit
        return min(wanted or limit, limit)
    if "online_access" in words:
        return now + context.options.session_absolute
    return now + access_tokens.lifetime_of(grant)


def _send_code(context: Context, asked: AuthorizationRequest, grant: Grant) -> Answer:
    secret = context.runtime.ports.ids.secret()
    code = AuthorizationCode(
        secret, asked.client_id, asked.redirect_uri, asked.challenge, grant, asked.nonce, asked.jkt
    )
    tokens.save_code(context, code)
    return send_back(context, asked, {"code": secret})


def silent(context: Context, interaction: PendingAuthorization) -> Answer:
    """Answer `prompt=none` without asking the person: only from a grant in force that covers the request.

    The code belongs to that grant, whose extent and end the person chose: nothing is added or prolonged.
    Raises: Refusal with the reason of OpenID Connect Core 3.1.2.6.
    """
    runtime, asked = context.runtime, interaction.asked
    live = interactions.look_up(runtime, interaction)
    account, client = live.account, live.client
    if account is None or client is None or interactions.needs_login(runtime, interaction, live):
        raise Refusal(asked, "login_required")
    if not interactions.is_for(asked, account):
        raise Refusal(asked, "access_denied", "this person may not use this app")
    if not redirects.is_assured(client, asked.redirect_uri):
        raise Refusal(asked, "interaction_required", "the person must confirm an app with this redirect URI")
    view = None if asked.is_emergency else _earlier(runtime, interaction, account, client)
    if view is None:
        raise Refusal(asked, "consent_required")
    if not interactions.finish(runtime, interaction):
        raise Refusal(asked, "invalid_request", "this sign-in has ended; send a new authorization request")
    _use_launch(runtime, asked)
    return _send_code(context, asked, view)


def _earlier(runtime: Runtime, interaction: PendingAuthorization, account: Account, client: Client) -> Grant | None:
    """Return the grant in force that covers the request, limited to what this authorization may see."""
    choices, asked = interactions.capacities(account, client), interaction.asked
    standing = grant_replacement.in_force(grants.grants_of(runtime, account.subject))
    for grant in (grant for grant in standing if _is_about(grant, asked)):
        capacity = f"role:{grant.requester.role}" if grant.requester.role else interactions.SELF
        party = Grantee(client, account, interactions.practice_of(account, capacity), grant.launch_patient)
        offer = offered(runtime, asked, party) if capacity in choices else ""
        if offer and _covers(grant, offer) and regulation.still_holds(runtime, grant):
            own = {"proof": interaction.proof, "context": context_of(asked), "jkt": "", "x5t": ""}
            return replace(grant, scopes=offer, **own)  # type: ignore[arg-type]
    return None


def _is_about(grant: Grant, asked: AuthorizationRequest) -> bool:
    """Tell whether a grant is for the same app, and for the same patient if the request names one."""
    return grant.client_id == asked.client_id and asked.patient in {"", grant.launch_patient}


def _covers(grant: Grant, offer: str) -> bool:
    return Scopes.parse(grant.scopes).contains(Scopes.parse(offer))


def emergency_reason(interaction: PendingAuthorization) -> str:
    """Return the reason that the app proposed, which the person must confirm."""
    found = details.emergency_of(interaction.asked.details)
    return str(found.get("reason", "")) if found else ""
