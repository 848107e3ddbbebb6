"""Settings of the mail server that takes the notices; without a host the server sends no mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from fhir_server.settings.reading import Number, Reader

Security = Literal["starttls", "tls", "none"]
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_LONGEST = 254


def _address(text: str) -> str:
    name, at, host = text.partition("@")
    is_address = name and at and host and "@" not in host and text.isascii() and text.isprintable()
    if not is_address or " " in text or len(text) > _LONGEST:
        raise ValueError("must be one mail address, without a name")
    return text


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server.

    sender: the address in From, to which bounces come back. name: the name in From. security: how the connection is
        encrypted; the certificate is always verified. user, password: for a server that wants them.
    ca_file: certificates to trust instead of those of the system.
    """

    host: str
    sender: Annotated[str, AfterValidator(_address)]
    name: str = "Mon espace"
    port: Number | None = None
    security: Annotated[Security, BeforeValidator(str.lower)] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

    @property
    def actual_port(self) -> int:
        """The port: as set, or the usual one."""
        return self.port or _PORTS[self.security]


READER = Reader(MailServer, "MAIL_", sender="MAIL_FROM", name="MAIL_FROM_NAME")


def read_mail_server(environment: Mapping[str, str]) -> MailServer | None:
    """Return the mail server, None when no host is set.

    Raises: ValueError naming the variable that is wrong.
    """
    texts = READER.texts(environment)
    if not texts:
        return None
    if "host" not in texts:
        raise ValueError(f"{READER.variables['host']} is required when {READER.variables[min(texts)]} is set")
    found = READER.read(texts)
    if found.security == "none" and found.host not in _LOOPBACK:
        raise ValueError(f"{READER.variables['security']} may be none only for a mail server on this very machine")
    if found.user and found.security == "none":
        raise ValueError(f"{READER.variables['user']} needs a connection that is encrypted")
    return found
