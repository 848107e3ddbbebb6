"""Events of the authorization server for the audit log: logins, consents, tokens, revocations, refusals.

Sources: IHE IUA 2.3, ITI-71 security audit considerations; DICOM PS3.15 A.5.3.13 (user authentication).
"""

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core import audit_log
from fhir_server.application.identity.access_tokens import AccessToken
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import Grant
from fhir_server.domain.audit.audit_event import ISSUANCE
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import SERVER, Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import ClientId, Interaction
from fhir_server.oauth.base.wire import Context


def login_happened(context: Context, account: Account, client_id: ClientId = SERVER) -> None:
    """Record that a person proved who they are."""
    caller = person(context, account, client_id)
    audit_log.record(context.runtime, caller, AuditedInteraction(Interaction.LOGIN, ""), Outcome(), None)


def login_failed(context: Context, client_id: ClientId, reason: str) -> None:
    """Record a failed login, without the login name, which may be a password typed in the wrong field."""
    _refused(context, Interaction.LOGIN, client_id, reason)


def identity_linked(context: Context, account: Account, provider: str) -> None:
    """Record that an external identity may now log in as this account, without the identity itself."""
    audit_log.record(
        context.runtime,
        person(context, account, ClientId(f"link:{provider}")),
        AuditedInteraction(Interaction.LOGIN, "", kind=EventKind.SIGN_IN_LINKED),
        Outcome(),
        None,
    )


def logged_out(context: Context, account: Account) -> None:
    """Record the end of a session."""
    audit_log.record(
        context.runtime,
        person(context, account, SERVER),
        AuditedInteraction(Interaction.LOGOUT, ""),
        Outcome(),
        None,
    )


def logged_out_everywhere(context: Context, account: Account) -> None:
    """Record the end of every session of a person."""
    audited = AuditedInteraction(Interaction.LOGOUT, "", kind=EventKind.SIGNED_OUT_EVERYWHERE)
    audit_log.record(context.runtime, person(context, account, SERVER), audited, Outcome(), None)


def client_refused(context: Context, client_id: ClientId, reason: str) -> None:
    """Record a failed authentication of a client."""
    _refused(context, Interaction.TOKEN, client_id, reason)


def consent_given(context: Context, grant: Grant) -> None:
    """Record that a person authorized an app; a patient reads it in the journal, professionals never do."""
    _on_grant(context, grant, Interaction.AUTHORIZE)


def consent_refused(context: Context, account: Account, client_id: ClientId) -> None:
    """Record that a person refused an app."""
    audited = AuditedInteraction(Interaction.AUTHORIZE, "", kind=EventKind.APP_TURNED_AWAY)
    outcome = Outcome(reason="access_denied")
    audit_log.record(context.runtime, person(context, account, client_id), audited, outcome, None)


def token_issued(context: Context, access: AccessToken) -> None:
    """Record one access token by its random name (never the token itself)."""
    caller = Caller.of_token(access.grant, access.token_id, access.scopes, context.received.origin)
    patient = caller.launch_patient if access.grant.is_emergency else None
    kind = EventKind.EMERGENCY_TOKEN_ISSUED if access.grant.is_emergency else EventKind.TOKEN_ISSUED
    audited = AuditedInteraction(Interaction.TOKEN, "", operation=ISSUANCE, kind=kind)
    audit_log.record(context.runtime, caller, audited, Outcome(), patient)


def grant_ended(context: Context, grant: Grant, reason: str) -> None:
    """Record that a grant ended early."""
    _on_grant(context, grant, Interaction.REVOKE, reason)


def _on_grant(context: Context, grant: Grant, interaction: Interaction, reason: str = "") -> None:
    caller = Caller.of_token(grant, "", grant.scopes, context.received.origin)
    is_own = grant.requester.kind in {RequesterKind.PATIENT, RequesterKind.RELATED}
    patient = caller.launch_patient if is_own or grant.is_emergency else None
    audited = AuditedInteraction(interaction, "")
    audit_log.record(context.runtime, caller, audited, Outcome(reason=reason), patient)


def _refused(context: Context, interaction: Interaction, client_id: ClientId, reason: str) -> None:
    caller = _caller(context, Requester(RequesterKind.FORBIDDEN), client_id, "")
    audit_log.record(
        context.runtime, caller, AuditedInteraction(interaction, ""), Outcome(OutcomeCode.REFUSED, reason), None
    )


def person(context: Context, account: Account, client_id: ClientId = SERVER) -> Caller:
    """Return a person as the caller of what they do here."""
    return _caller(context, Requester(account.kind, account.person), client_id, account.display)


def software(context: Context, client: Client) -> Caller:
    """Return an app as the caller of what it does to its own registration."""
    return _caller(context, Requester(RequesterKind.SYSTEM, client=client.device), client.id, client.name)


def _caller(context: Context, requester: Requester, client_id: ClientId, display: str) -> Caller:
    return Caller.of_event(requester, ClientId(client_id[:200] or "unknown"), display, context.received.origin)
