"""A provider upstream, or an address of keys, that hangs: it holds a few threads, and everybody else is told at once.

Nothing here measures time: the provider answers when the test says so.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import pytest

from fhir_server import outbound
from fhir_server.application.identity.clients import change, find
from fhir_server.oauth.base import remote_keys
from fhir_server.oauth.base.options import Options, of_settings
from fhir_server.outbound import Reach, UnreachableError
from fhir_server.settings.server import Settings
from tests.oauth.conftest import PASSWORD, assertion, backend, csrf_of, serve
from tests.oauth.upstream import Fake, Visitor, helene, provider_of, start

PLACES, CLIENTS = 2, 9


class Hanging(Fake):
    """A provider that answers nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer, self.asked = Event(), Event()

    def answer(self, path: str):
        self.asked.set()
        self.may_answer.wait(20)
        return super().answer(path)


@pytest.fixture
def hanging():
    made = Hanging()
    server = start(made)
    yield made
    made.may_answer.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def options(hanging) -> Options:
    said = Settings.from_environment({"HABILIS_UPSTREAM_PLACES": str(PLACES)})
    return replace(of_settings(said), providers=(provider_of(hanging.issuer),))


def test_a_provider_that_hangs_holds_a_few_threads_and_others_are_told_at_once(app, hanging, runtime, monkeypatch):
    monkeypatch.setattr(outbound, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 60.0)
    helene(runtime)
    refused = []

    def leave(_number: int):
        visitor = Visitor(app, hanging)
        visitor.get("/login")
        answer = visitor.get("/login/with/psc")
        if answer.status_code == 503:
            refused.append(answer)
            if len(refused) == CLIENTS - PLACES:
                hanging.may_answer.set()  # only now, so that nobody was refused because somebody came back
        return answer

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(leave, range(CLIENTS)))
    assert sorted(answer.status_code for answer in answers) == [303] * PLACES + [503] * (CLIENTS - PLACES)
    assert refused[0].headers["Retry-After"] == "5"
    assert "/login/with/psc" in refused[0].text
    assert len(hanging.received) == PLACES
    assert Visitor(app, hanging).leave()["state"]  # the places are free again


def test_who_signs_in_here_does_not_wait_for_the_provider(app, hanging, monkeypatch):
    monkeypatch.setattr(outbound, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 60.0)
    visitor = Visitor(app, hanging)
    visitor.get("/login")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(visitor.get, "/login/with/psc")
        assert hanging.asked.wait(60)
        other = Visitor(app, hanging)
        sent = {"csrf": csrf_of(other.get("/login").text), "login": "camille", "password": PASSWORD}
        assert other.post("/login", sent).status_code == 303
        hanging.may_answer.set()
        assert waiting.result(60).status_code == 303


def test_a_return_that_finds_no_place_may_come_again(app, hanging, runtime, options):
    """The state is good once, so that it must not be spent by whoever is told to come again."""
    hanging.may_answer.set()
    hanging.now = lambda: int(runtime.ports.clock.now().timestamp())
    helene(runtime)
    visitor = Visitor(app, hanging)
    asked = visitor.leave()
    with options.bulkhead.enter("psc"), options.bulkhead.enter("psc"):
        full = visitor.come_back(asked)
    assert full.status_code == 503
    assert f"state={asked['state']}" in full.text
    assert visitor.come_back(asked).status_code == 303
    assert visitor.is_in()


def test_addresses_of_keys_have_places_too_and_an_assertion_that_finds_none_may_come_again(runtime, clock):
    client = find(runtime, "ehr")
    change(runtime, replace(client, jwks={}, jwks_uri="https://keys.invalid/jwks"))
    options = Options()
    web = serve(runtime, options).test_client()
    keys = options.bulkhead.enter("client-keys")
    with keys, options.bulkhead.enter("client-keys"):
        answer = backend(web, assertion(clock, jti="one"))
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_an_address_of_keys_that_failed_is_not_asked_for_each_assertion(runtime, clock, monkeypatch):
    """Anybody may send assertions that name a client whose address of keys hangs."""
    asked = []

    def unreachable(*given: object) -> None:
        asked.append(given)
        raise UnreachableError("no")

    monkeypatch.setattr(outbound, "get", lambda *given, **_: unreachable(*given))
    change(runtime, replace(find(runtime, "ehr"), jwks={}, jwks_uri="https://keys.example/jwks"))
    web = serve(runtime, Options()).test_client()
    for number in range(5):
        assert backend(web, assertion(clock, jti=str(number))).status_code == 401
    assert len(asked) == 1
    clock.advance(seconds=11)
    backend(web, assertion(clock, jti="later"))
    assert len(asked) == 2
    assert remote_keys.age_of("") > 0


@contextmanager
def dripping():
    """Serve an answer of one byte at a time, without end, until the reader goes; say when it has gone."""
    gone = Event()

    def serve_one(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not gone.wait(0.01):
                    connection.sendall(b"x")
            except OSError:
                gone.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve_one, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", gone


def test_an_answer_that_drips_without_end_is_given_up(monkeypatch):
    """Each byte comes in time, the whole never does: the reader must go by itself."""
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 0.3)
    with dripping() as (url, gone):
        with pytest.raises(UnreachableError):
            outbound.send("GET", url, Reach.LOOPBACK, {})
        assert gone.wait(60)
