"""The command `habilis` with a witness: what becomes of a message is written down, in the same transaction.

Run as `python -m tests.faults.witness serve` or `work`. Each record is itself a message of the outbox, in a lane that
nobody works. It says which message was settled, and under which lease the worker says to have worked.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from fhir_server import app, worker
from fhir_server.application.outbox.worker import Worker
from fhir_server.cli import main
from fhir_server.ports.outbox import Handled, Message, Outbox
from fhir_server.ports.store import Change, Store

LANE = "witness"
LEASE_SECONDS = 2.0
_MOST = 1_000_000


class Record(msgspec.Struct, frozen=True):
    """One settled message. position: of the message in its lane. number, holder: of the lease."""

    lane: str
    position: str
    number: int
    holder: str
    fate: str


def records(outbox: Outbox) -> list[Record]:
    """Return all records in the order in which they were written on this machine."""
    found = outbox.ready(LANE, datetime.now(UTC), _MOST)
    return [msgspec.json.decode(one.body, type=Record) for one in found]


class _Witnessed:
    """A store whose changes also write the records."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, change: Change) -> None:
        self._store.commit(_with_records(change))

    def commit_many(self, changes: Sequence[Change]) -> None:
        self._store.commit_many([_with_records(change) for change in changes])


def _with_records(change: Change) -> Change:
    return replace(change, outbox=(*change.outbox, *map(_recorded, change.handled)))


def _recorded(handled: Handled) -> Message:
    message, lease = handled.message, handled.lease
    assert lease
    record = Record(message.lane, message.position, lease.number, str(lease.holder), handled.fate.name)
    return Message(LANE, str(uuid4()), msgspec.json.encode(record), datetime.now(UTC))


def _interpose() -> None:
    opens = app.open_ports

    def witnessed(settings):
        ports = opens(settings)
        return replace(ports, store=_Witnessed(ports.store))

    app.open_ports = witnessed
    worker.build = lambda runtime: Worker(runtime, worker.LANES, LEASE_SECONDS)


if __name__ == "__main__":
    _interpose()  # before the web server forks
    sys.exit(main())
