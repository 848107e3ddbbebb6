"""A real server under senders who never finish, or send all that is allowed: everybody else is still answered."""

import json
import os
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fhir_server.settings.limits import MIB, Limits
from seed import book
from tests.live import HOST, Live, running

SLOW = 80
PATIENCE = 20
"""Seconds after which an answer counts as missing; a server that is stalled never gives one."""
FORM = "application/x-www-form-urlencoded"
ALLOWED_MB = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(tmp_path_factory.mktemp("slow") / "data", settings={"HABILIS_BODY_SECONDS": "2"})
    live.data_dir.mkdir(parents=True)
    with running(live, "--demo"):
        yield live


def ask(server: Live, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection(HOST, server.port, timeout=PATIENCE)) as connection:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()


def begin(server: Live, path: str, kind: str) -> socket.socket:
    """Send the head of a request and a little of its body."""
    sender = socket.create_connection((HOST, server.port), timeout=PATIENCE)
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n"
    sender.sendall(head.encode() + b"{")
    return sender


def rest_of(server: Live) -> dict[str, int]:
    """Ask what everybody else asks; return the statuses."""
    people = book.read(server.data_dir)
    bearer = {"Authorization": f"Bearer {people.tokens['camille']}"}
    token = {"Content-Type": FORM}
    return {
        "health": ask(server, "GET", "/status")[0],
        "FHIR": ask(server, "GET", f"/fhir/DocumentReference?patient={people.patients['camille']}", **bearer)[0],
        "sign-in": ask(server, "POST", "/oauth/token", b"grant_type=unknown", **token)[0],
    }


@pytest.mark.parametrize(("path", "kind"), [("/oauth/token", FORM), ("/fhir/Consent", "application/fhir+json")])
def test_senders_who_never_finish_keep_nobody_else_waiting(server, path, kind):
    with ExitStack() as senders:
        slow = [senders.enter_context(begin(server, path, kind)) for _ in range(SLOW)]
        assert rest_of(server) == {"health": 200, "FHIR": 200, "sign-in": 400}
        statuses = [sender.recv(4000).split()[1] for sender in slow]
        assert statuses == [b"408"] * SLOW
        assert rest_of(server) == {"health": 200, "FHIR": 200, "sign-in": 400}
    assert rest_of(server) == {"health": 200, "FHIR": 200, "sign-in": 400}


def peak_mb(server: Live) -> float:
    """Return the most memory that the working process has had, in MB."""
    texts = [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in server.processes()]
    return max(int(text.split("VmHWM:")[1].split()[0]) for text in texts) / 1024


def largest_document(server: Live) -> bytes:
    """Return a publication of one document that fills the largest body."""
    people = book.read(server.data_dir)
    attachment = {"contentType": "application/pdf", "data": ""}
    resource = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{people.patients['camille']}"},
        "content": [{"attachment": attachment}],
    }
    room = Limits().body_bytes - len(json.dumps(resource)) - 8
    attachment["data"] = b64encode(os.urandom(room // 4 * 3)).decode()
    return json.dumps(resource).encode()


def many_values() -> bytes:
    """Return a body of as many values as are allowed."""
    return b'{"resourceType":"Consent","extension":[' + b'{"a":{}},' * (Limits().members // 2 - 4) + b"{}]}"


def test_the_largest_bodies_take_no_more_memory_than_promised(server):
    tokens = book.read(server.data_dir).tokens
    before = peak_mb(server)
    for body, who, path in (
        (many_values(), "camille", "/fhir/Consent"),
        (largest_document(server), "chu-a-ehr", "/fhir/DocumentReference"),
    ):
        assert len(body) <= Limits().body_bytes
        bearer = {"Authorization": f"Bearer {tokens[who]}", "Content_Type": "application/fhir+json"}
        assert ask(server, "POST", path, body, **bearer)[0] < 500
    assert peak_mb(server) - before < ALLOWED_MB


def test_a_body_above_the_limit_is_answered_although_it_is_still_being_sent(server):
    status, body = ask(server, "POST", "/fhir/Consent", b" " * (30 * MIB), Content_Type="application/fhir+json")
    assert status == 413
    assert json.loads(body)["resourceType"] == "OperationOutcome"


def test_the_start_warns_of_nothing(server):
    log = next(server.data_dir.parent.glob("server-*.log")).read_text(encoding="utf-8")
    assert "WARNING" not in log
