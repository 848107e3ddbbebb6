"""Settings of the audit repository outside that takes a copy of the audit log; without an address there is no feed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, Field

from fhir_server.settings.reading import Reader, is_url


def _address(text: str) -> str:
    if not is_url(text, "https"):
        raise ValueError("must be an absolute https address")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class AuditFeed:
    """The repository. url: its FHIR base, without a final slash. token: sent as a bearer token, "" for none."""

    url: Annotated[str, AfterValidator(_address)]
    token: Annotated[str, Field(max_length=4096)] = field(default="", repr=False)


READER = Reader(AuditFeed, "AUDIT_FEED_")


def read_audit_feed(environment: Mapping[str, str]) -> AuditFeed | None:
    """Return the repository, None when no address is set. Raises: ValueError naming the variable that is wrong."""
    texts = READER.texts(environment)
    if not texts:
        return None
    if "url" not in texts:
        raise ValueError(f"{READER.variables['url']} is required when {READER.variables[min(texts)]} is set")
    return READER.read(texts)
