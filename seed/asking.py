"""A FHIR client with the standard library only, as in an integrator's first script."""

import json
from dataclasses import dataclass, field
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from fhir_server.domain.values import Json

FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. request_id: the audit log names the request by it."""

    status: int
    headers: dict[str, str]
    body: bytes
    request_id: str

    @property
    def json(self) -> Json:
        """The body as JSON, empty when there is none."""
        found: Json = json.loads(self.body) if self.body else {}
        return found

    @property
    def resources(self) -> list[Json]:
        """The matches of a search."""
        return [entry["resource"] for entry in self.json.get("entry", ())]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. path: below the FHIR endpoint."""

    method: str
    path: str
    body: Json | list[Json] | None = None
    content_type: str = FHIR_JSON
    headers: dict[str, str] = field(default_factory=dict)


def send(base: str, token: str, ask: Ask) -> Answer:
    """Send one request and return an answer of any status; raise URLError only when the server cannot be reached."""
    request_id = str(uuid4())
    headers = {"Authorization": f"Bearer {token}", "Accept": FHIR_JSON, "X-Request-Id": request_id} | ask.headers
    data = None
    if ask.body is not None:
        data, headers["Content-Type"] = json.dumps(ask.body).encode(), ask.content_type
    address = ask.path if ask.path.startswith(base) else f"{base}/{ask.path}"
    request = Request(address, data, headers, method=ask.method)  # noqa: S310 - the address is the demonstration's
    try:
        with urlopen(request, timeout=_PATIENCE_SECONDS) as response:  # noqa: S310 - as above
            return _answer(response, request_id)
    except HTTPError as refused:
        with refused:
            return Answer(refused.code, dict(refused.headers), refused.read(), request_id)


def _answer(response: HTTPResponse, request_id: str) -> Answer:
    return Answer(response.status, dict(response.headers), response.read(), request_id)
