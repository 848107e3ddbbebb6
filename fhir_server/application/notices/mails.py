"""The messages of the outbox that lead to mails: they name what is to be sent by ids alone.

A notice that was stored becomes one message for each recipient, so that each is repeated apart.
Source: docs/adr/0079.
"""

from datetime import datetime
from hashlib import sha256

import msgspec

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.outbox import Message

LANE = "mails"


class OneNotice(msgspec.Struct, tag="notice", frozen=True):
    """Tell an account of one notice. notice: its id. account: its subject."""

    notice: str
    account: str


class Several(msgspec.Struct, tag="several", frozen=True):
    """Tell an account once of all notices that wait for this instant."""

    account: str
    due: datetime


class Confirmation(msgspec.Struct, tag="confirmation", frozen=True):
    """Send an account the code for its address. asked: id of the request."""

    account: str
    asked: str


class Farewell(msgspec.Struct, tag="farewell", frozen=True):
    """Tell an address that it is no longer used. left: id of the change."""

    left: str


Mail = OneNotice | Several | Confirmation | Farewell
_DECODER: msgspec.json.Decoder[Mail] = msgspec.json.Decoder(Mail)


def message_of(
    runtime: Runtime, mail: Mail, due: datetime | None = None, compartment: PatientId | None = None
) -> Message:
    """Return the message about a mail; the same mail twice in the outbox is one message."""
    body = msgspec.json.encode(mail)
    return Message(LANE, sha256(body).hexdigest(), body, runtime.now(), due, compartment)


def mail_of(body: bytes) -> Mail:
    """Return what a message is about."""
    return _DECODER.decode(body)
