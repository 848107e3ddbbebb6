"""Requests that the server makes itself: where they may go, and what they make of an answer that is no good."""

import socket
import ssl
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fhir_server import outbound
from fhir_server.outbound import Reach, UnreachableError
from tests.holds import holds

_PUBLIC = ("193.51.208.13", "2001:660:3003::1")
_OWN = ("10.0.0.1", "192.168.1.1", "fd00::1")
_NEVER = ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:169.254.169.254")  # noqa: S104
_HERE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@holds("AC45")
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


@holds("AC45")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://u@example.org/", "https://[::1", "ftp://x/", ""]
)
def test_the_public_reach_goes_nowhere_inside(url):
    with pytest.raises(UnreachableError):
        outbound.get(url)


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """Make an authority of our own and a certificate for `localhost`; return the files of both."""
    folder, key = tmp_path_factory.mktemp("tls"), generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "both.pem").write_bytes(private + made.public_bytes(Encoding.PEM))
    return folder


@contextmanager
def behind_tls(folder, port: int = 0):
    """Answer one request over TLS with its own Host header."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                said = secured.recv(65536).decode()
                host = next(line for line in said.splitlines() if line.lower().startswith("host:"))
                secured.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(host)}\r\n\r\n{host}".encode())
            connection.close()

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_tls_is_spoken_with_whom_the_authorities_of_the_system_vouch_for(certified, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certified / "cert.pem"))
    with behind_tls(certified) as port:
        assert outbound.get(f"https://localhost:{port}/", Reach.LOOPBACK).body == f"Host: localhost:{port}".encode()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_nobody_known_or_of_another_name_is_none(certified, monkeypatch, host):
    if host != "localhost":
        monkeypatch.setenv("SSL_CERT_FILE", str(certified / "cert.pem"))
    with behind_tls(certified) as port, pytest.raises(UnreachableError):
        outbound.get(f"https://{host}:{port}/", Reach.LOOPBACK)


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_the_usual_port_is_left_out_of_the_host_header(scheme, port):
    """Some gateways know themselves by their bare name only."""
    connection = outbound._Pinned("idp.example", port, "127.0.0.1", secure=scheme == "https")
    connection.putrequest("GET", "/")
    assert b"Host: idp.example" in connection._buffer


def test_nothing_of_the_request_is_in_the_error():
    with pytest.raises(UnreachableError) as raised:
        outbound.get("http://127.0.0.1:1/?secret=s3cret")
    assert "s3cret" not in str(raised.value)
