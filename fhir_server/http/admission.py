"""The front of the application: reads a whole request, lets it wait for its turn, or refuses it at once.

Four kinds of requests (FHIR; sign-in and all pages; static files of pages; health) each have a lane, which limits how
many of the kind are processed at once. So a request never waits behind a request of another kind. The
application itself answers a refusal, in the format that belongs to the address.
Source: docs/adr/0038-admission.md; RFC 9110 15.5 (408, 413, 414, 415), RFC 6585 5 (431).
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock
from time import perf_counter, sleep
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
    RequestURITooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)

from fhir_server import deadline
from fhir_server.http.arrivals import CHUNK, REFUSED, Arrival, Arrivals, Declared
from fhir_server.http.request_context import TRY_PATH, is_of_fhir
from fhir_server.metrics import counting
from fhir_server.metrics.families import LaneName
from fhir_server.settings.limits import MIB, Limits, page_threads

LARGE_BYTES = MIB
"""Bodies above this size are processed one at a time, so that only one of them takes up memory."""
_HEALTH, _ASSETS = "/status", "/assets/"
_HEALTH_PLACES = _ASSETS_PLACES = 2
_HASTE_SECONDS, _USUAL_SECONDS = 0.0005, sys.getswitchinterval()
_DIGITS = 20
PARTS = 8
_RECENT_SECONDS = 0.1
"""For so long after a request has come, the process counts as asked by others."""
_LONGEST_SECONDS = 0.05
_GZIP = frozenset({"gzip", "x-gzip"})


class Traffic:
    """When this process was last asked for something, so that long answers give way.

    The threads of a process share one interpreter, and a page of an export keeps it busy for some milliseconds. So a
    file of an export takes about one part in `PARTS` of the time while others ask: it pauses after each page, for
    `_LONGEST_SECONDS` at most. Alone it does not pause.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter, pause: Callable[[float], object] = sleep) -> None:
        """Begin quiet. clock: seconds. pause: waits for so many seconds."""
        self._clock = clock
        self.pause = pause
        self._last = -inf

    def came(self) -> None:
        """Note that a request has come."""
        self._last = self._clock()

    def give_way(self, seconds: float) -> None:
        """Pause if others ask. seconds: of processor time that the page before has taken."""
        if self._clock() - self._last < _RECENT_SECONDS:
            self.pause(min((PARTS - 1) * seconds, _LONGEST_SECONDS))


TRAFFIC = Traffic()


