"""Contents, clock, randomness and calls of apps, and all ports of one server.

Each promise in a docstring here is a test of tests/ports, run on every adapter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consent_rules.vocabulary import PatientId
from fhir_server.ports.mail import Mailer
from fhir_server.ports.outbox import Outbox
from fhir_server.ports.store import Store
from fhir_server.ports.vault import Vault


class Ids(Protocol):
    """Random ids, and random secrets."""

    def new(self) -> str:
        """Return a fresh random UUID version 4 in lower case."""

    def secret(self) -> str:
        """Return 256 random bits, base64url without padding (43 characters)."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the current instant, UTC-aware."""


class Blobs(Protocol):
    """Document contents, encrypted with the key of their compartment."""

    def put(self, compartment: PatientId, content: bytes) -> str:
        """Store a content durably and return its reference. The same content twice gives the same reference."""

    def get(self, compartment: PatientId, reference: str) -> bytes:
        """Return a content. Raises StoreUnavailable when it is missing or damaged."""

    def check(self) -> None:
        """Raise StoreUnavailable when a content could not be kept now."""

    def erase(self, compartment: PatientId) -> None:
        """Remove all contents of a compartment; a read that is still under way fails."""


class WebhookUnreachable(Exception):
    """The address is forbidden, does not answer, or its answer cannot be read; the text says nothing of it."""


class Poster(Protocol):
    """The way to addresses that an operator has registered for apps. Each call ends within a time limit."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request and return the status of the answer; follow no redirect. Raises: WebhookUnreachable."""


class RepositoryUnreachable(Exception):
    """The audit repository does not answer, or refuses for now; the text says nothing of what was sent."""


class AuditRepository(Protocol):
    """The audit repository of the operator. Each call ends within a time limit."""

    name: str
    """Names the repository whose place in the feed is stored; the feed to a repository with a new name begins now."""

    def feed(self, path: str, content: bytes) -> tuple[int, bytes]:
        """Send a resource to a path below the base, "" for the base; return the status and the body of the answer.

        Raises: RepositoryUnreachable.
        """


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of one running server.

    mail, webhooks, repository: None when the server sends no mails, calls no apps, or feeds no audit repository.
    """

    store: Store
    vault: Vault
    outbox: Outbox
    blobs: Blobs
    clock: Clock
    ids: Ids
    mail: Mailer | None = None
    webhooks: Poster | None = None
    repository: AuditRepository | None = None
