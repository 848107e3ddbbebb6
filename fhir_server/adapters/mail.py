"""Mail over SMTP: one connection for each letter, encrypted and with a verified certificate, within a time limit.

The standard library speaks SMTP; this module decides what a refusal means. Only a refusal that is about the address
itself makes it a dead address. A relay that refuses everything, or a policy, is the operator's problem.
Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 (TLS from the start), RFC 3463 (enhanced status codes), RFC 3834
(Auto-Submitted).
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from threading import BoundedSemaphore, Timer
from typing import Any

from fhir_server.ports.mail import AddressRefused, Letter, MailUnavailable
from fhir_server.settings.mail import MailServer

STEP_SECONDS, WHOLE_SECONDS = 10.0, 30.0
PLACES = 2
"""Letters that one process hands over at once: a mail server that hangs holds no more threads than these."""
_OF_ADDRESS = re.compile(rb"5\.(1\.\d{1,3}|2\.1)\b")
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
_DEAD = frozenset({550, 551, 553})
_PERMANENT = 500


class SmtpMailer:
    """A mail server reached over SMTP. step_seconds: for one answer of it. whole_seconds: for one letter."""

    def __init__(
        self,
        server: MailServer,
        domain: str,
        *,
        step_seconds: float = STEP_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        """Remember how to reach the server. domain: the host in Message-IDs and in the greeting."""
        self._server, self._domain = server, domain
        self._step, self._whole = step_seconds, whole_seconds
        self._places = BoundedSemaphore(PLACES)

    def send(self, letter: Letter) -> None:
        """Hand a letter over; a caller without a place gets an error at once, and nobody waits in a queue."""
        if not self._places.acquire(blocking=False):
            raise MailUnavailable("busy")
        try:
            self._send(letter)
        finally:
            self._places.release()

    def _send(self, letter: Letter) -> None:
        try:
            message = self._message(letter).as_bytes()
            with self._connected() as smtp:
                smtp.sendmail(self._server.sender, [letter.recipient], message)
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            raise _refusal(code, text) from None
        except smtplib.SMTPResponseException as refused:
            raise MailUnavailable(f"{type(refused).__name__} {refused.smtp_code}") from None
        except (OSError, ValueError) as problem:  # SMTPException and SSLError are OSErrors
            raise MailUnavailable(type(problem).__name__) from None

    @contextmanager
    def _connected(self) -> Iterator["_Plain | _Encrypted"]:
        """Open a connection for one letter, and abort it when the whole takes too long."""
        smtp = self._opened()
        try:
            if self._server.security == "starttls":
                smtp.starttls(context=self._tls())  # raises when the server does not offer it
            if self._server.user:
                smtp.login(self._server.user, self._server.password)
            yield smtp
        finally:
            with suppress(OSError):  # the letter is accepted or not, whatever becomes of the farewell
                smtp.quit()
            smtp.close()
            smtp.limit.cancel()

    def _opened(self) -> "_Plain | _Encrypted":
        where = (self._server.host, self._server.actual_port, self._domain)
        if self._server.security == "tls":
            return _Encrypted(self._whole, *where, timeout=self._step, context=self._tls())
        return _Plain(self._whole, *where, timeout=self._step)

    def _tls(self) -> ssl.SSLContext:
        file = self._server.ca_file
        return ssl.create_default_context(cafile=str(file) if file else None)

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(self._server.name, addr_spec=self._server.sender)
        message["To"] = Address(addr_spec=letter.recipient)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(letter.at)
        message["Message-ID"] = f"<{letter.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text, cte="quoted-printable")
        message["Content-Language"] = letter.language
        return message


def _refusal(code: int, text: bytes) -> AddressRefused | MailUnavailable:
    """Return what a refused recipient means; a server without enhanced codes says it by the plain code alone."""
    is_of_address = bool(_OF_ADDRESS.match(text)) if _ENHANCED.match(text) else code in _DEAD
    if code >= _PERMANENT and is_of_address:
        return AddressRefused(f"recipient {code}")
    return MailUnavailable(f"recipient {code}")


class _Limited:
    """A connection that is aborted after a time: each read has a time limit, but a server may send byte by byte."""

    sock: socket.socket | None = None

    def __init__(self, whole_seconds: float, *where: Any, **more: Any) -> None:  # noqa: ANN401 - as smtplib takes them
        self.limit = Timer(whole_seconds, self.abort)
        self.limit.daemon = True
        self.limit.start()
        try:
            super().__init__(*where, **more)
        except BaseException:
            self.limit.cancel()
            raise

    def abort(self) -> None:
        """Cut the connection, so that whoever waits for it gets an error."""
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _Plain(_Limited, smtplib.SMTP):
    """A connection that begins without encryption."""


class _Encrypted(_Limited, smtplib.SMTP_SSL):
    """A connection that is encrypted from the start."""
