"""Changes of how a person signs in: each is audited, told to the owner of the account, and needs a code or a factor.

The audit event of a patient's account appears in the patient's own journal, hidden from representatives: an account is
personal. A patient with a space gets a notice. The pages of the account and the next sign-in tell every owner. One-time
codes are handed over on paper or by word of mouth: 100 random bits in groups of four, hard to misread.
Sources: NIST SP 800-63B-4, 4.1.2 (binding) and 4.6 (notices); OWASP ASVS 5.0, 6.4.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import choice

import msgspec
import orjson

from consent_rules.vocabulary import PatientId, SpaceStatus
from fhir_server.application.core import access_notices, audit_log
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import accounts
from fhir_server.application.identity.accounts import Account
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.events.rules import Recipients
from fhir_server.domain.notices import Named, Notice
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, Trace, Write
from fhir_server.ports.vault import Secret

CODE_LENGTH = 20
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

CODE_LIFETIME = timedelta(days=7)
TOLD_FOR = timedelta(days=90)
_CODE, _NEWS = "enrolment-code", "sign-in-news"
_ATTEMPTS = 5


def new_code(length: int = CODE_LENGTH) -> str:
    """Return a new code, in the form in which it is stored. length: in symbols, each of five random bits."""
    return "".join(choice(_CODE_ALPHABET) for _ in range(length))


def readable_code(code: str) -> str:
    """Return a code in groups of four, for people to read."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def typed_code(text: str, length: int = CODE_LENGTH) -> str:
    """Return a typed code without the characters that people put between its symbols; "" when it cannot be a code."""
    code = "".join(symbol for symbol in text[: 4 * length].upper() if symbol.isalnum())
    return code if len(code) == length and code.isascii() else ""


class Act(StrEnum):
    """What was done to an account or to its ways to sign in; the values name operations in the audit log."""

    SET_PASSWORD = "set-password"  # noqa: S105 - a name
    SET_CODES = "set-code-generator"
    ADD_PASSKEY = "add-passkey"
    REMOVE_PASSKEY = "remove-passkey"
    RESET = "reset-factors"
    ISSUE_CODE = "issue-enrolment-code"
    DISABLE = "disable-user"
    ENABLE = "enable-user"
    ADD = "add-user"
    EDIT = "edit-user"
    INVITE = "invite-user"
    PROPOSE_ADDRESS = "propose-notice-address"
    SET_ADDRESS = "set-notice-address"
    REMOVE_ADDRESS = "remove-notice-address"
    CHOOSE_NOTICES = "choose-notices"


_NO_NEWS = frozenset({Act.ADD, Act.PROPOSE_ADDRESS, Act.CHOOSE_NOTICES})
"""Acts that change nothing by which somebody could be deceived."""


@dataclass(frozen=True, slots=True)
class News:
    """One change, as the owner is told of it. by_owner: whether the owner made it. seen: whether the owner saw it."""

    id: str
    at: datetime
    act: Act
    by_owner: bool
    seen: bool = False


_DECODER = msgspec.json.Decoder(News)


def record(runtime: Runtime, caller: Caller, account: Account, act: Act, messages: tuple[Message, ...] = ()) -> None:
    """Audit a change of an account and tell its owner, before the change happens.

    caller: the owner, or the operator. messages: what goes into the outbox in the same commit.
    Raises: StoreUnavailable or Problem(UNAVAILABLE), and then the change must not happen.
    """
    person = account.person
    own = PatientId(person.removeprefix("Patient/")) if person.startswith("Patient/") else None
    for _ in range(_ATTEMPTS):
        try:
            change = _change(runtime, caller, account, act, own)
            audit_log.commit(runtime, replace(change, outbox=messages))
        except StoreConflict:
            continue
        if act not in _NO_NEWS:
            _tell(runtime, account, act, by_owner=caller.requester.person == account.person)
        return
    raise Problem(Category.UNAVAILABLE)


