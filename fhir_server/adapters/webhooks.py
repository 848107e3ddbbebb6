"""Webhooks over the guarded client: public https addresses only, pinned to the address that was checked.

Sources: OWASP on server-side request forgery; docs/adr/0080.
"""

from collections.abc import Mapping

from fhir_server import outbound
from fhir_server.outbound import Reach, UnreachableError
from fhir_server.ports.surroundings import WebhookUnreachable


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
