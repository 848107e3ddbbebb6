"""What every command and query receives: the ports, the rules in force, the server's own address, and time stamps.

`meta.lastUpdated` never goes back, although the clock of the machine may. A client that polls by `_lastUpdated` asks
for versions newer than the newest that it has seen, and would miss a version with an earlier stamp. The rules and the
audit log use the clock.
A space that a professional read costs one message an hour, however often it is read (docs/adr/0094).
Source: docs/adr/0053.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

import orjson

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import Matrix, MatrixError
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import NO_SPACE, Basis, PatientId
from fhir_server import telemetry
from fhir_server.domain.audit.interactions import AuditedInteraction, OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, StoreUnavailable
from fhir_server.ports.surroundings import Ports

EventReader = Callable[[EventKind, OutcomeCode, Basis | None], None]
"""Takes what happened, how it ended, and the ground of the access, None for none."""
_TOLERATED = timedelta(seconds=1)
"""Clocks of several processes differ by less than this, and threads of one process overtake each other by less."""
_STEP = timedelta(milliseconds=1)
"""FHIR writes instants in milliseconds, so that each stamp differs from the stamp before."""
_PARIS = ZoneInfo("Europe/Paris")
_STAFF_HOLDS = timedelta(minutes=5)
_MOST_PLACES = 1000
_MOST_MEETINGS = 10_000
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
DETECTION_LANE = "detection"
_PROFESSIONAL = "Practitioner/"
_JUDGED = frozenset({"access", "refusal"})
"""Parts of the audit log that hold what professionals read, and what they were refused."""
_HOUR = 3600
_AFTER = timedelta(minutes=5)
"""How long after its hour a space is looked at: clocks of several processes differ by less."""


@dataclass(slots=True)
class Stamps:
    """The stamps of one process. newest: the latest known stamp; at the start, the store's latest."""

    newest: datetime = _NEVER
    _lock: Lock = field(default_factory=Lock)
    _is_behind: bool = False

    def next(self, at: datetime) -> datetime:
        """Return the stamp for an act at an instant: the instant itself, unless the clock was set back."""
        with self._lock:
            behind = at < self.newest - _TOLERATED
            if behind and not self._is_behind:
                telemetry.alarm("clock_set_back")
            self._is_behind = behind
            self.newest = self.newest + _STEP if behind else max(at, self.newest)
            return self.newest

    def after(self, seen: datetime, stamp: datetime) -> datetime:
        """Return a stamp not earlier than `seen`, the stamp of a version that another process may have written."""
        if seen <= stamp:
            return stamp
        with self._lock:
            self.newest = max(self.newest, seen) + _STEP
            return self.newest


@dataclass(slots=True)
class WatchedSpaces:
    """The spaces of the present hour about which this process has stored a message to detection.

    What a process has put is noted after the commit. A lost memory costs a second message with the same key, which adds
    nothing to the outbox. Each audited read looks here. Looking takes no lock, because hour and spaces are one value.
    """

    _noted: tuple[int, set[str]] = field(default_factory=lambda: (0, set()))
    _lock: Lock = field(default_factory=Lock)

    def messages(self, change: Change, now: datetime) -> tuple[Message, ...]:
        """Return the messages that a change owes, one for each space that was not watched in this hour."""
        hour, (noted_in, noted) = int(now.timestamp()) // _HOUR, self._noted
        owed = set()
        for trace in change.traces:
            access = trace.event.facts.access
            if hour == noted_in and access.compartment in noted:
                continue
            if access.kind in _JUDGED and access.owner_person.startswith(_PROFESSIONAL):
                owed.add(access.compartment)
        return tuple(message_for(space, hour, now) for space in sorted(owed - {NO_SPACE})) if owed else ()

    def note(self, stored: Iterable[Message], now: datetime) -> None:
        """Note messages that are durable."""
        hour = int(now.timestamp()) // _HOUR
        with self._lock:
            if hour > self._noted[0]:
                self._noted = hour, set()
            if hour == self._noted[0]:
                spaces = (one.compartment for one in stored if one.lane == DETECTION_LANE and one.compartment)
                self._noted[1].update(spaces)


