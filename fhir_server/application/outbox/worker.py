"""The worker of one process: it finds lanes with something to do, holds them, and has their messages handled.

One thread looks; a lane with work gets a thread of its own until it is empty, so that a slow lane holds up no other.
A commit of the same process wakes the worker; for commits of other processes it looks once in a while, and less often
the longer there is nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic

from fhir_server import telemetry
from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox import handling, progress
from fhir_server.application.outbox.lanes import Lane
from fhir_server.application.outbox.leases import LEASE_SECONDS, Leases
from fhir_server.ports.outbox import Fate, Handled, Message, Pending
from fhir_server.ports.store import Change, LeaseLost, MessageGone, StoreUnavailable

_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.1, 0.5
"""How long the worker waits between two looks: the shortest after a commit or work, the longest when there is none."""
_REPORT_SECONDS, _LAGGING_SECONDS = 60.0, 30.0
"""How often it looks for dead letters and for messages that wait too long, and how long is too long."""
_BROKEN_SECONDS = 5.0
"""How long it waits when the store does not answer."""
_BATCH = 20
_STUCK_SECONDS = 300.0
"""After so long on one message the process stops renewing its lease, so that another process takes the lane."""
_PERIODIC = "periodic"
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_LOOKED_AT = 100
"""How many waiting messages of a lane are looked at for one that a clock gone wrong has put off."""


class Worker:
    """Works some lanes until it is stopped."""

    def __init__(self, runtime: Runtime, lanes: Sequence[Lane], lease_seconds: float = LEASE_SECONDS) -> None:
        """Keep the parts; `run` works in the calling thread, `start` in one of its own."""
        self._runtime = runtime
        self._outbox = runtime.ports.outbox
        self._lanes: Mapping[str, Lane] = {lane.name: lane for lane in lanes}
        self._leases = Leases(self._outbox, runtime.ports.ids.new(), lease_seconds)
        self._busy: dict[str, float] = {}
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._reported = float("-inf")

    def start(self) -> None:
        """Begin to work in a thread that does not keep the process alive."""
        self._thread = Thread(target=self.run, name="habilis-worker", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Work until `stop` is called. A store that does not answer only makes the worker wait."""
        pause, begun = _SHORTEST_SECONDS, False
        while not self._stopping.is_set():
            looked = monotonic()
            try:
                begun = begun or self._begin()
                works = self._look()
                self._leases.beat(self._moving())
                self._report()
                pause = _SHORTEST_SECONDS if works else min(2 * pause, _LONGEST_SECONDS)
            except Exception as error:  # noqa: BLE001 - a store that does not answer, or a fault of this program: go on
                telemetry.alarm("worker_waits", error)
                pause = _BROKEN_SECONDS
            if self._outbox.wait(pause):
                pause = _SHORTEST_SECONDS
                self._stopping.wait(looked + pause - monotonic())  # one look for many commits
        self._finish()

    def stop(self, seconds: float = 10.0) -> None:
        """Ask the worker to end after the messages that it is handling; wait at most so long."""
        self._stopping.set()
        self._outbox.wake()
        if self._thread:
            self._thread.join(seconds)

    def work_once(self) -> None:
        """Handle in this thread everything that is ready now and may be worked here: for commands and tests."""
        self._begin()
        for name in sorted(self._outbox.lanes_with_ready(self._lanes, self._runtime.now())):
            self._work(self._lanes[name])
        self._leases.give_up()

    def _begin(self) -> bool:
        """Put the one message of each periodic lane, which adds nothing if it is there; begin the other lanes."""
        now = self._runtime.now()
        periodic = tuple(Message(lane.name, _PERIODIC, b"", now) for lane in self._lanes.values() if lane.every)
        if periodic:
            audit_log.commit(self._runtime, Change((), outbox=periodic))
        for lane in self._lanes.values():
            if lane.begin:
                lane.begin(self._runtime)
        self._pull_back()
        return True

    def _pull_back(self) -> None:
        """Make a message ready that a clock gone wrong has put off for longer than its lane waits.

        A message that has never failed waits as long as whoever put it says, unless it is a periodic one.
        """
        now = self._runtime.now()
        for lane in self._lanes.values():
            if lane.name in self._busy:
                continue
            latest = now + (lane.every or timedelta()) + lane.longest_pause
            waiting = self._outbox.ready(lane.name, _END_OF_TIME, 1 if lane.every else _LOOKED_AT)
            far = (one for one in waiting if one.due and one.due > latest and (lane.every or one.attempts))
            for message in far:
                if lease := self._leases.hold(lane.name):
                    ready = Handled(message, lease, Fate.POSTPONED, now, message.attempts, message.error)
                    with suppress(MessageGone), self._losing(lane):
                        audit_log.commit(self._runtime, Change((), handled=(ready,)))

    def _report(self) -> None:
        """Once a minute, mend what a wrong clock did, and write a line when messages or dead letters wait too long."""
        if monotonic() - self._reported < _REPORT_SECONDS:
            return
        self._reported = monotonic()
        self._pull_back()
        now = progress.look(self._runtime, tuple(self._lanes))
        if now.lag_seconds > _LAGGING_SECONDS or now.dead_letters:
            telemetry.outbox_waits(round(now.lag_seconds), now.dead_letters)

    def _look(self) -> bool:
        """Give each lane with work a thread; tell whether this process works any lane."""
        idle = [name for name in self._lanes if name not in self._busy]
        found = self._outbox.lanes_with_ready(idle, self._runtime.now())
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        for name in sorted(found):
            if self._leases.hold(name):
                with self._lock:
                    self._busy[name] = monotonic()
                thread = Thread(target=self._work_busy, args=(self._lanes[name],), name=f"habilis-{name}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return bool(self._busy)

    def _moving(self) -> frozenset[str]:
        """Return the busy lanes whose present message has not taken too long."""
        with self._lock:
            return frozenset(name for name, since in self._busy.items() if monotonic() - since < _STUCK_SECONDS)

    def _work_busy(self, lane: Lane) -> None:
        try:
            if not self._work(lane):  # messages of a space whose erasure was cut: do not spin until it is finished
                self._stopping.wait(_LONGEST_SECONDS)
        except Exception as error:  # noqa: BLE001 - as in `run`
            telemetry.alarm("worker_waits", error)
            self._stopping.wait(_BROKEN_SECONDS)
        finally:
            with self._lock:
                self._busy.pop(lane.name, None)
            self._outbox.wake()

    def _work(self, lane: Lane) -> bool:
        """Handle what is ready in a lane, until nothing is, somebody else holds the lane, or the worker is stopped.

        Return whether there was anything.
        """
        found = False
        while not self._stopping.is_set():
            ready = self._outbox.ready(lane.name, self._runtime.now(), max(lane.together, _BATCH))
            if not ready:
                return found
            found = True
            for some in _cut(ready, lane.together):
                lease = self._leases.hold(lane.name)
                if lease is None or self._stopping.is_set():
                    return found
                if lane.name in self._busy:
                    self._busy[lane.name] = monotonic()
                with self._losing(lane):
                    handling.handle_some(self._runtime, lane, lease, some)
        return found

    @contextmanager
    def _losing(self, lane: Lane) -> Iterator[None]:
        """Forget the lease when a change fails because somebody else has it."""
        try:
            yield
        except LeaseLost:
            self._leases.forget(lane.name)

    def _finish(self) -> None:
        for thread in self._threads:
            thread.join()
        with suppress(StoreUnavailable):
            self._leases.give_up()


def _cut(messages: Sequence[Pending], size: int) -> Iterator[Sequence[Pending]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]
