"""Requests to the server under test, and what it answered.

Only the standard library makes the requests, so that what is sent is what a report shows. Redirects are not followed.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

JSON = "application/fhir+json"
XML = "application/fhir+xml"
FORM = "application/x-www-form-urlencoded"
SIZE_LIMIT = 32 * 1024 * 1024
"""Most bytes of one answer that are read."""
_TIMEOUT_SECONDS = 30.0
_KEPT = 1500
"""Bytes of a body that a report shows."""
_BUSY = frozenset({429, 503})
_MOST_TRIES = 5
_LONGEST_PAUSE_SECONDS = 60
_SECRET = frozenset({"authorization"})

Resource = dict[str, object]


class Unreachable(Exception):
    """The server under test gave no answer over HTTP; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. url: absolute. body: b"" for none."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def told(self) -> Resource:
        """Return what a report shows; no token is shown."""
        headers = {name: "…" if name.lower() in _SECRET else value for name, value in self.headers.items()}
        return {"method": self.method, "url": self.url, "headers": headers, "body": _shortened(self.body)}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. headers: by name in lower case. body: all of it, at most SIZE_LIMIT bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def resource(self) -> Resource:
        """The body as a JSON object; empty when it is none."""
        try:
            read = json.loads(self.body)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def type(self) -> str:
        """The resource type of the body, "" when it is no resource in JSON."""
        return str(self.resource.get("resourceType", ""))

    def told(self) -> Resource:
        """Return what a report shows."""
        return {"status": self.status, "headers": dict(self.headers), "body": _shortened(self.body)}


def _shortened(body: bytes) -> str:
    text = body[:_KEPT].decode("utf-8", "replace")
    return text if len(body) <= _KEPT else f"{text} [{len(body) - _KEPT} more bytes]"


def url_of(base: str, path: str, parameters: Mapping[str, str] | None = None) -> str:
    """Return the address of a path below a base; an absolute path is taken as it is."""
    whole = path if "://" in path else f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base.rstrip("/")
    return f"{whole}?{urlencode(parameters)}" if parameters else whole


def send(request: Request) -> Answer:
    """Send a request and read its answer; wait as long as the server asks for by Retry-After, and send it again.

    Raises: Unreachable.
    """
    answer = _sent(request)
    for _ in range(_MOST_TRIES):
        pause = answer.headers.get("retry-after", "")
        if answer.status not in _BUSY or not pause.isdecimal() or int(pause) > _LONGEST_PAUSE_SECONDS:
            break
        time.sleep(int(pause))
        answer = _sent(request)
    return answer


def _sent(request: Request) -> Answer:
    where = urlsplit(request.url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise Unreachable(f"{request.url} is no http or https address")
    connection = (
        HTTPConnection(where.hostname, where.port, timeout=_TIMEOUT_SECONDS)
        if where.scheme == "http"
        else HTTPSConnection(where.hostname, where.port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context())
    )
    path = f"{where.path or '/'}?{where.query}" if where.query else where.path or "/"
    try:
        connection.request(request.method, path, request.body or None, dict(request.headers))
        got = connection.getresponse()
        body = got.read(SIZE_LIMIT)
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, body)
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{request.method} {request.url}: {type(error).__name__}") from error
    finally:
        connection.close()