def message_for(space: PatientId, hour: int, now: datetime, settled: datetime | None = None) -> Message:
    """Return the message to look at an hour of a space. settled: when to look again, None for the first look."""
    body = orjson.dumps({"hour": hour, "settled": settled is not None})
    due = settled or datetime.fromtimestamp((hour + 1) * _HOUR, now.tzinfo) + _AFTER
    return Message(DETECTION_LANE, body.decode(), body, now, due, space)


@dataclass(slots=True)
class Staff:
    """How many people work in each establishment, kept for some minutes; it sets a ceiling and decides no access."""

    _held: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def get(self, place: str, at: datetime) -> int | None:
        """Return the number, None when it is not known or too old."""
        held = self._held.get(place)
        return held[1] if held and held[0] > at else None

    def keep(self, place: str, number: int, at: datetime) -> int:
        """Keep a number, and return it."""
        if len(self._held) >= _MOST_PLACES:
            self._held.clear()
        self._held[place] = (at + _STAFF_HOLDS, number)
        return number


@dataclass(slots=True)
class Meetings:
    """How often each subject has met each ceiling today, in this process: it only decides how often this is written."""

    _day: date = date.min
    _times: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, subject: str, ceiling: str, day: date) -> int:
        """Note that a subject has met a ceiling; return how often it has done so on this day."""
        with self._lock:
            if day != self._day or len(self._times) >= _MOST_MEETINGS:
                self._day, self._times = day, {}
            number = self._times[subject, ceiling] = self._times.get((subject, ceiling), 0) + 1
        return number


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running server.

    fhir_base: absolute URL of the FHIR endpoint without a final slash. cursor_key: 32 bytes that seal paging cursors.
    refuse_wrong_size: whether a wrong attachment size refuses a submission or only warns.
    withdrawal_status: the status by which a PATCH withdraws a document, besides `entered-in-error`.
    stamps: gives `lastUpdated`. decoys: the space and the interaction of the last read (`reading.decoys`), or nothing.
    professional_level: the weakest login (`acr`) with which a professional may use the FHIR endpoint, None for any.
    time_zone: in which people's hours are meant.
    watched: the spaces about which detection has a message already; None for a server without detection.
    staff: how many people work in each establishment. meetings: who has met which ceiling today.
    event_readers: each is called once for each audited event after the event is durable, and never for an event that
        was not stored. A reader must be quick and must not raise.
    """

    ports: Ports
    matrices: Schedule
    profile: RuleProfile
    fhir_base: str
    cursor_key: bytes
    refuse_wrong_size: bool = True
    withdrawal_status: str = "entered-in-error"
    professional_level: str | None = None
    time_zone: ZoneInfo = _PARIS
    stamps: Stamps = field(default_factory=Stamps)
    decoys: list[tuple[PatientId, AuditedInteraction]] = field(default_factory=list)
    event_readers: tuple[EventReader, ...] = ()
    watched: WatchedSpaces | None = None
    staff: Staff = field(default_factory=Staff)
    meetings: Meetings = field(default_factory=Meetings)

    def now(self) -> datetime:
        """Return the instant, by the server's clock."""
        return self.ports.clock.now()

    @property
    def sends_mail(self) -> bool:
        """Whether the server sends mails."""
        return self.ports.mail is not None

    @property
    def tells_outside(self) -> bool:
        """Whether notices leave the server at all."""
        return self.ports.mail is not None or self.ports.webhooks is not None

    @property
    def matrix(self) -> Matrix:
        """The version of the habilitation matrix that is in force today; a day begins at midnight UTC.

        Raises: StoreUnavailable when the clock shows a day before the first version: nothing can be decided then.
        """
        try:
            return self.matrices.on(self.ports.clock.now().date())
        except MatrixError as problem:
            telemetry.alarm("no_matrix_in_force")
            raise StoreUnavailable(f"{problem}: the machine's clock is wrong") from problem
