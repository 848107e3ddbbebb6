"""The outbox in MongoDB. A message lies with its space, so that the commit that puts it reaches no further shard.

A position is a text of the change's instant and a random part: it follows the clocks of the servers, not the order of
the commits. Even so no message is missed: a worker reads what is there, and never goes on from a position.
Only the worker's read over all spaces asks every shard, and no request waits for that read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from consent_rules.visibility import micros
from fhir_server.adapters.messages import Bell, Row, SealedMessage, opened
from fhir_server.adapters.mongo.client import BRIEF_SECONDS, READ_MS, Document, failures_named
from fhir_server.adapters.mongo.documents import order_of
from fhir_server.adapters.sealing import Keyring
from fhir_server.domain.stored import instant_or_none
from fhir_server.ports.outbox import LaneState, Lease, Pending
from fhir_server.ports.store import StoreUnavailable

_EVERYWHERE: Document = {"compartment": {"$gte": ""}}
_IN_ORDER = [("lane", 1), ("dead", 1), ("order", 1)]


class MongoOutbox:
    """Messages and leases. It keeps the promises of `ports.outbox.Outbox`."""

    def __init__(self, database: Database[Document], keyring: Keyring, bell: Bell, suspect: Callable[[], None]) -> None:
        """Keep the parts; the store closes them. suspect: searches for dead processes, whose locks block a lease."""
        self._messages = database["outbox"]
        self._leases = database["leases"]
        self._keyring = keyring
        self._bell = bell
        self._suspect = suspect

    def ready(self, lane: str, now: datetime, limit: int) -> tuple[Pending, ...]:
        """Return messages of a lane to be handled now."""
        return self._pending(_ready_in(lane, now), limit)

    def lanes_with_ready(self, lanes: Iterable[str], now: datetime) -> frozenset[str]:
        """Return which of these lanes have a message to be handled now."""
        with failures_named(BRIEF_SECONDS):
            return frozenset(lane for lane in lanes if self._messages.find_one(_ready_in(lane, now), {"_id": 1}))

    def states(self, now: datetime) -> tuple[LaneState, ...]:
        """Return what is in each lane that is not empty."""
        is_ready = {"$and": [{"$not": ["$dead"]}, {"$lte": ["$due", micros(now)]}]}
        is_later = {"$and": [{"$not": ["$dead"]}, {"$gt": ["$due", micros(now)]}]}
        since = {"$cond": [is_ready, {"$max": ["$at", "$due"]}, None]}
        counts = {
            "_id": "$lane",
            "ready": {"$sum": {"$cond": [is_ready, 1, 0]}},
            "later": {"$sum": {"$cond": [is_later, 1, 0]}},
            "dead": {"$sum": {"$cond": ["$dead", 1, 0]}},
            "attempts": {"$max": "$attempts"},
            "oldest": {"$min": since},
        }
        stages: list[Document] = [{"$match": _EVERYWHERE}, {"$group": counts}, {"$sort": {"_id": 1}}]
        with failures_named():
            rows = list(self._messages.aggregate(stages, maxTimeMS=READ_MS))
        return tuple(_state(row) for row in rows)

    def dead_letters(self, limit: int, lane: str | None = None) -> tuple[Pending, ...]:
        """Return dead letters."""
        return self._pending({"dead": True} | ({} if lane is None else {"lane": lane}), limit)

    def lease(self, lane: str) -> Lease:
        """Return the lease of a lane."""
        with failures_named(BRIEF_SECONDS):
            row = self._leases.find_one({"_id": lane})
        return _lease(row) if row else Lease(lane, None, 0, 0)

    def take_over(self, seen: Lease, holder: str) -> Lease | None:
        """Make a holder the next one if the lease is still the one that was seen."""
        with self._writing():
            if not seen.number:
                return self._take_first(Lease(seen.lane, holder, 1, 0))
            where = {"_id": seen.lane, "number": seen.number, "beat": seen.beat, "holder": seen.holder}
            fields = {"$set": {"holder": holder, "number": seen.number + 1, "beat": 0}}
            row = self._leases.find_one_and_update(where, fields, return_document=ReturnDocument.AFTER)
        return _lease(row) if row else None

    def beat(self, lease: Lease) -> Lease | None:
        """Show that the holder lives."""
        with self._writing():
            row = self._leases.find_one_and_update(
                _held(lease), {"$inc": {"beat": 1}}, return_document=ReturnDocument.AFTER
            )
        return _lease(row) if row else None

    def give_up(self, lease: Lease) -> None:
        """End a lease that is still held."""
        with self._writing():
            self._leases.update_one(_held(lease), {"$set": {"holder": None}})

    def wait(self, seconds: float) -> bool:
        """Wait until a commit of this process has put a message."""
        return self._bell.wait(seconds)

    def wake(self) -> None:
        """End the present or the next wait."""
        self._bell.ring()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write a lease. A worker that died in the middle of a commit keeps it locked until its session is ended."""
        try:
            with failures_named(BRIEF_SECONDS):
                yield
        except StoreUnavailable:
            self._suspect()
            raise

    def _take_first(self, lease: Lease) -> Lease | None:
        try:
            self._leases.insert_one({"_id": lease.lane, "holder": lease.holder, "number": 1, "beat": 0})
        except DuplicateKeyError:
            return None
        return lease

    def _pending(self, where: Document, limit: int) -> tuple[Pending, ...]:
        """Read until there are enough; messages that cannot be decrypted any more do not count."""
        found = self._messages.find(_EVERYWHERE | where, sort=_IN_ORDER, batch_size=limit + 1, max_time_ms=READ_MS)
        with failures_named(), found as documents:
            return tuple(islice(opened(self._keyring, map(_row, documents)), limit))


def _ready_in(lane: str, now: datetime) -> Document:
    return _EVERYWHERE | {"lane": lane, "dead": False, "order": {"$lt": order_of(micros(now) + 1, "")}}


def _held(lease: Lease) -> Document:
    return {"_id": lease.lane, "number": lease.number, "holder": {"$ne": None}}


def _lease(row: Mapping[str, object]) -> Lease:
    return Lease(row["_id"], row["holder"], row["number"], row["beat"])  # type: ignore[arg-type] # as it was written


def _state(row: Document) -> LaneState:
    return LaneState(
        row["_id"], row["ready"], row["later"], row["dead"], row["attempts"], instant_or_none(row["oldest"])
    )


def _row(document: Document) -> Row:
    at, due, body = (document[name] for name in ("at", "due", "body"))
    key = bytes.fromhex(document["_id"])
    message = SealedMessage(document["lane"], key, document["compartment"], at, due, body)
    rest = (document[name] for name in ("puts", "attempts", "error", "dead"))
    return Row(document["_id"], document["position"], message, *rest)
