"""Load on a live server, its sudden death, and what must be true when it has come back.

What the clients noted counts: an answer that arrived whole is a promise, anything else is not.
"""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urlsplit

from tests.live import HOST, Live
from tests.submissions import publication, random_text

CONTENT_BYTES = 3_000


@dataclass(frozen=True)
class World:
    """Who asks for what. documents: ids that the reader may read, from before the first death."""

    patient: str
    organization: str
    publisher: str
    reader: str
    holder: str
    documents: list[str]


@dataclass
class Notes:
    """What the clients of one life of the server saw.

    acknowledged: document id by number of the submission. sent: every number that was sent. released: request ids of
    reads whose answer arrived whole, with the document. strange: answers that should not be.
    """

    acknowledged: dict[int, str] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    released: dict[str, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)


class Client:
    """One person or software on one connection."""

    def __init__(self, server: Live, token: str) -> None:
        """Keep the token; the connection opens with the first request."""
        self._connection = HTTPConnection(HOST, server.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}"}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Return the status and the whole body of an answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body or None, self._headers | named)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def json(self, path: str) -> dict:
        """Return a resource that must be there."""
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body[:500])
        return json.loads(body)

    def pages(self, path: str) -> Iterator[dict]:
        """Yield the resources of a search, page by page."""
        while path:
            bundle = self.json(path)
            yield from (entry["resource"] for entry in bundle.get("entry", ()))
            following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
            split = urlsplit(following)
            path = f"{split.path}?{split.query}" if following else ""


def content_of(number: int) -> bytes:
    """Return the content that the submission of this number carried."""
    return random_text(CONTENT_BYTES, number)


class Load:
    """Publishers and readers, all at once, until the server is gone."""

    def __init__(self, server: Live, world: World, numbers: Iterator[int]) -> None:
        """Prepare; nothing is asked yet."""
        self._server, self._world, self._numbers = server, world, numbers
        self.notes = Notes()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._acknowledged = threading.Event()
        self._threads = [
            threading.Thread(target=self._until_dead, args=(self._publish, world.publisher)) for _ in "123"
        ]
        self._threads += [threading.Thread(target=self._until_dead, args=(self._read, world.reader)) for _ in "123"]

    def start(self) -> None:
        """Begin to ask; return when the first submission has been acknowledged, however slow the machine is.

        Raises: AssertionError when none was within a minute.
        """
        for thread in self._threads:
            thread.start()
        assert self._acknowledged.wait(60), self.notes

    def join(self) -> Notes:
        """Return what was noted, once every client has noticed that the server is gone."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        return self.notes

    def _until_dead(self, ask: Callable[[Client, int], None], token: str) -> None:
        with closing(Client(self._server, token)) as client:
            while not self._ending.is_set():
                with self._lock:
                    number = next(self._numbers)
                try:
                    ask(client, number)
                except (OSError, HTTPException):
                    return

    def _publish(self, client: Client, number: int) -> None:
        self.notes.sent.append(number)
        body = publication(str(number), content_of(number), self._world.patient, self._world.organization)
        status, answer = client.ask("POST", "/fhir", body, Content_Type="application/fhir+json")
        if status != 200:
            self.notes.strange.append(f"publish {status} {answer[:800]!r}")
            return
        places = [entry["response"]["location"] for entry in json.loads(answer)["entry"]]
        document = next(place for place in places if "DocumentReference/" in place)
        self.notes.acknowledged[number] = document.partition("DocumentReference/")[2].partition("/")[0]
        self._acknowledged.set()

    def _read(self, client: Client, number: int) -> None:
        document = self._world.documents[number % len(self._world.documents)]
        status, answer = client.ask("GET", f"/fhir/DocumentReference/{document}", X_Request_Id=f"read-{number}")
        if status != 200 or json.loads(answer)["id"] != document:
            self.notes.strange.append(f"read {status} {answer[:800]!r}")
            return
        self.notes.released[f"read-{number}"] = document


def check(server: Live, world: World, notes: Notes, since: str) -> None:
    """Assert what must be true after the server has come back. since: instant before the load, for the trail."""
    assert notes.strange == []
    with closing(Client(server, world.holder)) as holder:
        for number, document in notes.acknowledged.items():
            check_whole(holder, document, number)
        for number in set(notes.sent) - set(notes.acknowledged):
            check_untorn(holder, world, number)
        check_trail(holder, world, notes, since)


def check_whole(holder: Client, document: str, number: int) -> None:
    """Assert that a submission is there with all its parts, as it was sent."""
    reference = holder.json(f"/fhir/DocumentReference/{document}")
    assert reference["masterIdentifier"]["value"].endswith(f".{number}")
    address = reference["content"][0]["attachment"]["url"]
    status, binary = holder.ask("GET", urlsplit(address).path, Accept="application/fhir+json")
    assert status == 200, (document, status)
    stored = b64decode(json.loads(binary)["data"])
    assert sha256(stored).digest() == sha256(content_of(number)).digest()
    gathered = holder.json(f"/fhir/List?patient={_id_of(reference['subject'])}&item=DocumentReference/{document}")
    assert len(gathered.get("entry", ())) == 1, f"the set of {document} is missing"


def check_untorn(holder: Client, world: World, number: int) -> None:
    """Assert that a submission without an answer is there whole or not at all."""
    identifier = f"urn:ietf:rfc:3986|urn:oid:1.2.250.1.213.1.4.99999.7.{number}"
    query = urlencode({"patient": world.patient, "identifier": identifier})
    found = holder.json(f"/fhir/DocumentReference?{query}").get("entry", ())
    assert len(found) <= 1
    for entry in found:
        check_whole(holder, entry["resource"]["id"], number)


def check_trail(holder: Client, world: World, notes: Notes, since: str) -> None:
    """Assert that each document that left, and each submission that was acknowledged, has its AuditEvent."""
    traced: dict[str, set[str]] = {}
    query = urlencode({"patient": world.patient, "date": f"ge{since}", "_count": 100})
    for event in holder.pages(f"/fhir/AuditEvent?{query}"):
        request, touched = _told(event)
        traced.setdefault(request, set()).update(touched)
    untold = {
        request: document for request, document in notes.released.items() if document not in traced.get(request, ())
    }
    assert not untold
    written = set().union(*traced.values()) if traced else set()
    assert not set(notes.acknowledged.values()) - written


def _told(event: dict) -> tuple[str, set[str]]:
    """Return the request that an event tells of, and the ids of the documents that it touched."""
    request, touched = "", set()
    for entity in event.get("entity", ()):
        what = entity.get("what", {})
        if entity.get("type", {}).get("code") == "XrequestId":
            request = what["identifier"]["value"]
        elif what.get("reference", "").startswith("DocumentReference/"):
            touched.add(what["reference"].split("/")[1])
    return request, touched


def _id_of(reference: dict) -> str:
    return reference["reference"].split("/")[1]
