"""Mail: how the application hands one message to a mail server.

Each promise in a docstring here is a test of tests/ports/test_mail.py, run against a real SMTP server.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class AddressRefused(Exception):
    """The mail server says that the recipient's address does not exist or takes no mail; a repeat would not help."""


class MailUnavailable(Exception):
    """The message was not handed over, or nobody knows whether it was; a repeat later may help.

    The text names the step and the status code, and nothing that the mail server said: it may repeat the address.
    """


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one person.

    id: the left part of its Message-ID, the same at each repeat, so that a mail program recognises a repeat.
    recipient: the address. language: of the text, "fr" or "en". at: the instant for the Date header.
    """

    id: str
    recipient: str = field(repr=False)
    subject: str
    text: str
    language: str
    at: datetime


class Mailer(Protocol):
    """The way to a mail server. Each call ends within a time limit, whatever the mail server does."""

    def send(self, letter: Letter) -> None:
        """Hand a letter over; return when the mail server has accepted it.

        Raises: AddressRefused, MailUnavailable.
        """
