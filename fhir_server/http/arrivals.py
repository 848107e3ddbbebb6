"""Request bodies that are arriving: threads of their own read them, so that a request thread can stop waiting for one.

A read of the web server cannot be interrupted, and a request that ends while its body is being read would stop the
whole process. So the server answers a client that is too slow at once, and `Arrival.wait_until_left` keeps the
request's thread until the client closes the connection (docs/adr/0038-admission.md).
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Protocol

CHUNK = 64 * 1024
REFUSED = "habilis.refused"
"""Where the front of the application puts into a WSGI environment why it refuses the request."""
_DRAINED = 4
"""The server reads and throws away up to this many times the limit, because a client reads no answer while it sends."""


class Stream(Protocol):
    """A body as the web server provides it."""

    def read(self, size: int, /) -> bytes:
        """Return this many bytes, fewer at the end."""


class Declared:
    """A body of a declared length: nothing beyond it is read, because the next request may follow (PEP 3333)."""

    __slots__ = ("_left", "_stream")

    def __init__(self, stream: Stream, length: int) -> None:
        """Keep the stream and how many bytes it holds."""
        self._stream = stream
        self._left = length

    def read(self, size: int, /) -> bytes:
        """Return this many bytes, fewer at the end."""
        part = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(part)
        return part


class Arrival:
    """One body that is arriving.

    limit: how many bytes it may have. held: bytes that have arrived and are kept; drained: bytes that were thrown away.
    abandoned: whether no request waits for it any longer. too_large, crowded_out: why the server gave it up.
    done: gets an item when the body has arrived or was given up; left: gets one when nobody reads it any longer.
    """

    __slots__ = ("abandoned", "crowded_out", "done", "drained", "held", "left", "limit", "parts", "stream", "too_large")

    def __init__(self, stream: Stream, limit: int) -> None:
        """Keep the stream and the limit."""
        self.drained = 0
        self.stream = stream
        self.limit = limit
        self.parts: list[bytes] = []
        self.held = 0
        self.abandoned = self.too_large = self.crowded_out = False
        self.done: SimpleQueue[None] = SimpleQueue()
        self.left: SimpleQueue[None] = SimpleQueue()

    def body(self) -> bytes:
        """Return the bytes that have arrived, and keep them here no longer."""
        parts, self.parts = self.parts, []
        return b"".join(parts)

    def wait_until_left(self) -> None:
        """Wait until nobody reads the body: the client has sent the rest, or closed the connection."""
        self.left.get()


class Arrivals:
    """All bodies of a process: how long one may take to arrive, and how much memory they may take together."""

    def __init__(self, seconds: float, held_bytes: int) -> None:
        """Set the limits. seconds: for one body to arrive. held_bytes: of all bodies that arrive or are processed."""
        self._seconds = seconds
        self._most = held_bytes
        self._held = 0
        self._lock = Lock()
        self._arriving: set[Arrival] = set()
        self._readers = _Readers(self._read)

    def receive(self, stream: Stream, limit: int) -> Arrival:
        """Return a body that has arrived whole, or that the server gave up.

        Its bytes count against the limit until `release` is called for it.
        """
        arrival = Arrival(stream, limit)
        with self._lock:
            self._arriving.add(arrival)
        self._readers.hand_over(arrival)
        try:
            arrival.done.get(timeout=self._seconds)
        except Empty:
            with self._lock:
                self._give_up(arrival)
        return arrival

    def discard(self, stream: Stream, limit: int) -> Arrival:
        """Throw away a body that is known to be too large, while it arrives."""
        arrival = Arrival(stream, limit)
        arrival.too_large = arrival.abandoned = True
        self._readers.hand_over(arrival)
        return arrival

    def release(self, arrival: Arrival) -> None:
        """Stop counting the bytes of a body that has been processed."""
        with self._lock:
            self._held -= arrival.held
            arrival.held = 0

    def _read(self, arrival: Arrival) -> None:
        try:
            while self._took(arrival, arrival.stream.read(CHUNK)):
                pass
        finally:
            with self._lock:
                self._arriving.discard(arrival)
            arrival.done.put(None)
            arrival.left.put(None)

    def _took(self, arrival: Arrival, part: bytes) -> bool:
        """Keep a part of a body; return False when no more is wanted."""
        with self._lock:
            if arrival.abandoned:
                arrival.drained += len(part)
                return bool(part) and arrival.drained < _DRAINED * arrival.limit
            if not part:
                return False
            arrival.parts.append(part)
            arrival.held += len(part)
            self._held += len(part)
            if arrival.held > arrival.limit:
                arrival.too_large = True
                self._give_up(arrival)
            elif self._held > self._most:
                largest = max(self._arriving, key=lambda one: one.held)
                largest.crowded_out = True
                self._give_up(largest)
            return True

    def _give_up(self, arrival: Arrival) -> None:
        """Throw away what arrived of a body, and wake the request that waits for it."""
        arrival.abandoned = True
        arrival.parts = []
        self._held -= arrival.held
        arrival.held = 0
        self._arriving.discard(arrival)
        arrival.done.put(None)


class _Readers:
    """Threads that read bodies, created when none is idle. There are never more of them than connections."""

    def __init__(self, read: Callable[[Arrival], None]) -> None:
        self._read = read
        self._idle = 0
        self._lock = Lock()
        self._queue: SimpleQueue[Arrival] = SimpleQueue()

    def hand_over(self, arrival: Arrival) -> None:
        """Let a thread read a body."""
        with self._lock:
            is_idle = self._idle > 0
            self._idle -= is_idle
        if not is_idle:
            Thread(target=self._work, name="body-reader", daemon=True).start()
        self._queue.put(arrival)

    def _work(self) -> None:
        while True:
            self._read(self._queue.get())
            with self._lock:
                self._idle += 1
