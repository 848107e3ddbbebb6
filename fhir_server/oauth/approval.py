"""The end of a conversation: consent becomes a grant and a code, or a refusal goes back to the app.

Sources: RFC 6749 4.1.2, OpenID Connect Core 3.1.2.6, SMART App Launch 2.2; IHE IUA (purpose of use).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose
from fhir_server.application import access_tokens, emergencies
from fhir_server.application import app_authorization as grants
from fhir_server.application.app_authorization import Grant, Terms
from fhir_server.application.parties import Party
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Withheld
from fhir_server.domain.problem import Problem
from fhir_server.oauth import details, events, interactions, narrowing, regulation, tokens
from fhir_server.oauth.authorization import Asked, Refusal, send_back
from fhir_server.oauth.interactions import Interaction
from fhir_server.oauth.launches import end_launch
from fhir_server.oauth.records import Code
from fhir_server.oauth.wire import Answer, Context

EMERGENCY = timedelta(minutes=15)


def offered(runtime: Runtime, interaction: Interaction) -> str:
    """Return the scopes that may be granted: the request, cut by public facts alone."""
    party = interactions.party_of(runtime, interaction)
    if party is None:
        return ""
    return narrowing.for_person(runtime, interaction.asked.scope, party, emergency=interaction.asked.is_emergency)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided on the consent page.

    scopes: what they kept. until: when it shall end; None leaves the longest. withheld: documents that they left out.
    """

    scopes: Iterable[str]
    until: datetime | None = None
    withheld: Withheld = field(default_factory=Withheld)


def approve(context: Context, interaction: Interaction, choice: Choice) -> Answer:
    """Grant what the person kept of the offer and send the browser back with a code.

    Raises: Refusal when nothing was kept or the conversation cannot end in a grant.
    """
    runtime, asked = context.runtime, interaction.asked
    party = interactions.party_of(runtime, interaction)
    offer = offered(runtime, interaction)
    scopes = keep(offer, choice.scopes)
    if party is None or not (narrowing.clinical(scopes) or "openid" in scopes.split()):
        raise Refusal(asked, "invalid_scope" if not offer else "access_denied")
    if not interactions.finish(runtime, interaction):
        raise Refusal(asked, "invalid_request", "this conversation has ended")
    grant = _open(context, interaction, party, Terms(scopes, withheld=choice.withheld))
    if asked.is_emergency:
        _open_space(context, interaction, grant)
    events.consent_given(context, grant)
    if asked.launch:
        end_launch(runtime, asked.launch)
    return _send_code(context, asked, grant, _until(context, grant, scopes, choice.until))


def keep(offer: str, chosen: Iterable[str]) -> str:
    """Return the part of an offer that was chosen; scopes that open nothing by themselves are not up for choice."""
    wanted = set(chosen)
    offered_scopes = Scopes.parse(offer)
    resources = tuple(scope for scope in offered_scopes.resources if str(scope) in wanted)
    return str(Scopes(resources, offered_scopes.other))


def _open(context: Context, interaction: Interaction, party: Party, wanted: Terms) -> Grant:
    """Store a grant that lasts only until its code is redeemed."""
    asked = interaction.asked
    emergency = asked.is_emergency
    terms = replace(
        wanted,
        purpose=_purpose(party, emergency=emergency),
        expires=context.runtime.ports.clock.now() + context.options.code_lifetime,
        context=asked.context,
        details=tuple(item | {"patient": interaction.patient} for item in asked.details) if emergency else (),
        reason=interaction.reason,
        proof=interaction.proof,
    )
    return grants.open_grant(context.runtime, party, terms)


def _open_space(context: Context, interaction: Interaction, grant: Grant) -> None:
    """Record the emergency in the patient's space, by the same decision as every access.

    Raises: Refusal, the same whatever the reason is; the grant has ended then.
    """
    now = context.runtime.ports.clock.now()
    access = access_tokens.Access("", grant, grant.scopes, now, now)
    caller = access_tokens.caller_for(access, context.received.address, context.received.request_id)
    try:
        emergencies.open_space(context.runtime, caller, interaction.patient, grant.reason)
    except Problem as problem:
        grants.revoke_grant(context.runtime, grant.id)
        raise Refusal(interaction.asked, "access_denied") from problem


def _purpose(party: Party, *, emergency: bool) -> str:
    if emergency:
        return Purpose.BREAK_GLASS
    return Purpose.EMERGENCY if regulation.is_regulating(party) else ""


def _until(context: Context, grant: Grant, scopes: str, wanted: datetime | None) -> str:
    now = context.runtime.ports.clock.now()
    if grant.is_emergency:
        return (now + EMERGENCY).isoformat()
    words = scopes.split()
    if "offline_access" in words:
        limit = now + context.options.offline_limit
        return min(wanted or limit, limit).isoformat()
    if "online_access" in words:
        return (now + context.options.session_absolute).isoformat()
    return (now + access_tokens.lifetime_of(grant)).isoformat()


def _send_code(context: Context, asked: Asked, grant: Grant, until: str) -> Answer:
    secret = context.runtime.ports.ids.secret()
    code = Code(secret, asked.client_id, asked.redirect_uri, asked.challenge, grant, until, asked.nonce, asked.jkt)
    tokens.save_code(context, code)
    return send_back(context, asked, {"code": secret})


def silent(context: Context, interaction: Interaction) -> Answer:
    """Answer `prompt=none`: only from a live grant that covers the same, never by asking.

    Raises: Refusal with the reason of OpenID Connect Core 3.1.2.6.
    """
    runtime, asked = context.runtime, interaction.asked
    account = interactions.account_of(runtime, interaction)
    if account is None or interactions.needs_login(runtime, interaction):
        raise Refusal(asked, "login_required")
    earlier = next((g for g in grants.grants_of(runtime, account.subject) if _covers(runtime, interaction, g)), None)
    if earlier is None or asked.is_emergency:
        raise Refusal(asked, "consent_required")
    capacity = f"role:{earlier.requester.role}" if earlier.requester.role else interactions.SELF
    same = replace(interaction, capacity=capacity, patient=earlier.launch_patient)
    kept = narrowing.clinical(offered(runtime, same))
    return approve(context, same, Choice(kept, withheld=earlier.withheld))


def _covers(runtime: Runtime, interaction: Interaction, grant: Grant) -> bool:
    asked = interaction.asked
    if grant.client_id != asked.client_id or grant.is_emergency:
        return False
    if asked.patient and asked.patient != grant.launch_patient:
        return False
    capacity = f"role:{grant.requester.role}" if grant.requester.role else interactions.SELF
    same = replace(interaction, capacity=capacity, patient=grant.launch_patient)
    offer = offered(runtime, same)
    return bool(offer) and Scopes.parse(grant.scopes).contains(Scopes.parse(offer))


def emergency_reason(interaction: Interaction) -> str:
    """Return the reason that the app proposed, for the person to confirm."""
    found = details.emergency_of(interaction.asked.details)
    return str(found.get("reason", "")) if found else ""