class Admission:
    """An application with a front that reads, queues or refuses its requests."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], limits: Limits, threads: int) -> None:
        """Wrap an application. threads: how many FHIR requests are processed at once."""
        self._inner = inner
        self._limits = limits
        self._fhir = Lane(threads, LaneName.FHIR)
        self._pages = Lane(page_threads(threads), LaneName.PAGES)
        self._assets = Lane(_ASSETS_PLACES, LaneName.ASSETS)
        self._health = HastyLane(_HEALTH_PLACES, LaneName.HEALTH)
        self._large = Lane(1, LaneName.LARGE)
        self._arrivals = Arrivals(limits.body_seconds, 2 * limits.body_bytes)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Read a request, wait for its turn, and pass it on."""
        if environ.get("CONTENT_LENGTH", "0") == "0" and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._in_turn(environ, start_response)
        arrival = self._arrival(environ)
        if arrival.abandoned:
            return _Late(self._refuse(environ, start_response, _refusal_of(arrival)), arrival)
        try:
            return self._with_body(environ, start_response, arrival.body())
        finally:
            self._arrivals.release(arrival)

    def _arrival(self, environ: WSGIEnvironment) -> Arrival:
        length, most = environ.get("CONTENT_LENGTH", ""), self._limits.body_bytes
        is_too_large = length.isdecimal() and int(length[:_DIGITS]) > most
        take = self._arrivals.discard if is_too_large else self._arrivals.receive
        stream = environ["wsgi.input"]
        return take(Declared(stream, int(length[:_DIGITS])) if length.isdecimal() else stream, most)

    def _in_turn(
        self, environ: WSGIEnvironment, start_response: StartResponse, coded: bytes | None = None
    ) -> Iterable[bytes]:
        """Pass a request on when its turn has come; a compressed body is unpacked only then.

        Raises: HTTPException for a compressed body that cannot be unpacked.
        """
        fault = _head_fault(environ, self._limits)
        if fault is not None:
            return self._refuse(environ, start_response, fault)
        lane = self._lane(environ["PATH_INFO"])
        seconds = self._limits.request_seconds
        deadline.start(seconds)
        if not lane.enter(seconds):
            deadline.end()
            return self._refuse(environ, start_response, ServiceUnavailable(retry_after=1))
        if lane is self._fhir or lane is self._pages:
            TRAFFIC.came()
        try:
            if coded is not None:
                _carry(environ, _decoded(coded, self._limits.body_bytes))
            return self._inner(environ, start_response)
        finally:
            lane.leave()
            deadline.end()

    def _lane(self, path: str) -> "Lane":
        if is_of_fhir(path) or path == TRY_PATH:
            return self._fhir
        if path.startswith(_ASSETS):
            return self._assets
        return self._health if path == _HEALTH else self._pages

    def _with_body(self, environ: WSGIEnvironment, start_response: StartResponse, body: bytes) -> Iterable[bytes]:
        """Pass a request with its body on; a large one waits until no other large one is being processed."""
        coding = environ.pop("HTTP_CONTENT_ENCODING", "identity").strip().lower()
        is_coded = coding in _GZIP and is_of_fhir(environ["PATH_INFO"])
        if not is_coded and coding != "identity":
            return self._refuse(environ, start_response, _UnknownCoding())
        is_large = len(body) > LARGE_BYTES or (is_coded and not _is_small(body))
        if is_large and not self._large.enter(self._limits.request_seconds):
            return self._refuse(environ, start_response, ServiceUnavailable(retry_after=1))
        try:
            if is_coded:
                return self._in_turn(environ, start_response, body)
            _carry(environ, body)
            del body  # only the request still refers to it, and can free it
            return self._in_turn(environ, start_response)
        except HTTPException as refusal:
            return self._refuse(environ, start_response, refusal)
        finally:
            if is_large:
                self._large.leave()

    def _refuse(
        self, environ: WSGIEnvironment, start_response: StartResponse, refusal: HTTPException
    ) -> Iterable[bytes]:
        """Let the application answer in the format of the address, without a body and without waiting for a turn."""
        counting.refused_at_the_door(refusal.code or 0)
        _carry(environ, b"")
        environ[REFUSED] = refusal
        return self._inner(environ, start_response)


