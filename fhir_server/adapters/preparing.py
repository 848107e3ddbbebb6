"""Preparation of a change that all stores share: checks, encryption, hashes, and visibility marks as bits."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from consent_rules.visibility import AccessFacts, micros
from consent_rules.vocabulary import NO_SPACE, Label, Mark
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.messages import MESSAGE, SealedMessage, due_of
from fhir_server.adapters.sealing import SPACE, Keyring, Sealed, seal
from fhir_server.domain.stored import Stored
from fhir_server.ports.counters import Count
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, SpaceWrite, Trace, Write
from fhir_server.registry import TRACE

LABELLED = 1 << 7
"""The bit that says that the labels are known; they are unknown for data from before labels were stored."""
_SHIFT = 8
_MARKS = LABELLED - 1

SealedSpaces = tuple[tuple[SpaceWrite, bytes | None], ...]
"""Writes of spaces, each with its encrypted state; None where the change only checks the revision."""
HashedClaims = tuple[tuple[str, bytes], ...]
HashedCounts = tuple[tuple[Count, bytes], ...]


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts and hashes the parts of a change."""

    hashes: Hashes
    keyring: Keyring

    def spaces(self, change: Change) -> SealedSpaces:
        """Encrypt the states of spaces."""
        return tuple((space, self._state(space)) for space in change.spaces)

    def claims(self, change: Change) -> HashedClaims:
        """Hash the claims."""
        return tuple((claim, self.hashes.claim(claim)) for claim in change.claims)

    def counts(self, change: Change) -> HashedCounts:
        """Hash the subjects of the counts, in one order for all changes, so that no two changes wait for each other."""
        if not change.counts:
            return ()
        hashed = ((count, self.hashes.counter(count.kind, count.subject)) for count in change.counts)
        return tuple(sorted(hashed, key=lambda pair: pair[1]))

    def messages(self, change: Change) -> tuple[SealedMessage, ...]:
        """Encrypt the bodies of messages, and hash their keys."""
        return tuple(self._message(message) for message in change.outbox)

    def body(self, stored: Stored) -> bytes:
        """Encrypt a body; an empty body stays empty."""
        if not stored.body:
            return b""
        key = self.keyring.sealing(stored.facts.access.compartment)
        return seal(key, Sealed(stored.type, stored.id, stored.version), stored.body)

    def _message(self, message: Message) -> SealedMessage:
        compartment = message.compartment or NO_SPACE
        key = self.hashes.message(message.lane, compartment, message.key)
        body = seal(self.keyring.sealing(compartment), Sealed(MESSAGE, key.hex()), message.body)
        return SealedMessage(message.lane, key, compartment, micros(message.at), due_of(message.due), body)

    def _state(self, space: SpaceWrite) -> bytes | None:
        if space.state is None:
            return None
        name = Sealed(SPACE, space.patient, space.expected + 1)
        return seal(self.keyring.sealing(space.patient), name, space.state)


def event_of(trace: Trace) -> Stored:
    """Return the AuditEvent of a trace.

    Raises: ValueError when it is not a first version of an AuditEvent.
    """
    event = trace.event
    if event.type != TRACE or event.version != 1 or event.mark or event.deleted:
        raise ValueError("a trace is the first version of an AuditEvent")
    return event


def leaf_of(event: Stored) -> bytes:
    """Return the hash by which an audit event enters the ledger (RFC 6962, section 2.1)."""
    return sha256(b"\0" + event.body).digest()


def resource_of(write: Write) -> Stored:
    """Return the resource of a write.

    Raises: ValueError for an AuditEvent, which only a trace may write.
    """
    if write.after.type == TRACE:
        raise ValueError("AuditEvents are written as traces")
    return write.after


def packed(access: AccessFacts) -> int:
    """Return the number for the marks and labels of a resource, so that one filter covers all of them."""
    return int(access.marks) | (0 if access.labels is None else LABELLED | bits_of(access.labels))


@cache
def unpacked(number: int) -> tuple[Mark, Label | None]:
    """Return the marks and labels of a number."""
    return Mark(number & _MARKS), Label(number >> _SHIFT) if number & LABELLED else None


def bits_of(labels: Label) -> int:
    """Return the bits of labels."""
    return int(labels) << _SHIFT


def each_bit(number: int) -> Iterator[int]:
    """Yield the bits of a number one by one, the smallest first."""
    while number:
        bit = number & -number
        yield bit
        number ^= bit
