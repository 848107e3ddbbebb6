"""Handlers of the worker: a notice becomes one message for each person who wants a mail, and each of these a letter.

Everything is judged again when a letter is sent: whether the person still wants it, and whether they may still see the
notice. Notices that wait for a daily mail, or for the end of silent hours, lead to one letter together.
Source: docs/adr/0079.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import orjson

from fhir_server import telemetry
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account, find_account
from fhir_server.application.notices import addresses, choices, letters, recipients
from fhir_server.application.notices.choices import Choices, Timing
from fhir_server.application.notices.letters import Recipient
from fhir_server.application.notices.mails import (
    Confirmation,
    Farewell,
    Mail,
    OneNotice,
    Several,
    mail_of,
    message_of,
)
from fhir_server.application.notices.recipients import Told
from fhir_server.ports.mail import AddressRefused, Letter, MailUnavailable
from fhir_server.ports.outbox import Message
from fhir_server.ports.vault import Secret

_WAITING = "notice-waiting"
_KEPT = timedelta(days=7)
"""How long after the planned instant a notice still waits for its mail; then it is dropped."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A notice that waits for a mail about several notices. notice: its id."""

    notice: str
    due: datetime


_DECODER = msgspec.json.Decoder(_Waiting)


def mails_about(runtime: Runtime, notice: str) -> tuple[Message, ...]:
    """Return a message for each person who wants a mail about a notice that was stored. notice: its id.

    A second call for the same notice returns the same messages.
    """
    told = recipients.told_of(runtime, notice) if runtime.ports.mail else None
    if told is None:
        return ()
    planned = (_planned(runtime, notice, told, account) for account in told.accounts)
    return tuple(message for message in planned if message)


def _planned(runtime: Runtime, notice: str, told: Told, account: Account) -> Message | None:
    chosen = choices.of_account(runtime, account)
    if not chosen.reachable or chosen.timing(told.kind) is Timing.NEVER:
        return None
    due = chosen.due(told.kind, runtime.now(), runtime.time_zone)
    if due is None:
        return message_of(runtime, OneNotice(notice, account.subject), compartment=told.patient)
    kept = orjson.dumps(_Waiting(notice, due))
    key, group = f"{account.subject} {notice}", _group(account.subject)
    runtime.ports.vault.add(Secret(_WAITING, key, kept, group, due + _KEPT))
    return message_of(runtime, Several(account.subject, due), due)


def send(runtime: Runtime, body: bytes) -> None:
    """Send the letter that a message of the lane is about, unless nothing is to be sent any more.

    Raises: MailUnavailable: the message is to be handled again.
    """
    mail = mail_of(body)
    planned = _letter(runtime, mail)
    if planned is None:
        return
    if runtime.ports.mail is None:  # another process put the message: its operator wants the mail
        raise MailUnavailable("no mail server is set")
    try:
        runtime.ports.mail.send(planned)
    except AddressRefused:
        telemetry.warning("mail_address_refused")
        _note_refused(runtime, mail, planned.recipient)
    if isinstance(mail, Several):
        for waiting in _due(runtime, mail):
            runtime.ports.vault.drop(_WAITING, f"{mail.account} {waiting.notice}")


def _letter(runtime: Runtime, mail: Mail) -> Letter | None:
    """Return the letter, None when there is nothing to tell or nobody wants it any more."""
    match mail:
        case OneNotice(notice, subject):
            reader = _reader(runtime, subject)
            is_wanted = reader and _is_wanted(runtime, *reader, notice)
            return letters.of_notice(runtime, _to(reader[1]), notice, subject) if reader and is_wanted else None
        case Several(subject, due):
            reader = _reader(runtime, subject)
            is_wanted = reader and any(_is_wanted(runtime, *reader, one.notice) for one in _due(runtime, mail))
            return letters.of_several(runtime, _to(reader[1]), subject, due) if reader and is_wanted else None
        case Confirmation(subject, asked):
            waiting = addresses.waiting_for_code(runtime, subject)
            to = Recipient(waiting.address, waiting.language) if waiting and waiting.id == asked else None
            return letters.of_confirmation(runtime, to, asked, waiting.code) if to and waiting else None
        case Farewell(id_):
            left = addresses.left(runtime, id_)
            return letters.of_farewell(runtime, Recipient(left.address, left.language), id_) if left else None


def _reader(runtime: Runtime, subject: str) -> tuple[Account, Choices] | None:
    """Return an account in use and its choices, None when no mail reaches it."""
    chosen = choices.of_subject(runtime, subject)
    account = find_account(runtime, chosen.login) if chosen and chosen.reachable else None
    return (account, chosen) if account and chosen and not account.disabled else None


def _to(chosen: Choices) -> Recipient:
    return Recipient(chosen.reachable or "", chosen.language)


def _is_wanted(runtime: Runtime, account: Account, chosen: Choices, notice: str) -> bool:
    told = recipients.told_of(runtime, notice)
    if told is None or account.subject not in {one.subject for one in told.accounts}:
        return False
    return chosen.timing(told.kind) is not Timing.NEVER


def _due(runtime: Runtime, mail: Several) -> list[_Waiting]:
    entries = runtime.ports.vault.entries(_WAITING, runtime.now(), _group(mail.account))
    return [waiting for waiting in map(_decoded, entries) if waiting.due <= mail.due]


def _decoded(entry: Secret) -> _Waiting:
    return _DECODER.decode(entry.value)


def _note_refused(runtime: Runtime, mail: Mail, address: str) -> None:
    reader = _reader(runtime, mail.account) if isinstance(mail, OneNotice | Several) else None
    if reader:
        choices.refuse_address(runtime, reader[0], address)


def _group(subject: str) -> str:
    return f"notice-waiting:{subject}"
