"""Codes become grants, grants give tokens, refresh tokens rotate: the atomic steps, and the token response.

Sources: RFC 6749 4.1 and 6, RFC 9700 4.14.2, SMART App Launch 2.2 (token response).
"""

from dataclasses import replace
from datetime import timedelta

import msgspec
import orjson
from authlib.oauth2.rfc6749 import InvalidGrantError

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import access_tokens, grant_replacement, grants
from fhir_server.application.identity.access_tokens import Holder
from fhir_server.application.identity.accounts import find_account
from fhir_server.application.identity.grants import Grant
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import ClientId, GrantId, Json
from fhir_server.oauth.base import events
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.granted.records import CODE, REFRESH, AuthorizationCode, Refresh
from fhir_server.ports.vault import Secret

CODE_LIMIT = 512
REFRESH_IDLE = timedelta(days=30)


class _StoredCode(msgspec.Struct):
    client_id: ClientId
    redirect_uri: str
    code_challenge: str
    grant: Grant
    nonce: str
    jkt: str
    used: bool


_CODES = msgspec.json.Decoder(_StoredCode)


def save_code(context: Context, code: AuthorizationCode) -> None:
    """Store a code for its lifetime of a minute; the vault keeps only its hash."""
    expires = context.runtime.ports.clock.now() + context.options.code_lifetime
    value = {
        "client_id": code.client_id, "redirect_uri": code.redirect_uri, "code_challenge": code.code_challenge,
        "grant": code.grant, "nonce": code.nonce, "jkt": code.jkt, "used": False,
    }  # fmt: skip
    context.runtime.ports.vault.add(Secret(CODE, code.code, orjson.dumps(value), expires=expires))


def find_code(runtime: Runtime, code: str) -> AuthorizationCode | None:
    """Return a code that has not expired, also a used one."""
    if not 0 < len(code) <= CODE_LIMIT or not code.isascii():
        return None
    entry = runtime.ports.vault.get(CODE, code, runtime.ports.clock.now())
    if entry is None:
        return None
    kept = grants.load_granted(entry.value, _CODES)
    return AuthorizationCode(code=code, entry=entry, **msgspec.structs.asdict(kept))


def redeem(context: Context, code: AuthorizationCode, holder: Holder) -> Grant:
    """Use a code whose client, redirect URI and verifier have been proven, and make its grant permanent.

    holder: the key or certificate that refresh tokens are bound to from now on. One of several concurrent callers
        succeeds; any other replays a valid code, which ends the grant.
    Raises: InvalidGrantError.
    """
    runtime = context.runtime
    grant = grant_replacement.renewed(runtime, replace(code.grant, jkt=holder.jkt, x5t=holder.x5t))
    if code.entry is None or code.used or not _mark(runtime, code.entry, code.code, "used"):
        _end_replayed(context, code.grant.id, "code-replayed")
        raise InvalidGrantError("the code was used before")
    if not _is_still_theirs(runtime, code.grant):
        grants.revoke_grant(runtime, code.grant.id)
        raise InvalidGrantError("the person must log in again")
    if grant is None:
        raise InvalidGrantError("the grant has ended")
    grants.touch_grant(runtime, grant)
    return grant


def _is_still_theirs(runtime: Runtime, grant: Grant) -> bool:
    """Tell whether the person who consented still owns the account: no password or factor has changed since."""
    account = find_account(runtime, grant.login) if grant.login else None
    return not grant.login or (account is not None and not account.disabled and account.is_unchanged_since(grant.proof))


def standing(runtime: Runtime, refresh: Refresh) -> Grant:
    """Return what a refresh token still allows after the person's latest choice.

    Raises: InvalidGrantError.
    """
    view = refresh.view or grants.find_grant(runtime, refresh.grant_id)
    grant = grant_replacement.renewed(runtime, view) if view else None
    if grant is None or not may_renew(grant):
        raise InvalidGrantError("the grant has ended")
    return grant


def spend(context: Context, refresh: Refresh) -> Grant:
    """Use up a refresh token of the right client; a second use ends the grant.

    Raises: InvalidGrantError.
    """
    runtime = context.runtime
    if refresh.spent or not _mark(runtime, refresh.entry, refresh.token, "spent"):
        _end_replayed(context, refresh.grant_id, "refresh-token-replayed")
        raise InvalidGrantError("the refresh token was used before")
    return standing(runtime, refresh)


def _mark(runtime: Runtime, entry: Secret, key: str, member: str) -> bool:
    value = orjson.dumps(orjson.loads(entry.value) | {member: True})
    return runtime.ports.vault.replace(replace(entry, key=key, value=value))


def _end_replayed(context: Context, grant_id: GrantId, reason: str) -> None:
    grant = grants.find_grant(context.runtime, grant_id)
    if grant is None:
        grants.revoke_grant(context.runtime, grant_id)
    else:
        cut_app(context, grant, reason)


@command(EventKind.APP_CUT)
def cut_app(context: Context, grant: Grant, reason: str) -> None:
    """End the authorization of an app and all its tokens, from its next request on. reason: for the audit log."""
    grants.revoke_grant(context.runtime, grant.id)
    events.grant_ended(context, grant, reason)


def respond(context: Context, grant: Grant, scopes: str, holder: Holder, *, renewable: bool) -> Json:
    """Issue tokens of a grant, and return the token response with the launch context."""
    token, access = access_tokens.issue_access(context.runtime, grant, scopes, holder=holder)
    events.token_issued(context, access)
    body: Json = {
        "access_token": token,
        "token_type": "DPoP" if holder.jkt else "Bearer",
        "expires_in": round((access.expires - access.issued).total_seconds()),
        "scope": access.scopes,
    }
    if renewable and may_renew(grant):
        body["refresh_token"] = _new_refresh(context.runtime, grant)
    return body | context_of(grant)


def may_renew(grant: Grant) -> bool:
    """Tell whether a grant may be renewed: the app asked for it, and the grant is not an emergency."""
    asked = {"offline_access", "online_access"} & set(grant.scopes.split())
    return bool(asked) and not grant.is_emergency


def context_of(grant: Grant) -> Json:
    """Return the launch context, which is the same in token, refresh and introspection answers."""
    found: Json = dict(grant.context)
    if grant.launch_patient:
        found["patient"] = grant.launch_patient
        found.setdefault("need_patient_banner", True)
    if grant.details:
        found["authorization_details"] = list(grant.details)
    if grant.requester.kind is RequesterKind.PROFESSIONAL and grant.requester.profession:
        found["__habilitation"] = {"matrix": grant.matrix_version, "profession": grant.requester.profession}
    return found


def _new_refresh(runtime: Runtime, grant: Grant) -> str:
    token = runtime.ports.ids.secret()
    until = runtime.ports.clock.now() + REFRESH_IDLE
    expires = min(until, grant.expires) if grant.expires else until
    value = orjson.dumps({"grant_id": grant.id, "client_id": grant.client_id, "spent": False, "grant": grant})
    grants.add_to_grant(runtime, grant, Secret(REFRESH, token, value, grant.group, expires))
    return token
