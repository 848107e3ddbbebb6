"""The address of an account for mails: used only after whoever reads it has typed the code that was sent there.

A code is valid for thirty minutes, once, for one account, and for five attempts. In a day the server sends at most five
codes for one account, three for one account to one address, and twelve for all accounts to one address: nobody can
flood a stranger, and one account cannot use up what the owner of the address may ask for. When an address has had its
codes, the answer is the same and no letter is sent: otherwise the answer would tell that somebody else uses the
address.
Source: OWASP ASVS 5.0, 6.6 (codes sent by another channel); docs/adr/0079.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from hashlib import sha256
from hmac import compare_digest
from secrets import choice

import msgspec
import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import credentials
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.credentials import Act
from fhir_server.application.notices import choices
from fhir_server.application.notices.choices import Choices
from fhir_server.application.notices.mails import Confirmation, Farewell, message_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.ports.outbox import Message
from fhir_server.ports.vault import Secret

LIFETIME = timedelta(minutes=30)
ATTEMPTS = 5
PER_ACCOUNT, PER_ADDRESS, OF_ALL = 5, 3, 12
_DAY = timedelta(days=1)
_ASKED, _SENT, _LEFT = "notice-address-asked", "notice-code-sent", "notice-address-left"
_CODE_DIGITS = 8
_LONGEST = 254
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")


class Asked(Enum):
    """What became of a wish to get mails at an address."""

    SENT = auto()
    WRONG = auto()
    TOO_MANY = auto()


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An address that waits for its code. id: of the request. wrong: how many wrong codes were typed."""

    id: str
    address: str = field(repr=False)
    code: str = field(repr=False)
    language: str = "fr"
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """An address that an account has left, to be told once."""

    address: str = field(repr=False)
    language: str = "fr"


_ASKED_DECODER = msgspec.json.Decoder(Unconfirmed)
_LEFT_DECODER = msgspec.json.Decoder(Left)


def normalized(typed: str) -> str | None:
    """Return an address as it is used, with the host in its ASCII form; None when it cannot be one.

    The part before the @ must be ASCII: most mail servers take no other.
    """
    local, _, host = typed.strip().rpartition("@")
    try:
        ascii_host = host.encode("idna").decode().lower()
    except UnicodeError:
        return None
    address = f"{local}@{ascii_host}"
    is_one = _LOCAL.fullmatch(local) and _HOST.fullmatch(ascii_host) and len(address) <= _LONGEST
    return address if is_one else None


@command(EventKind.NOTICE_ADDRESS_PROPOSED)
def ask(runtime: Runtime, caller: Caller, account: Account, typed: str, language: str) -> Asked:
    """Send a code to an address; codes that were sent before become invalid. caller: the owner of the account."""
    address = normalized(typed)
    if address is None:
        return Asked.WRONG
    if not _take_slot(runtime, f"account {account.subject}", PER_ACCOUNT):
        return Asked.TOO_MANY
    code = "".join(choice("0123456789") for _ in range(_CODE_DIGITS))
    waiting = Unconfirmed(runtime.ports.ids.new(), address, code, language)
    expires = runtime.now() + LIFETIME
    vault = runtime.ports.vault
    vault.drop(_ASKED, account.subject)
    vault.add(Secret(_ASKED, account.subject, orjson.dumps(waiting), f"account:{account.subject}", expires))
    name = address.casefold()
    own = _take_slot(runtime, f"account {account.subject} address {name}", PER_ADDRESS)
    may_send = own and _take_slot(runtime, f"address {name}", OF_ALL)
    letters = (message_of(runtime, Confirmation(account.subject, waiting.id)),) if may_send else ()
    credentials.record(runtime, caller, account, Act.PROPOSE_ADDRESS, letters)
    return Asked.SENT


@query
def waiting_for_code(runtime: Runtime, subject: str) -> Unconfirmed | None:
    """Return the address of an account that waits for its code, None when there is none."""
    entry = runtime.ports.vault.get(_ASKED, subject, runtime.now())
    return _ASKED_DECODER.decode(entry.value) if entry else None


@command(EventKind.NOTICE_ADDRESS_SET)
def confirm(runtime: Runtime, caller: Caller, account: Account, typed: str) -> bool:
    """Use an address from now on when this is its code; use the code up, and tell the previous address."""
    vault = runtime.ports.vault
    entry = vault.get(_ASKED, account.subject, runtime.now())
    if entry is None:
        return False
    waiting = _ASKED_DECODER.decode(entry.value)
    if not compare_digest(_digits(typed).encode(), waiting.code.encode()):
        _count_wrong(runtime, replace(entry, key=account.subject), waiting)
        return False
    if vault.take(_ASKED, account.subject, runtime.now()) is None:
        return False
    _move(runtime, caller, account, waiting)
    return True


@command(EventKind.NOTICE_ADDRESS_REMOVED)
def remove(runtime: Runtime, caller: Caller, account: Account) -> None:
    """Stop mails to an account, and tell the previous address."""
    runtime.ports.vault.drop(_ASKED, account.subject)
    if choices.of_account(runtime, account).address:
        _move(runtime, caller, account, None)


def left(runtime: Runtime, id_: str) -> Left | None:
    """Return an address that was left and is not told yet."""
    entry = runtime.ports.vault.get(_LEFT, id_, runtime.now())
    return _LEFT_DECODER.decode(entry.value) if entry else None


def _digits(typed: str) -> str:
    return "".join(symbol for symbol in typed[: 4 * _CODE_DIGITS] if symbol in "0123456789")


def _count_wrong(runtime: Runtime, entry: Secret, waiting: Unconfirmed) -> None:
    """Count a wrong code; the last one ends the request. Each concurrent attempt counts, or comes too late."""
    counted = replace(waiting, wrong=waiting.wrong + 1)
    kept = counted.wrong < ATTEMPTS
    if not kept or not runtime.ports.vault.replace(replace(entry, value=orjson.dumps(counted))):
        runtime.ports.vault.drop(_ASKED, entry.key)


def _move(runtime: Runtime, caller: Caller, account: Account, confirmed: Unconfirmed | None) -> None:
    """Record the change, tell the previous address in the same commit, and use the new one; None for no address."""
    before, address = choices.of_account(runtime, account), confirmed.address if confirmed else None
    letters = [_farewell(runtime, before)] if before.reachable and before.address != address else []
    act = Act.SET_ADDRESS if address else Act.REMOVE_ADDRESS
    credentials.record(runtime, caller, account, act, tuple(letters))
    language = confirmed.language if confirmed and not before.address else before.language
    choices.change(
        runtime, account, lambda chosen: replace(chosen, address=address, refused_at=None, language=language)
    )


def _farewell(runtime: Runtime, before: Choices) -> Message:
    id_ = runtime.ports.ids.new()
    kept = orjson.dumps(Left(before.address or "", before.language))
    runtime.ports.vault.add(Secret(_LEFT, id_, kept, expires=runtime.now() + 7 * _DAY))
    return message_of(runtime, Farewell(id_))


def _take_slot(runtime: Runtime, name: str, limit: int) -> bool:
    """Count a code; return False when the day has brought enough. An expired slot must be removed to be taken again."""
    vault, now, key = runtime.ports.vault, runtime.now(), sha256(name.encode()).hexdigest()
    for slot in (f"{key} {number}" for number in range(limit)):
        if vault.get(_SENT, slot, now) is None:
            vault.drop(_SENT, slot)
            if vault.add(Secret(_SENT, slot, b"", expires=now + _DAY)):
                return True
    return False
