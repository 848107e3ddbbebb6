"""What every command and query receives: the ports, the rules in force, the server's own address, and time stamps.

`meta.lastUpdated` never goes back, although the clock of the machine may. A client that polls by `_lastUpdated` asks
for versions newer than the newest that it has seen, and would miss a version with an earlier stamp. The rules and the
audit log use the clock.
Source: docs/adr/0053.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import Matrix, MatrixError
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Basis, PatientId
from fhir_server import telemetry
from fhir_server.domain.audit.interactions import AuditedInteraction, OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.ports.store import StoreUnavailable
from fhir_server.ports.surroundings import Ports

EventReader = Callable[[EventKind, OutcomeCode, Basis | None], None]
"""Takes what happened, how it ended, and the ground of the access, None for none."""
_TOLERATED = timedelta(seconds=1)
"""Clocks of several processes differ by less than this, and threads of one process overtake each other by less."""
_STEP = timedelta(milliseconds=1)
"""FHIR writes instants in milliseconds, so that each stamp differs from the stamp before."""
_PARIS = ZoneInfo("Europe/Paris")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


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


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running server.

    fhir_base: absolute URL of the FHIR endpoint without a final slash. cursor_key: 32 bytes that seal paging cursors.
    refuse_wrong_size: whether a wrong attachment size refuses a submission or only warns.
    stamps: gives `lastUpdated`. decoys: the space and the interaction of the last read (`reading.decoys`), or nothing.
    professional_level: the weakest login (`acr`) with which a professional may use the FHIR endpoint, None for any.
    time_zone: in which people's hours are meant.
    event_readers: each is called once for each audited event after the event is durable, and never for an event that
        was not stored. A reader must be quick and must not raise.
    """

    ports: Ports
    matrices: Schedule
    profile: RuleProfile
    fhir_base: str
    cursor_key: bytes
    refuse_wrong_size: bool = True
    professional_level: str | None = None
    time_zone: ZoneInfo = _PARIS
    stamps: Stamps = field(default_factory=Stamps)
    decoys: list[tuple[PatientId, AuditedInteraction]] = field(default_factory=list)
    event_readers: tuple[EventReader, ...] = ()

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
