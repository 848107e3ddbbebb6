"""A real SMTP server on this machine, which tests tell how to behave."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from fhir_server import worker
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.notices.mails import LANE
from fhir_server.settings.mail import MailServer

SENDER = "avis@habilis.example"


@dataclass
class Post:
    """What the server took, and how it answers. replies: by step ("MAIL", "RCPT", "DATA"), instead of an acceptance.

    taken: (recipient, message) in order.
    """

    replies: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_MAIL(self, _server, _session, envelope, address, _options):  # noqa: N802 - as the library calls it
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - as the library calls it
        reply = self.replies.get(f"RCPT {address}") or self.replies.get("RCPT", "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802 - as the library calls it
        if "DATA" in self.replies:
            return self.replies["DATA"]
        message: Any = message_from_bytes(envelope.content, policy=default)
        self.taken += [(recipient, message) for recipient in envelope.rcpt_tos]
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"

    def letters_to(self, recipient: str) -> list[EmailMessage]:
        return [message for address, message in self.taken if address == recipient]


class _Server(Controller):
    """A controller whose port comes from the kernel."""

    def factory(self):
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def _checked(is_right: bool) -> AuthResult:  # noqa: FBT001 - as the library wants it
    return AuthResult(success=is_right, handled=False)


@contextmanager
def serving(
    post: Post, pem: Path | None = None, security: str = "starttls", password: str = ""
) -> Iterator[MailServer]:
    """Serve SMTP; yield how to reach the server. password: what the user "habilis" must show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if pem else None
    if context:
        context.load_cert_chain(pem)
    more: dict[str, Any] = {"tls_context": context, "require_starttls": True} if security == "starttls" and pem else {}
    if password:
        more |= {
            "auth_required": True,
            "authenticator": lambda *given: _checked(given[4].password == password.encode()),
        }
    if security == "tls":
        more |= {"ssl_context": context}
    server = _Server(post, hostname="localhost", port=0, ready_timeout=60, **more)
    server.start()
    try:
        yield MailServer(
            "localhost", SENDER, port=server.port, security=security, ca_file=pem,
            user="habilis" if password else "", password=password,
        )  # fmt: skip
    finally:
        server.stop()


@contextmanager
def cutting(lines: list[bytes], *, hangs: bool = False) -> Iterator[MailServer]:
    """Serve SMTP by a script: say each line after one from the client, then cut the connection, or say nothing more.

    The content of a message counts as one line.
    """
    listening = create_server(("127.0.0.1", 0))
    held: list[socket] = []

    def play() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            held.append(connection)
            reader = connection.makefile("rb")
            for line in lines:
                connection.sendall(line)
                heard = reader.readline()
                while line.startswith(b"354") and heard and heard != b".\r\n":
                    heard = reader.readline()
            if not hangs:
                connection.shutdown(SHUT_RDWR)
                connection.close()

    player = Thread(target=play, daemon=True)
    player.start()
    try:
        yield MailServer("127.0.0.1", SENDER, port=listening.getsockname()[1], security="none")
    finally:
        listening.shutdown(SHUT_RDWR)
        listening.close()
        for connection in held:
            connection.close()
        player.join(60)


def work(runtime: Runtime) -> list[str | None]:
    """Let a worker handle everything that is ready; return the kinds of the failures of mails, to be tried again."""
    working = worker.build(runtime)
    for _ in range(2):  # a notice leads to a mail
        working.work_once()
    waiting = runtime.ports.outbox.ready(LANE, runtime.now() + timedelta(days=1), 1000)
    return [pending.error for pending in waiting if pending.attempts]
