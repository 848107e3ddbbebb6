"""Requests that the server makes itself: where they may go, and what they make of an answer that is no good."""

import socket
from contextlib import contextmanager
from threading import Thread

import pytest

from fhir_server.oauth import outbound
from fhir_server.oauth.outbound import Reach, UnreachableError

_PUBLIC = ("193.51.208.13", "2001:660:3003::1")
_OWN = ("10.0.0.1", "192.168.1.1", "fd00::1")
_NEVER = ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:169.254.169.254")  # noqa: S104
_HERE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@pytest.mark.parametrize(
    ("reach", "allowed"),
    [(Reach.PUBLIC, _PUBLIC), (Reach.PRIVATE, _PUBLIC + _OWN), (Reach.LOOPBACK, _HERE)],
)
def test_a_request_goes_only_where_its_reach_leads(reach, allowed):
    everywhere = (*_PUBLIC, *_OWN, *_NEVER, *_HERE)
    assert [a for a in everywhere if outbound.allows(reach, a)] == [a for a in everywhere if a in allowed]


@contextmanager
def speaking(answer: bytes):
    """Answer one connection with these bytes and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join(5)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (outbound.SIZE_LIMIT + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["silence", "no HTTP", "cut off", "too long", "broken chunks"],
)
def test_an_answer_that_is_no_good_is_none(answer):
    with speaking(answer) as url, pytest.raises(UnreachableError):
        outbound.get(url, Reach.LOOPBACK)


def test_a_redirect_is_not_followed():
    with speaking(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as url:
        assert outbound.get(url, Reach.LOOPBACK).status_code == 302


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://u@example.org/", "https://[::1", "ftp://x/", ""]
)
def test_the_public_reach_goes_nowhere_inside(url):
    with pytest.raises(UnreachableError):
        outbound.get(url)


def test_nothing_of_the_request_is_in_the_error():
    with pytest.raises(UnreachableError) as raised:
        outbound.get("http://127.0.0.1:1/?secret=s3cret")
    assert "s3cret" not in str(raised.value)
