"""One request for a page, as the modules of this folder state it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_server.http.pages.frame.roles import Role


@dataclass(frozen=True)
class Asked:
    """One request for a page. sent: the fields of a form, None for a page that is got."""

    role: Role
    address: str
    sent: Mapping[str, str] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.sent is None else "POST"
