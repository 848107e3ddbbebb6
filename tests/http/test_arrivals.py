"""Bodies that arrive slowly, and requests that wait for their turn: none of them stops the others."""

import sys
from queue import SimpleQueue
from threading import Event, Thread

import pytest
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.test import Client

from fhir_server.http.admission import Admission, HastyLane, Lane
from fhir_server.http.arrivals import CHUNK, REFUSED, Arrivals
from fhir_server.metrics.families import LaneName
from fhir_server.settings.limits import Limits

FORM = "application/x-www-form-urlencoded"
ADDRESSES = ["/fhir/DocumentReference/_search", "/oauth/token"]


class Stalled:
    """A body whose sender stops after the first bytes."""

    def __init__(self) -> None:
        self.closed = Event()

    def read(self, _size: int) -> bytes:
        self.closed.wait(30)
        return b""


def test_a_body_without_a_stated_length_is_read_up_to_the_limit():
    taken = Arrivals(5, 100 * CHUNK).receive(_Endless(), 4 * CHUNK)
    assert (taken.too_large, taken.abandoned, taken.held) == (True, True, 0)


class _Endless:
    def read(self, size: int) -> bytes:
        return b"a" * size


def test_bodies_together_take_no_more_memory_than_allowed_and_the_largest_gives_way():
    arrivals = Arrivals(60, 4 * CHUNK)
    stalled = [_After(3 * CHUNK), _After(CHUNK)]
    taken: SimpleQueue[tuple[int, bool]] = SimpleQueue()

    def receive(number: int) -> None:
        arrival = arrivals.receive(stalled[number], 100 * CHUNK)
        taken.put((number, arrival.crowded_out))

    threads = [Thread(target=receive, args=(number,)) for number in (0, 1)]
    threads[0].start()
    stalled[0].sent.wait(60)
    threads[1].start()
    stalled[1].sent.wait(60)
    small = arrivals.receive(_After(CHUNK, closed=True), 100 * CHUNK)
    assert small.body() == b"a" * CHUNK
    assert taken.get(timeout=60) == (0, True)
    for stream in stalled:
        stream.closed.set()
    assert taken.get(timeout=60) == (1, False)


class _After:
    """A body of so many bytes whose end comes when it is told to."""

    def __init__(self, size: int, *, closed: bool = False) -> None:
        self._left = size
        self.sent, self.closed = Event(), Event()
        if closed:
            self.closed.set()

    def read(self, size: int) -> bytes:
        part = min(size, self._left)
        self._left -= part
        if not part:
            self.sent.set()
            self.closed.wait(60)
        return b"a" * part


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_body_that_does_not_arrive_in_time_is_answered_with_408(shared_world, path):
    stream = Stalled()
    front = Admission(shared_world.web.application.wsgi_app, Limits(body_seconds=1), 2)
    sent = {"wsgi.input": stream, "CONTENT_LENGTH": "1000"}
    answer = Client(front).post(path, environ_overrides=sent, content_type=FORM, buffered=False)
    assert answer.status_code == 408
    stream.closed.set()
    assert answer.is_json


def test_the_answer_to_a_slow_sender_ends_only_when_nobody_reads_the_body():
    stream = Stalled()
    arrival = Arrivals(0.01, CHUNK).receive(stream, CHUNK)
    assert arrival.abandoned
    ended: SimpleQueue[str] = SimpleQueue()
    waiting = Thread(target=lambda: (arrival.wait_until_left(), ended.put("ended")))
    waiting.start()
    assert ended.empty()
    stream.closed.set()
    assert ended.get(timeout=60) == "ended"


# --- turns ---------------------------------------------------------------------------------------------------------


def test_a_lane_lets_so_many_in_and_no_more():
    lane = Lane(2, LaneName.FHIR)
    assert [lane.enter(0.01) for _ in range(3)] == [True, True, False]
    lane.leave()
    assert lane.enter(0.01)


def test_requests_of_one_kind_that_never_end_keep_no_other_kind_waiting():
    inside, let_go = SimpleQueue(), Event()

    def application(environ, start_response):
        if environ["PATH_INFO"].startswith(environ["habilis.slow"]):
            inside.put(None)
            let_go.wait(30)
        start_response("200 OK", [])
        return [b""]

    front = Admission(application, Limits(request_seconds=1), 2)
    style = "/assets/habilis.css"
    for slow, others in (("/fhir", ["/status", "/oauth/token"]), ("/oauth", ["/status", style, "/fhir/metadata"])):
        let_go.clear()
        told = {"habilis.slow": slow}
        threads = [Thread(target=Client(front).get, args=(slow,), kwargs={"environ_base": told}) for _ in range(2)]
        for thread in threads:
            thread.start()
            inside.get(timeout=60)
        assert [Client(front).get(path, environ_base=told).status_code for path in others] == [200] * len(others)
        let_go.set()
        for thread in threads:
            thread.join()


def test_threads_take_short_turns_while_a_health_check_is_on_its_way_and_at_no_other_time():
    turns: dict[str, float] = {}

    def application(environ, start_response):
        turns[environ["PATH_INFO"]] = sys.getswitchinterval()
        start_response("200 OK", [])
        return [b""]

    usual = sys.getswitchinterval()
    front = Client(Admission(application, Limits(), 2))
    for path in ("/status", "/fhir/metadata", "/oauth/token"):
        front.get(path)
    assert turns["/status"] < usual / 2
    assert turns == {"/status": turns["/status"], "/fhir/metadata": usual, "/oauth/token": usual}


def test_turns_stay_short_until_the_last_health_check_has_gone():
    usual, lane = sys.getswitchinterval(), HastyLane(2, LaneName.HEALTH)
    lane.enter(1)
    lane.enter(1)
    lane.leave()
    assert sys.getswitchinterval() < usual
    lane.leave()
    assert sys.getswitchinterval() == usual


def test_a_refusal_for_want_of_room_is_told_to_oauth_clients_in_their_words(shared_world):
    sent = {REFUSED: ServiceUnavailable(retry_after=1)}
    answer = shared_world.web.post("/oauth/token", environ_overrides=sent, content_type=FORM)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_a_compressed_body_is_unpacked_only_when_its_turn_has_come():
    inside, let_go = SimpleQueue(), Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/fhir/slow":
            inside.put(None)
            let_go.wait(30)
        refusal = environ.get(REFUSED)
        start_response(f"{refusal.code if refusal else 200} .", [])
        return [b""]

    front = Admission(application, Limits(request_seconds=1), 1)
    busy = Thread(target=Client(front).get, args=("/fhir/slow",))
    busy.start()
    inside.get(timeout=60)
    statuses = []
    for _ in range(2):
        answer = Client(front).post("/fhir/a", data=b"no gzip", headers={"Content-Encoding": "gzip"})
        statuses.append(answer.status_code)
        let_go.set()
        busy.join()
    assert statuses == [503, 400]


def test_nothing_beyond_the_declared_length_is_read():
    """PEP 3333: a client that keeps its connection sends the next request, or nothing, after the body."""

    class Connection:
        def __init__(self):
            self.sent = b"bodynext request"

        def read(self, size):
            assert self.sent != b"next request", "a real connection would wait here for the next request"
            part, self.sent = self.sent[:size], self.sent[size:]
            return part

    seen = []

    def application(environ, start_response):
        seen.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b""]

    sent = {"wsgi.input": Connection(), "CONTENT_LENGTH": "4"}
    front = Admission(application, Limits(body_seconds=1), 1)
    assert Client(front).post("/fhir/a", environ_overrides=sent).status_code == 200
    assert seen == [b"body"]
