"""What both stores share about the outbox: sealed messages, and the bell that wakes the worker of the same process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from consent_rules.visibility import micros
from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.adapters.sealing import KeyGone, Keyring, Sealed, unseal
from fhir_server.domain.stored import instant
from fhir_server.ports.outbox import Pending

MESSAGE = "Message"
"""Kind of a sealed value: the body of a message."""
AT_ONCE = 0
"""How the store writes the due instant of a message that has none."""


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """A message as it is stored. key: keyed hash of lane, compartment and key. at, due: in microseconds."""

    lane: str
    key: bytes
    compartment: PatientId
    at: int
    due: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it was read from a store."""

    id: str
    position: str
    message: SealedMessage
    puts: int
    attempts: int
    error: str | None
    dead: bool


class Bell:
    """Tells the worker of this process that a message was put."""

    def __init__(self) -> None:
        """Start silent."""
        self._rung = Event()

    def ring(self) -> None:
        """End the present or the next wait."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a ring; return False when there was none in so many seconds."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung


def due_of(due: datetime | None) -> int:
    """Return a due instant as the store writes it: AT_ONCE for none, and a later number for every instant."""
    return AT_ONCE if due is None else max(micros(due), AT_ONCE + 1)


def opened(keyring: Keyring, rows: Iterable[Row]) -> Iterator[Pending]:
    """Decrypt messages; skip one whose space another process is erasing."""
    for row in rows:
        message = row.message
        try:
            body = unseal(keyring.by_id, Sealed(MESSAGE, message.key.hex()), message.body)
        except KeyGone:
            continue
        yield Pending(
            row.id,
            row.position,
            message.lane,
            body,
            instant(message.at),
            instant(message.due) if message.due else None,
            None if message.compartment == NO_SPACE else message.compartment,
            row.puts,
            row.attempts,
            row.error,
            row.dead,
        )
