"""The server sessions in which this process writes, recorded so that others can end them when the process has died.

A transaction that a dead process left open keeps its documents locked until MongoDB ends it, a minute later or more.
Each process therefore keeps one record: the ids of its sessions, and a count that grows while a transaction is open. A
process that is blocked reads the counts twice. Where a count has not grown, the other process is dead or has no open
transaction, and its sessions are ended. A process that only seemed dead loses its open transaction and writes it again.
Each count is compared with its own earlier value, so that the clocks of other machines do not matter.

Source: https://www.mongodb.com/docs/manual/reference/command/killSessions/.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from fhir_server.adapters.mongo.client import Document, Session

BEAT_SECONDS = 0.25
DEAD_SECONDS = 0.75
"""How long a count must not grow before its process is considered dead."""
_FORGOTTEN = timedelta(days=1)
_RENEWED_SECONDS = 60 * 60.0
"""How old the record of a process that seldom writes may be: far less than the time after which MongoDB forgets it."""
_IDLE_SECONDS = 20 * 60.0
"""MongoDB forgets a session that was idle for thirty minutes."""
_SECONDS = 2.0


class Processes:
    """The record of this process, and access to the records of the others."""

    def __init__(self, client: MongoClient[Document], database: Database[Document]) -> None:
        """Prepare the record; nothing is stored before the first transaction."""
        self._client = client
        self._records = database.get_collection("processes", write_concern=WriteConcern(1))
        self.id = str(uuid4())
        self._idle: list[tuple[float, Session]] = []
        self._sessions: dict[bytes, Any] = {}
        self._lost: dict[bytes, Any] = {}
        self._pool = Lock()
        self._recording = Lock()
        self._ended = Event()
        self._thread: Thread | None = None
        self._recorded = 0.0
        self._lent = 0
        self._suspected = False
        self._before: tuple[float, Mapping[str, int]] | None = None
        self._needed = Event()

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a session whose id is recorded, so that others can end whatever it leaves open."""
        session = self._take()
        with self._pool:
            self._lent += 1
        self._needed.set()
        try:
            yield session
        finally:
            with self._pool:
                self._lent -= 1
                known = _id_of(session) in self._sessions
                if known:
                    self._idle.append((monotonic(), session))
            if not known:
                session.end_session()

    def discard(self, session: Session) -> None:
        """End a lent session, because no answer told whether its transaction is still open on the server."""
        with self._pool:
            self._lost[_id_of(session)] = self._sessions.pop(_id_of(session), session.session_id["id"])
        self._needed.set()

    def beats(self) -> Mapping[str, int]:
        """Return the count of each process."""
        with pymongo.timeout(_SECONDS):
            return {row["_id"]: row["beats"] for row in self._records.find({}, {"beats": 1})}

    def end_dead(self, before: Mapping[str, int]) -> int:
        """End the sessions of other processes whose count has not grown since `before`; return how many processes."""
        with pymongo.timeout(_SECONDS):
            others = self._records.find({"_id": {"$ne": self.id}})
            dead = [row for row in others if before.get(row["_id"]) == row["beats"]]
            self._end(id_ for row in dead for id_ in row["sessions"])
        return len(dead)

    def suspect(self) -> None:
        """Search for dead processes in the background, because somebody waited too long for a document."""
        with self._pool:
            self._suspected = True
        self._needed.set()
        self._begin_beating()

    def close(self) -> None:
        """Remove the record; no transaction is open any more."""
        self._ended.set()
        self._needed.set()
        thread, self._thread = self._thread, None
        if thread:
            thread.join()
            with suppress(PyMongoError), pymongo.timeout(_SECONDS):
                self._records.delete_one({"_id": self.id})
        with self._pool:
            for _, session in self._idle:
                session.end_session()
            self._idle.clear()

    def _take(self) -> Session:
        with self._pool:
            since, session = self._idle.pop() if self._idle else (0.0, None)
        if session and monotonic() - since < _IDLE_SECONDS:
            if monotonic() - self._recorded > _RENEWED_SECONDS:
                self._record()
            return session
        fresh = self._client.start_session()
        with self._pool:
            if session:
                self._sessions.pop(_id_of(session), None)
            self._sessions[_id_of(fresh)] = fresh.session_id["id"]
        try:
            self._record()
        except PyMongoError:
            with self._pool:
                self._sessions.pop(_id_of(fresh), None)
            raise
        self._begin_beating()
        return fresh

    def _begin_beating(self) -> None:
        with self._pool:
            if self._thread or self._ended.is_set():
                return
            self._thread = Thread(target=self._beat, name="habilis-mongo-heartbeat", daemon=True)
            self._thread.start()
        long_ago = datetime.now(UTC) - _FORGOTTEN
        with suppress(PyMongoError), pymongo.timeout(_SECONDS):
            self._records.delete_many({"seen": {"$lt": long_ago}})

    def _beat(self) -> None:
        while self._needed.wait() and not self._ended.wait(BEAT_SECONDS):
            with self._pool:
                needed = self._lent or self._lost or self._suspected
                if not needed:
                    self._needed.clear()
            if needed:
                with suppress(PyMongoError):
                    self._record()
                    self._end_lost()
                    self._look_into_suspicion()

    def _look_into_suspicion(self) -> None:
        if not self._suspected:
            return
        if self._before is None:
            self._before = (monotonic(), self.beats())
        elif monotonic() - self._before[0] > DEAD_SECONDS:
            self.end_dead(self._before[1])
            self._before, self._suspected = None, False

    def _record(self) -> None:
        """Write all ids; one thread at a time, so that an older list never replaces a newer one."""
        with self._recording, pymongo.timeout(_SECONDS):
            with self._pool:
                ids = [*self._sessions.values(), *self._lost.values()]
            fields = {"$inc": {"beats": 1}, "$set": {"sessions": ids, "seen": datetime.now(UTC)}}
            self._records.update_one({"_id": self.id}, fields, upsert=True)
            self._recorded = monotonic()

    def _end_lost(self) -> None:
        with self._pool:
            lost = dict(self._lost)
        with pymongo.timeout(_SECONDS):
            self._end(lost.values())
        with self._pool:
            for key in lost:
                self._lost.pop(key, None)

    def _end(self, ids: Iterable[Any]) -> None:
        """End sessions by id. An empty list would end all sessions of this account, so it is never sent."""
        named = [{"id": id_} for id_ in ids]
        if named:
            self._client.admin.command("killSessions", named)


def _id_of(session: Session) -> bytes:
    return bytes(session.session_id["id"])
