"""Where people report a weakness of the service: what `/.well-known/security.txt` says.

Source: RFC 9116, clauses 2.5.3 (Contact) and 2.5.5 (Expires).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

from fhir_server.settings.reading import Reader, is_url


def _contact(text: str) -> str:
    is_address = text.startswith("mailto:") and "@" in text and not set(text) & set(" \r\n")
    if not (is_address or is_url(text, "https")):
        raise ValueError("must be an address such as mailto:security@example.org or https://example.org/security")
    return text


def _expires(text: str) -> str:
    """Check an instant with its time zone, such as 2027-06-30T00:00:00Z."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("must be an instant with its time zone, such as 2027-06-30T00:00:00Z")
    return text


@dataclass(frozen=True, slots=True)
class SecurityContact:
    """Whom to tell of a weakness, and until when this is known to be right. RFC 9116 advises less than a year."""

    contact: Annotated[str, AfterValidator(_contact)]
    expires: Annotated[str, AfterValidator(_expires)]

    @property
    def until(self) -> datetime:
        """The end of `expires`, in UTC."""
        return datetime.fromisoformat(self.expires).astimezone(UTC)


READER = Reader(SecurityContact, "SECURITY_")


def read_security(environment: Mapping[str, str]) -> SecurityContact | None:
    """Return the contact, None when none is set.

    Raises: ValueError naming the variable that is wrong or missing.
    """
    texts = READER.texts(environment)
    if "contact" not in texts and texts:
        raise ValueError("HABILIS_SECURITY_CONTACT is required when HABILIS_SECURITY_EXPIRES is set")
    return READER.read(texts) if texts else None
