"""A proxy that ends TLS in front of a server, as nginx does: it sets the headers that a configuration names."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_HOPS = frozenset({"connection", "transfer-encoding", "keep-alive", "host"})


def certificate(folder: Path) -> Path:
    """Write a certificate of this machine, and its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@contextmanager
def proxy(port: int, behind: int, pem: Path, headers: Mapping[str, str]) -> Iterator[None]:
    """End TLS on a port for a server behind it; headers replace those of clients, "" takes them away."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {n: v for n, v in self.headers.items() if n.lower() not in _HOPS and "_" not in n}
            sent = {n: v for n, v in kept.items() if n.lower() not in {name.lower() for name in headers}}
            values = {n: v.replace("$host", self.headers["Host"]).replace("$remote_addr", self.client_address[0])
                      for n, v in headers.items() if v}  # fmt: skip
            upstream = HTTPConnection("127.0.0.1", behind, timeout=60)
            upstream.request(self.command, self.path, body, sent | values)
            answered = upstream.getresponse()
            content = answered.read()
            self.send_response(answered.status)
            for name, value in answered.getheaders():
                if name.lower() not in _HOPS | {"content-length", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            upstream.close()

        do_GET = do_POST = answer  # noqa: N815 - as the library calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