class _Late:
    """An answer to a client that is still sending: sent at once, and ended when nobody reads the body any longer."""

    def __init__(self, answer: Iterable[bytes], arrival: Arrival) -> None:
        self._answer = answer
        self._arrival = arrival

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer
        self.close()
        self._arrival.wait_until_left()

    def close(self) -> None:
        """Close the answer."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            close()


class Lane:
    """A limit on how many requests are processed at once; a request that waits goes before one that comes later."""

    def __init__(self, places: int, name: LaneName) -> None:
        """Set the limit. name: under which those who wait are counted."""
        self._name = name
        self._tokens: SimpleQueue[None] = SimpleQueue()
        for _ in range(places):
            self._tokens.put(None)
        self._waiting = 0
        self._lock = Lock()

    def enter(self, seconds: float) -> bool:
        """Take a place, waiting this many seconds at most; return False when there was none."""
        if not self._waiting:
            try:
                self._tokens.get_nowait()
            except Empty:
                pass
            else:
                return True
        return self._wait(seconds)

    def leave(self) -> None:
        """Give the place to the request that waits next."""
        self._tokens.put(None)

    def _wait(self, seconds: float) -> bool:
        with self._lock:
            self._waiting += 1
        counting.waits(self._name, 1)
        began = perf_counter()
        try:
            self._tokens.get(timeout=seconds)
        except Empty:
            return False
        else:
            return True
        finally:
            with self._lock:
                self._waiting -= 1
            counting.waits(self._name, -1)
            counting.waited(self._name, perf_counter() - began)


class HastyLane(Lane):
    """A lane for short requests: Python switches threads often while one runs, so that others do not delay it.

    Switching that often all the time would slow down every request of a busy server.
    """

    def __init__(self, places: int, name: LaneName) -> None:
        """Set the limit, as for any lane."""
        super().__init__(places, name)
        self._inside = 0
        self._changing = Lock()

    def enter(self, seconds: float) -> bool:
        """Take a place, and let the interpreter switch threads often while it is taken."""
        is_inside = super().enter(seconds)
        if is_inside:
            self._count(1)
        return is_inside

    def leave(self) -> None:
        """Give the place to the request that waits next."""
        self._count(-1)
        super().leave()

    def _count(self, change: int) -> None:
        with self._changing:
            self._inside += change
            sys.setswitchinterval(_HASTE_SECONDS if self._inside else _USUAL_SECONDS)


class _Once:
    """A body in memory. Reading all of it hands the only reference to the reader, so that parsing can free it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def read(self, size: int | None = -1) -> bytes:
        """Return this many bytes, or all by default."""
        start, whole = self._at, self._body
        self._at = len(whole) if size is None or size < 0 else min(start + size, len(whole))
        if self._at == len(whole):
            self._at, self._body = 0, b""
        return whole if not start and not self._body else whole[start : self._at or None]

    def readline(self, size: int | None = -1) -> bytes:
        """Return the rest of a line."""
        end = self._body.find(b"\n", self._at) + 1 or len(self._body)
        rest = end - self._at
        return self.read(rest if size is None or size < 0 else min(rest, size))


class _UnknownCoding(UnsupportedMediaType):
    """A 415 that says which content codings a request may have (RFC 7694 3)."""

    def get_headers(self, *parts: Any, **named: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as the framework has it
        return [*super().get_headers(*parts, **named), ("Accept-Encoding", "gzip")]


def install(app: Flask, limits: Limits, threads: int) -> None:
    """Put the front before an application; its request context answers what the front refuses."""
    app.wsgi_app = Admission(app.wsgi_app, limits, threads)  # type: ignore[method-assign]


def _refusal_of(arrival: Arrival) -> HTTPException:
    """Return why the server gave up reading a body."""
    if arrival.too_large:
        return RequestEntityTooLarge()
    return ServiceUnavailable(retry_after=1) if arrival.crowded_out else RequestTimeout()


def _head_fault(environ: WSGIEnvironment, limits: Limits) -> HTTPException | None:
    """Return what is wrong with the head; the error page's static files come with the same head, and are exempt."""
    if len(environ["PATH_INFO"]) + len(environ.get("QUERY_STRING", "")) > limits.url_bytes:
        return RequestURITooLarge()
    if environ["PATH_INFO"].startswith(_ASSETS):
        return None
    size = 0
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            size += len(name) + len(value)
    return RequestHeaderFieldsTooLarge() if size > limits.header_bytes else None


def _carry(environ: WSGIEnvironment, body: bytes) -> None:
    """Replace the body stream of a request by the body that has arrived."""
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["wsgi.input"] = _Once(body)
    environ["wsgi.input_terminated"] = True
    environ["CONTENT_LENGTH"] = str(len(body))


def _is_small(coded: bytes) -> bool:
    """Tell whether a compressed body stays below LARGE_BYTES when unpacked; unpacks no further, and keeps nothing."""
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    size = 0
    try:
        while coded and size <= LARGE_BYTES:
            size += len(reader.decompress(coded, CHUNK))
            coded = reader.unconsumed_tail
    except zlib.error:
        return True  # not gzip: `_decoded` refuses it at once
    return size <= LARGE_BYTES


def _decoded(coded: bytes, most: int) -> bytes:
    """Return what a gzip body holds.

    Raises: RequestEntityTooLarge, without having built more than the limit; BadRequest when it is no gzip.
    """
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = reader.decompress(coded, most + 1)
    except zlib.error:
        raise BadRequest from None
    if len(body) > most:
        raise RequestEntityTooLarge
    if not reader.eof or reader.unused_data:
        raise BadRequest
    return body
