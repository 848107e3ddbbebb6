"""Password, second factor, session: each step of a sign-in, with failures counted and recorded in the audit log.

Sources: RFC 9470 (levels of login), RFC 8176 (means of authentication).
"""

from collections.abc import Mapping

from fhir_server.application.identity.accounts import Account, authenticate, find_account, renew_account
from fhir_server.application.identity.grants import revoke_person
from fhir_server.domain.caller import SERVER, Login
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import ClientId
from fhir_server.oauth.base import events
from fhir_server.oauth.base.issuer import LEVELS
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.login import passkeys, sessions, throttle, totp
from fhir_server.oauth.login.sessions import Session
from fhir_server.oauth.login.throttle import Attempt

Proven = tuple[Account, tuple[str, ...]]
"""An account, and the means by which the person proved to own it."""


def log_in(
    context: Context, login: str, password: str, client_id: ClientId, *, emergency: bool = False
) -> Account | None:
    """Check a password; count and record failures.

    emergency: the login leads to an emergency access, whose failures have a limit of their own.
    Raises: TooManyFailuresError.
    """
    attempt = Attempt(throttle.ACCOUNT, login, emergency)
    throttle.check(context, attempt)
    account = authenticate(context.runtime, login, password)
    if account is None:
        throttle.failed(context, attempt)
        events.login_failed(context, client_id, "bad-credentials")
    return account


def prove_second(
    context: Context, attempt: Attempt, form: Mapping[str, str], place: str, client_id: ClientId
) -> Proven | None:
    """Check a second factor; count and record failures.

    attempt: whose factor it is. place: what the passkey challenge is bound to.
    Raises: TooManyFailuresError, but never for a valid passkey.
    """
    account = find_account(context.runtime, attempt.name)
    owner = None if account is None or account.disabled else account
    means = _second_means(context, owner, attempt, form, place)
    if owner is None or not means:
        throttle.failed(context, attempt)
        events.login_failed(context, client_id, "bad-second-factor")
        return None
    throttle.succeeded(context, attempt)
    return owner, ("pwd", means)


def _second_means(
    context: Context, owner: Account | None, attempt: Attempt, form: Mapping[str, str], place: str
) -> str:
    """Return the means by which a form proves the second factor, in the words of RFC 8176; "" when it does not.

    A passkey cannot be guessed, so it is checked before failures are counted; a code can be guessed.
    """
    runtime, credential = context.runtime, form.get("credential", "")
    if owner and credential and passkeys.is_proven(runtime, owner, place, credential):
        return "pop"
    throttle.check(context, attempt)
    return "otp" if owner and not credential and totp.is_right(runtime, owner, form.get("code", "")) else ""


@command(EventKind.SIGNED_IN)
def begin_session(context: Context, account: Account, amr: tuple[str, ...], client_id: ClientId) -> tuple[str, Login]:
    """Start a session after all factors and return its cookie and proof."""
    throttle.succeeded(context, Attempt(throttle.ACCOUNT, account.login))
    return begin_proven(context, account, Login(acr=LEVELS[1] if len(amr) > 1 else LEVELS[0], amr=amr), client_id)


@command(EventKind.SIGNED_IN)
def begin_proven(context: Context, account: Account, proof: Login, client_id: ClientId) -> tuple[str, Login]:
    """Start a session of a person who has proven who they are, here or to an external provider."""
    throttle.remember_place(context, account.login)
    cookie = sessions.start(context.runtime, context.options, account, proof)
    events.login_happened(context, account, client_id)
    session = sessions.find_session(context.runtime, context.options, cookie)
    return cookie, session.proof if session else Login()


@command(EventKind.SIGNED_OUT)
def sign_out(context: Context, session: Session) -> None:
    """End a session, with the grants and conversations that end with it."""
    sessions.end(context.runtime, session)
    events.logged_out(context, session.account)


@command(EventKind.SIGNED_OUT_EVERYWHERE)
def sign_out_everywhere(context: Context, session: Session, *, ends_apps: bool) -> None:
    """End every session of a person, with the grants that end with sessions, and the sign-ins that have begun.

    ends_apps: end all authorizations of apps as well, also the lasting ones.
    Raises: accounts.StaleAccountError when the account changes at the same time; then nothing has ended.
    """
    account = find_account(context.runtime, session.account.login) or session.account
    events.logged_out_everywhere(context, account)
    renew_account(context.runtime, account)
    sessions.end(context.runtime, session)
    if ends_apps:
        revoke_person(context.runtime, account.subject)
    else:
        sessions.end_online(context.runtime, account)


def refuse_link_code(context: Context, attempt: Attempt) -> None:
    """Count and record a wrong one-time code of a person whom a provider vouches for."""
    throttle.failed(context, attempt)
    events.login_failed(context, SERVER, "bad-link-code")


def refuse_arrival(context: Context, reason: str) -> None:
    """Count and record a sign-in that failed at an external provider.

    Raises: TooManyFailuresError when too many failed at this address; further failures are not recorded.
    """
    throttle.upstream_failed(context)
    events.login_failed(context, SERVER, f"upstream-{reason}")
