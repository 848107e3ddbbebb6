"""Changing a password or a second factor: who may change it, and which sessions and grants end.

The first second factor needs a code from the operator, so that a password alone can never create a second factor. Every
later change needs a factor that the person showed within the last minutes.
Sources: NIST SP 800-63B-4, 4.1.2; OWASP ASVS 5.0, 6.4.3, 7.4 and 7.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import accounts, credentials
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.credentials import Act
from fhir_server.application.identity.grants import grants_of, revoke_grant, revoke_person
from fhir_server.domain.caller import SERVER, Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.oauth.base import events
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.login import passkeys, sessions, sign_in, throttle
from fhir_server.oauth.login.sessions import Session
from fhir_server.oauth.login.throttle import Attempt
from fhir_server.ports.vault import Secret

FRESH = timedelta(minutes=5)
"""How long after showing a factor a person may change factors and password."""
ENROLMENT = timedelta(minutes=15)
"""How long after typing the operator's code a person may set up the first second factor."""
_SHOWN, _ENROLLING = "factor-shown", "enrolling"


@dataclass(frozen=True, slots=True)
class Owner:
    """The signed-in owner of an account. cookie: of the session, which continues when all others end."""

    context: Context
    session: Session
    cookie: str

    @property
    def runtime(self) -> Runtime:
        """The running server."""
        return self.context.runtime

    @property
    def account(self) -> Account:
        """The complete account: a session may see only a part of it."""
        return accounts.find_account(self.runtime, self.session.account.login) or self.session.account


def may_change(owner: Owner) -> bool:
    """Tell whether this session may change factors now: one was shown recently, or the first one is being set up."""
    now, proof, vault = owner.runtime.ports.clock.now(), owner.session.proof, owner.runtime.ports.vault
    is_recent = proof.at is not None and now - proof.at <= FRESH
    if is_recent and is_strong_enough(proof.acr, LEVELS[1]):
        return True
    if vault.get(_SHOWN, owner.session.id, now):
        return True
    return not has_second(owner) and vault.get(_ENROLLING, owner.session.id, now) is not None


def has_second(owner: Owner) -> bool:
    """Tell whether the account has a second factor at this server."""
    return passkeys.has_second_factor(owner.runtime, owner.account)


def show(owner: Owner, form: Mapping[str, str]) -> bool:
    """Check a second factor that is shown again within a session.

    Raises: TooManyFailuresError.
    """
    attempt = Attempt(throttle.SECOND_FACTOR, owner.account.login)
    proven = sign_in.prove_second(owner.context, attempt, form, owner.session.id, SERVER)
    if proven is not None:
        _remember(owner, _SHOWN, FRESH)
    return proven is not None


def redeem(owner: Owner, typed: str) -> bool:
    """Check the operator's code, which lets this session set up a first second factor.

    Raises: TooManyFailuresError.
    """
    attempt = Attempt(throttle.ENROLMENT_CODE, owner.account.login)
    throttle.check(owner.context, attempt)
    if has_second(owner) or not credentials.redeem_code(owner.runtime, owner.account, typed):
        throttle.failed(owner.context, attempt)
        events.login_failed(owner.context, SERVER, "bad-enrolment-code")
        return False
    _remember(owner, _ENROLLING, ENROLMENT)
    return True


@command(EventKind.CODE_GENERATOR_SET)
def set_codes(owner: Owner, secret: str) -> None:
    """Make an authenticator app (TOTP) the second factor after a code from it was typed; it replaces an earlier one."""
    _change(owner, Act.SET_CODES, replace(owner.account, totp=secret))
    _remember(owner, _SHOWN, FRESH)  # the person typed a code from it


@command(EventKind.PASSKEY_ADDED)
def add_passkey(owner: Owner, sent: str, name: str) -> bool:
    """Add the passkey that the browser made; return False when it is not valid."""
    made = passkeys.made(owner.runtime, owner.account, owner.session.id, sent, name)
    if made is None:
        return False
    _change(owner, Act.ADD_PASSKEY, owner.account)
    return passkeys.keep(owner.runtime, owner.account, made)


