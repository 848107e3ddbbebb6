"""Access tokens: issued from a grant, opaque, looked up at each request.

Stores contain keyed hashes of tokens, never the tokens.
Sources: RFC 6749 1.4 and 5.1; RFC 9449 and RFC 8705 (what the holder of a token must show).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import orjson

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.application.core.ceilings.supervising import NAME as SUPERVISION
from fhir_server.application.core.lockdown import NAME as STOP
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.grants import (
    Grant,
    add_to_grant,
    draft_grant,
    has_ended,
    load_granted,
    store_grant,
)
from fhir_server.domain import supervision
from fhir_server.domain.supervision import NO_SUPERVISION, Supervision
from fhir_server.ports.vault import Secret

ACCESS = "access-token"
TOKEN_LIMIT = 512
"""Longest token that is looked up, in characters."""
BACKEND_LIFETIME = timedelta(seconds=300)
EMERGENCY_LIFETIME = timedelta(seconds=900)
_LIFETIMES = {RequesterKind.SYSTEM: BACKEND_LIFETIME, RequesterKind.PROFESSIONAL: timedelta(seconds=900)}
_LIFETIME = timedelta(seconds=3600)


@dataclass(frozen=True, slots=True)
class Holder:
    """What the holder of a token must show: the key with thumbprint jkt, the certificate with x5t; "" for nothing."""

    jkt: str = ""
    x5t: str = ""


_ANYBODY = Holder()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The record of one access token. jkt, x5t: as in Holder."""

    token_id: str
    grant: Grant
    scopes: str
    issued: datetime
    expires: datetime
    jkt: str = ""
    x5t: str = ""


_DECODER = msgspec.json.Decoder(AccessToken)


class Used(NamedTuple):
    """What the one look-up before a request finds. access: None when the token is not valid."""

    access: AccessToken | None = None
    in_lockdown: bool = False
    supervision: Supervision = NO_SUPERVISION


def issue_access(
    runtime: Runtime, grant: Grant, scopes: str = "", lifetime: timedelta | None = None, holder: Holder = _ANYBODY
) -> tuple[str, AccessToken]:
    """Issue an access token of a grant. scopes: narrower scopes for the token, "" for the scopes of the grant.

    If the grant was revoked meanwhile, the new token is invalid from the start.
    """
    now = runtime.ports.clock.now()
    expires = now + (lifetime or lifetime_of(grant))
    if grant.expires is not None:
        expires = min(expires, grant.expires)
    access = AccessToken(runtime.ports.ids.new(), grant, scopes or grant.scopes, now, expires, holder.jkt, holder.x5t)
    token = runtime.ports.ids.secret()
    add_to_grant(runtime, grant, Secret(ACCESS, token, orjson.dumps(access), grant.group, expires), of_choice=True)
    return token, access


def lifetime_of(grant: Grant) -> timedelta:
    """Return how long an access token of this grant lives."""
    return EMERGENCY_LIFETIME if grant.is_emergency else _LIFETIMES.get(grant.requester.kind, _LIFETIME)


def find_access(runtime: Runtime, token: str) -> AccessToken | None:
    """Return the record of a valid access token of this server, None for any other token."""
    return find_used(runtime, token)[0]


def find_used(runtime: Runtime, token: str) -> Used:
    """Return the record of a request's token, None when it is not valid, and what the operator has set.

    This costs one read, and a second read for a token that was exchanged.
    """
    if not 0 < len(token) <= TOKEN_LIMIT:
        return Used()
    names = ((ACCESS, token), STOP, SUPERVISION)
    entry, stop, watched = runtime.ports.vault.get_all(names, runtime.ports.clock.now())
    access = load_granted(entry.value, _DECODER) if entry else None
    is_dead = access is not None and has_ended(runtime, access.grant)
    held = supervision.load(watched.value) if watched else NO_SUPERVISION
    return Used(None if is_dead else access, stop is not None, held)


def tokens_of(runtime: Runtime, grant: Grant) -> tuple[AccessToken, ...]:
    """Return the records of the valid access tokens of a grant."""
    entries = runtime.ports.vault.entries(ACCESS, runtime.ports.clock.now(), grant.group)
    return tuple(load_granted(entry.value, _DECODER) for entry in entries)


def mint_token(
    runtime: Runtime,
    grantee: Grantee,
    scopes: str,
    *,
    purpose: Purpose | None = None,
    lifetime: timedelta | None = None,
) -> str:
    """Make a grant and issue its access token without an authorization request, for demonstrations, tests, operators.

    purpose: None to derive it from the grantee. The scopes are granted as given, not narrowed.
    """
    grant = draft_grant(runtime, grantee, str(Scopes.parse(scopes)), purpose)
    store_grant(runtime, grant)
    return issue_access(runtime, grant, lifetime=lifetime)[0]
