"""Login sessions of people in a browser: a random cookie, checked at each request, with idle and absolute limits.

Source: OWASP ASVS 5.0, chapter 7 (session management).
"""

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import situations_of
from fhir_server.application.identity import access_tokens
from fhir_server.application.identity.accounts import Account, find_account
from fhir_server.application.identity.clients import find
from fhir_server.application.identity.grants import Grant, grants_of, revoke_grant
from fhir_server.domain.caller import Login
from fhir_server.oauth.base.options import Options
from fhir_server.ports.vault import Secret

KIND, _BY_ID = "session", "session-id"


@dataclass(frozen=True, slots=True)
class Session:
    """One login. id: its name in grants and logs. csrf: the token of its forms."""

    id: str
    account: Account
    proof: Login
    csrf: str


@dataclass(frozen=True, slots=True)
class _StoredSession:
    """A session as the vault keeps it. until: its absolute end. seen: when it was last used, to the minute."""

    id: str
    login: str
    proof: Login
    csrf: str
    until: datetime
    seen: datetime


_DECODER = msgspec.json.Decoder(_StoredSession)


def start(runtime: Runtime, options: Options, account: Account, proof: Login) -> str:
    """Start a session after a login and return the cookie's value; every login starts a new session."""
    now = runtime.ports.clock.now()
    cookie, id_ = runtime.ports.ids.secret(), runtime.ports.ids.new()
    until = now + options.session_absolute
    proven = replace(proof, at=proof.at or now, session=id_, generation=account.generation)
    kept = _StoredSession(id_, account.login, proven, runtime.ports.ids.secret(), until, now)
    group = f"session:{id_}"
    idle = min(now + options.session_idle, until)
    runtime.ports.vault.add(
        Secret(KIND, cookie, orjson.dumps(kept), group, idle), Secret(_BY_ID, id_, b"", group, until)
    )
    return cookie


def find_session(runtime: Runtime, options: Options, cookie: str) -> Session | None:
    """Return the live session of a cookie, and postpone its idle limit."""
    now = runtime.ports.clock.now()
    entry = runtime.ports.vault.get(KIND, cookie, now) if 0 < len(cookie) <= 128 and cookie.isascii() else None  # noqa: PLR2004
    if entry is None:
        return None
    kept = _DECODER.decode(entry.value)
    account, proof = find_account(runtime, kept.login), kept.proof
    if account is None or account.disabled or not account.is_unchanged_since(proof):
        return None
    _push_back(runtime, options, replace(entry, key=cookie), kept)
    return Session(kept.id, account.as_confirmed_by(proof), proof, kept.csrf)


def _push_back(runtime: Runtime, options: Options, entry: Secret, kept: _StoredSession) -> None:
    """Store when a session was last used, at most once a minute; a concurrent request may do so instead."""
    now = runtime.ports.clock.now()
    if (now - kept.seen).total_seconds() < 60:  # noqa: PLR2004 - a minute
        return
    idle = min(now + options.session_idle, kept.until)
    runtime.ports.vault.replace(replace(entry, value=orjson.dumps(replace(kept, seen=now)), expires=idle))


def keep(runtime: Runtime, cookie: str, account: Account) -> None:
    """Keep one session when a change of password or factors ends all others of the account."""
    entry = runtime.ports.vault.get(KIND, cookie, runtime.ports.clock.now())
    if entry is not None:
        kept = _DECODER.decode(entry.value)
        changed = replace(kept, proof=replace(kept.proof, generation=account.generation))
        runtime.ports.vault.replace(replace(entry, key=cookie, value=orjson.dumps(changed)))


def end(runtime: Runtime, session: Session) -> None:
    """End a session, the conversations that began in it, and the grants for its duration (`online_access`)."""
    runtime.ports.vault.drop_group(f"session:{session.id}")
    for grant in grants_of(runtime, session.account.subject):
        if _is_online(grant, session):
            revoke_grant(runtime, grant.id)
        elif any(_is_online(access.grant, session) for access in access_tokens.tokens_of(runtime, grant)):
            runtime.ports.vault.drop_group(grant.group, (access_tokens.ACCESS,))  # the app renews the others


def end_online(runtime: Runtime, account: Account) -> None:
    """End the grants of an account that end with a session, whichever it is, and such tokens of lasting grants."""
    for grant in grants_of(runtime, account.subject):
        if not _is_lasting(grant):
            revoke_grant(runtime, grant.id)
        elif not all(_is_lasting(access.grant) for access in access_tokens.tokens_of(runtime, grant)):
            runtime.ports.vault.drop_group(grant.group, (access_tokens.ACCESS,))  # the app renews the others


def _is_lasting(grant: Grant) -> bool:
    return "offline_access" in grant.scopes.split()


def _is_online(grant: Grant, session: Session) -> bool:
    words = grant.scopes.split()
    return "online_access" in words and "offline_access" not in words and grant.proof.session == session.id


def is_alive(runtime: Runtime, proof: Login) -> bool:
    """Tell whether the session of a login is still alive."""
    return runtime.ports.vault.get(*entry_name(proof), runtime.ports.clock.now()) is not None


def entry_name(proof: Login) -> tuple[str, str]:
    """Return kind and key of the entry that the vault has while the session of a login is alive."""
    return _BY_ID, proof.session


def practises(runtime: Runtime, account: Account, role: str) -> bool:
    """Tell whether a practice situation still holds for a person; "" is no practice situation, and always holds."""
    return not role or any(situation.role == role for situation in situations_of(runtime, account))


def may_continue(runtime: Runtime, grant: Grant) -> bool:
    """Check a grant at its renewal: client and person still exist, and the session is alive if the grant needs it."""
    if find(runtime, grant.client_id) is None:
        return False
    if not grant.login:
        return True
    account = find_account(runtime, grant.login)
    if account is None or account.disabled or not practises(runtime, account, grant.requester.role):
        return False
    if "offline_access" in grant.scopes.split():
        return True
    return is_alive(runtime, grant.proof) and account.is_unchanged_since(grant.proof)
