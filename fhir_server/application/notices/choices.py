"""What each person chose about mails: at once, once a day or never for each kind of notice, and when to stay silent.

The notice in the space stays in any case. A mail is something more, and the person decides about it alone: a guardian
neither sees nor changes the choices of a minor's account. While there is an address, two kinds cannot be switched off:
the law wants the first by mail, and the second says that the person can no longer look into the space.
Source: R.1111-28 and R.1111-36 of the French public health code (rules A2, A11, G3, G6 and H1); Regulation (EU)
2025/327, article 9; docs/adr/0079.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import credentials
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.credentials import Act
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import URGENT
from fhir_server.domain.problem import Category, Problem
from fhir_server.ports.vault import Secret

_KIND, _REFUSED = "notice-choices", "notice-address-refused"
_ATTEMPTS = 5
_HOURS = 24
LANGUAGES = ("fr", "en")
"""The languages of mails."""


class Timing(StrEnum):
    """When a mail about a notice is sent."""

    AT_ONCE = "at-once"
    DAILY = "daily"
    NEVER = "never"


ALWAYS_TOLD = frozenset({NoticeKind.ANNOUNCED, NoticeKind.SUSPENDED})
"""Kinds that are mailed as long as there is an address."""
_DAILY = frozenset(
    {NoticeKind.WAITING, NoticeKind.ACCESS, NoticeKind.FILED, NoticeKind.CHANGED, NoticeKind.CHOICE_CLOSED}
)


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one account.

    login: of the account. address: where mails go, once it was confirmed; None for none. refused_at: when the mail
    server said that the address does not exist, None otherwise; then no mail is sent.
    timings: by kind, those that the person chose. digest_hour: of the daily mail. silent_from, silent_until: hours
    between which no mail is sent, None for none; urgent_in_silence: whether urgent mails are sent even then. All hours
    are local.
    """

    login: str
    address: str | None = field(default=None, repr=False)
    refused_at: datetime | None = None
    language: str = "fr"
    timings: Mapping[str, Timing] = field(default_factory=lambda: MappingProxyType({}))
    digest_hour: int = 18
    silent_from: int | None = None
    silent_until: int | None = None
    urgent_in_silence: bool = False

    @property
    def reachable(self) -> str | None:
        """The address to which mails are sent, None when none are."""
        return None if self.refused_at else self.address

    def timing(self, kind: NoticeKind) -> Timing:
        """Return when the person wants a mail about this kind."""
        chosen = self.timings.get(kind.value) or (Timing.DAILY if kind in _DAILY else Timing.AT_ONCE)
        return Timing.DAILY if chosen is Timing.NEVER and kind in ALWAYS_TOLD else chosen

    def due(self, kind: NoticeKind, at: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when a mail about a notice of this instant is sent: later than `at`, or None for at once.

        The kind must not be one about which the person wants no mail.
        """
        local = at.astimezone(zone)
        if self.timing(kind) is Timing.DAILY:
            return _next(local, self.digest_hour)
        breaks_silence = kind in URGENT and self.urgent_in_silence
        if self.silent_until is not None and self._is_silent(local.hour) and not breaks_silence:
            return _next(local, self.silent_until)
        return None

    def _is_silent(self, hour: int) -> bool:
        start, end = self.silent_from, self.silent_until
        if start is None or end is None or start == end:
            return False
        return start <= hour < end if start < end else hour >= start or hour < end


def _next(local: datetime, hour: int) -> datetime:
    """Return the next instant after this one at which the local clock shows a full hour, as UTC."""
    there = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    return (there if there > local else there + timedelta(days=1)).astimezone(_UTC)


_UTC = ZoneInfo("UTC")
_DECODER = msgspec.json.Decoder(Choices)


@query
def of_account(runtime: Runtime, account: Account) -> Choices:
    """Return what a person chose, or what holds when they chose nothing."""
    return of_subject(runtime, account.subject) or Choices(account.login)


def of_subject(runtime: Runtime, subject: str) -> Choices | None:
    """Return the choices of an account by its subject, None when the person never chose anything."""
    entry = runtime.ports.vault.get(_KIND, subject, runtime.now())
    return _DECODER.decode(entry.value) if entry else None


def change(runtime: Runtime, account: Account, changed: Callable[[Choices], Choices]) -> None:
    """Change what a person chose, starting from the choices that are stored now.

    Raises: Problem(UNAVAILABLE) when other changes come first too often.
    """
    vault = runtime.ports.vault
    for _ in range(_ATTEMPTS):
        entry = vault.get(_KIND, account.subject, runtime.now())
        after = changed(_DECODER.decode(entry.value) if entry else Choices(account.login))
        value = orjson.dumps(replace(after, timings=dict(after.timings)))
        kept = Secret(_KIND, account.subject, value, f"account:{account.subject}")
        if vault.add(kept) if entry is None else vault.replace(replace(entry, key=account.subject, value=value)):
            _count(runtime, account, after)
            return
    raise Problem(Category.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person chooses on their page; each as in Choices."""

    language: str
    timings: Mapping[str, Timing]
    digest_hour: int
    silent_from: int | None
    silent_until: int | None
    urgent_in_silence: bool

    @property
    def is_valid(self) -> bool:
        """Whether every hour and the language are valid, and silence has both a beginning and an end or neither."""
        hours = [hour for hour in (self.digest_hour, self.silent_from, self.silent_until) if hour is not None]
        has_both = (self.silent_from is None) == (self.silent_until is None)
        return has_both and all(0 <= hour < _HOURS for hour in hours) and self.language in LANGUAGES

    def moves_warnings(self, chosen: Choices) -> bool:
        """Tell whether mails that warn the person would come at other times than now, or no more."""
        after = replace(chosen, **_given(self))
        return _silence(after) != _silence(chosen) or any(
            _moment(after, kind) != _moment(chosen, kind) for kind in URGENT
        )


@command(EventKind.NOTICES_CHOSEN)
def choose(runtime: Runtime, caller: Caller, account: Account, wanted: Wanted) -> None:
    """Record what a person chooses; the address stays as it is. caller: the owner of the account."""
    credentials.record(runtime, caller, account, Act.CHOOSE_NOTICES)
    change(runtime, account, lambda chosen: replace(chosen, **_given(wanted)))


def _given(wanted: Wanted) -> dict[str, Any]:
    return {one.name: getattr(wanted, one.name) for one in fields(wanted)}


def _silence(chosen: Choices) -> tuple[int | None, int | None] | None:
    """Return the hours in which not even an urgent mail is sent, None when urgent mails are always sent."""
    return None if chosen.urgent_in_silence else (chosen.silent_from, chosen.silent_until)


def _moment(chosen: Choices, kind: NoticeKind) -> tuple[Timing, int | None]:
    timing = chosen.timing(kind)
    return timing, chosen.digest_hour if timing is Timing.DAILY else None


def refuse_address(runtime: Runtime, account: Account, address: str) -> None:
    """Note that the mail server says that an address does not exist; a newer address is left alone."""
    now = runtime.now()
    change(runtime, account, lambda now_chosen: _refused(now_chosen, address, now))


def _refused(chosen: Choices, address: str, at: datetime) -> Choices:
    return replace(chosen, refused_at=at) if chosen.address == address and not chosen.refused_at else chosen


def _count(runtime: Runtime, account: Account, chosen: Choices) -> None:
    if chosen.refused_at:
        runtime.ports.vault.add(Secret(_REFUSED, account.subject, b"", f"account:{account.subject}"))
    else:
        runtime.ports.vault.drop(_REFUSED, account.subject)


@query
def count_refused(runtime: Runtime) -> int:
    """Return how many accounts have an address that the mail server refused."""
    return len(runtime.ports.vault.entries(_REFUSED, runtime.now()))