def _change(runtime: Runtime, caller: Caller, account: Account, act: Act, patient: PatientId | None) -> Change:
    """Return the audit event and, for a patient with a space, the notice; the space must not change meanwhile."""
    with runtime.ports.store.snapshot() as snapshot:
        space = snapshot.load_space(patient) if patient else None
    audited = AuditedInteraction(Interaction.OPERATION, "", target=account.person, operation=act.value)
    where = patient if space else None
    trace: Trace = audit_log.trace(runtime, caller, audited, Outcome(), where)
    record = record_of(space.patient, space) if space else None
    owed = ROWS[audited.event_kind].notices
    if space is None or record is None or record.status is SpaceStatus.ERASED or not owed:
        return Change((trace,))
    who = Named(account.person, account.display) if caller.requester.person else Named("Device/habilis", "Le service")
    recipients = access_notices.holders(record, confidential=owed[0].to is Recipients.HOLDER)
    told = Notice(owed[0].kind, record.patient, runtime.ports.clock.now(), recipients, who)
    written = Write(access_notices.stored(runtime, told, confidential=True), (0, 0))
    return Change((trace,), (written,), (SpaceWrite(space.patient, space.revision, record_codec.dump(record)),))


def _tell(runtime: Runtime, account: Account, act: Act, *, by_owner: bool) -> None:
    now = runtime.ports.clock.now()
    news = News(runtime.ports.ids.new(), now, act, by_owner)
    runtime.ports.vault.add(Secret(_NEWS, news.id, orjson.dumps(news), _group(account), now + TOLD_FOR))


@command(EventKind.ACCOUNT_ADDED)
def open_account(
    runtime: Runtime, caller: Caller, account: Account, password: str | None
) -> tuple[Account, str | None]:
    """Give a person an account; return it, and the code for a first second factor: None without a password.

    Raises: ValueError when the login is taken or unusable.
    """
    record(runtime, caller, account, Act.ADD)
    opened = accounts.add_account(runtime, account, password or "")
    return opened, issue_code(runtime, opened) if password else None


@query
def news_of(runtime: Runtime, account: Account) -> tuple[News, ...]:
    """Return the changes of the last 90 days, newest first."""
    entries = runtime.ports.vault.entries(_NEWS, runtime.ports.clock.now(), _group(account))
    return tuple(sorted((_DECODER.decode(entry.value) for entry in entries), key=lambda item: item.at, reverse=True))


@command()
def acknowledge(runtime: Runtime, account: Account) -> None:
    """Remember that the owner has seen all changes."""
    for news in news_of(runtime, account):
        entry = runtime.ports.vault.get(_NEWS, news.id, runtime.ports.clock.now())
        if entry and not news.seen:
            runtime.ports.vault.replace(replace(entry, key=news.id, value=orjson.dumps(replace(news, seen=True))))


def issue_code(runtime: Runtime, account: Account) -> str:
    """Make the code by which an account gets its first second factor, and return it; earlier codes become invalid.

    Somebody who has checked who the person is hands the code over, apart from the password.
    """
    forget_codes(runtime, account)
    code = new_code()
    expires = runtime.ports.clock.now() + CODE_LIFETIME
    runtime.ports.vault.add(Secret(_CODE, code, account.subject.encode(), _codes(account), expires))
    return readable_code(code)


def redeem_code(runtime: Runtime, account: Account, typed: str) -> bool:
    """Use up the code of an account, and tell whether it was right; the code of another account stays valid."""
    code, now = typed_code(typed), runtime.ports.clock.now()
    entry = runtime.ports.vault.get(_CODE, code, now) if code else None
    if entry is None or entry.value.decode() != account.subject:
        return False
    return runtime.ports.vault.take(_CODE, code, now) is not None


def forget_codes(runtime: Runtime, account: Account) -> None:
    """Make every code of an account invalid."""
    runtime.ports.vault.drop_group(_codes(account))


def _codes(account: Account) -> str:
    return f"enrolment:{account.subject}"


def _group(account: Account) -> str:
    return f"sign-in-news:{account.subject}"