@command(EventKind.PASSKEY_REMOVED)
def remove_passkey(owner: Owner, id_: str) -> None:
    """Remove one passkey."""
    if any(item.id == id_ for item in passkeys.of(owner.runtime, owner.account)):
        _change(owner, Act.REMOVE_PASSKEY, owner.account)
        passkeys.remove(owner.runtime, owner.account, id_)


@command(EventKind.PASSWORD_SET)
def set_password(owner: Owner, password: str, *, ends_apps: bool) -> None:
    """Replace the password; ends_apps: end all authorizations of apps, also this session's and the lasting ones."""
    _change(owner, Act.SET_PASSWORD, owner.account, password)
    if ends_apps:
        revoke_person(owner.runtime, owner.account.subject)


def _change(owner: Owner, act: Act, changed: Account, password: str = "") -> None:
    """Record and notify the change, apply it, and end other sessions and their grants; this session continues."""
    runtime = owner.runtime
    credentials.record(runtime, events.person(owner.context, changed), changed, act)
    sessions.keep(runtime, owner.cookie, accounts.renew_account(runtime, changed, password))
    runtime.ports.vault.drop(_ENROLLING, owner.session.id)
    credentials.forget_codes(runtime, changed)
    for grant in grants_of(runtime, changed.subject):
        if "offline_access" not in grant.scopes.split() and grant.proof.session != owner.session.id:
            revoke_grant(runtime, grant.id)


def _remember(owner: Owner, kind: str, lifetime: timedelta) -> None:
    vault, now = owner.runtime.ports.vault, owner.runtime.ports.clock.now()
    vault.drop(kind, owner.session.id)
    vault.add(Secret(kind, owner.session.id, b"", f"session:{owner.session.id}", now + lifetime))


# --- by the operator --------------------------------------------------------------------------------------------------


@command(EventKind.FACTORS_RESET)
def reset(runtime: Runtime, operator: Caller, account: Account) -> tuple[int, str]:
    """Remove the second factors of a person who lost them, and end all their grants.

    Return the number of passkeys among them, and the code for a new first second factor.
    """
    _override(runtime, operator, Act.RESET, replace(account, totp=""))
    ended = sum(passkeys.remove(runtime, account, passkey.id) for passkey in passkeys.of(runtime, account))
    return ended, credentials.issue_code(runtime, account)


@command(EventKind.PASSWORD_SET)
def give_password(runtime: Runtime, operator: Caller, account: Account, password: str) -> None:
    """Replace the password of a person who forgot it, and end all their sessions and grants."""
    _override(runtime, operator, Act.SET_PASSWORD, account, password)


@command(EventKind.ACCOUNT_DISABLED)
def disable(runtime: Runtime, operator: Caller, account: Account) -> int:
    """Disable an account; return how many grants ended."""
    return _override(runtime, operator, Act.DISABLE, replace(account, disabled=True))


@command(EventKind.ACCOUNT_ENABLED)
def enable(runtime: Runtime, operator: Caller, account: Account) -> None:
    """Let a disabled account sign in again; grants that ended stay ended."""
    _override(runtime, operator, Act.ENABLE, replace(account, disabled=False))


@command(EventKind.ACCOUNT_CHANGED)
def edit(runtime: Runtime, operator: Caller, account: Account) -> int:
    """Change what an account may do, and end all its earlier grants; return how many ended."""
    return _override(runtime, operator, Act.EDIT, account)


@command(EventKind.ENROLMENT_CODE_ISSUED)
def give_code(runtime: Runtime, operator: Caller, account: Account) -> str:
    """Create the code for setting up a first second factor.

    Raises: ValueError when the account already has a second factor.
    """
    if passkeys.has_second_factor(runtime, account):
        raise ValueError(f"{account.login} has a second factor already; reset-factors forgets it")
    credentials.record(runtime, operator, account, Act.ISSUE_CODE)
    return credentials.issue_code(runtime, account)


def _override(runtime: Runtime, operator: Caller, act: Act, changed: Account, password: str = "") -> int:
    credentials.record(runtime, operator, changed, act)
    accounts.renew_account(runtime, changed, password)
    return revoke_person(runtime, changed.subject)
