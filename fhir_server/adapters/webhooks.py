"""Webhooks and the audit feed over the guarded client: https, pinned to the address that was checked.

An app's address must be public; the operator's audit repository may also be in the operator's own network.

Sources: OWASP on server-side request forgery; docs/adr/0080.
"""

from collections.abc import Mapping

from fhir_server import outbound
from fhir_server.outbound import Reach, UnreachableError
from fhir_server.ports.surroundings import RepositoryUnreachable, WebhookUnreachable


class GuardedPoster:
    """Calls addresses of software. reach: where they may be; anything but PUBLIC is for tests."""

    def __init__(self, reach: Reach = Reach.PUBLIC) -> None:
        """Remember where addresses may be."""
        self._reach = reach

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request and return the status of the answer."""
        try:
            return outbound.send("POST", url, self._reach, headers, body).status_code
        except UnreachableError as problem:
            raise WebhookUnreachable(str(problem)) from None


class GuardedRepository:
    """Feeds one audit repository. reach: where it may be; LOOPBACK is for tests."""

    def __init__(self, url: str, token: str = "", reach: Reach = Reach.PRIVATE) -> None:
        """Keep the address and the bearer token, "" for none."""
        self.name = url
        self._headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._reach = reach

    def feed(self, path: str, content: bytes) -> tuple[int, bytes]:
        """Send a resource; return the status and the body of the answer."""
        address = f"{self.name}/{path}" if path else self.name
        try:
            reply = outbound.send("POST", address, self._reach, self._headers, content)
        except UnreachableError as problem:
            raise RepositoryUnreachable(str(problem)) from None
        return reply.status_code, reply.body
