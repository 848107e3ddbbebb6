"""The clock and the random numbers of the machine."""

import secrets
from datetime import UTC, datetime
from uuid import uuid4

_SECRET_BYTES = 32


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the current instant, UTC-aware."""
        return datetime.now(UTC)


class SystemIds:
    """Names and secrets from the operating system's generator."""

    def new(self) -> str:
        """Return a fresh random UUID version 4 in lower case."""
        return str(uuid4())

    def secret(self) -> str:
        """Return 256 random bits, base64url without padding (43 characters)."""
        return secrets.token_urlsafe(_SECRET_BYTES)
