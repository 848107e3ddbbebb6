"""Fear: a small request that makes the server hold gigabytes, through a door that came later (AC40).

Each bomb is sent to a server in a process of its own. It is answered, others are answered after it, and the process has
held no more ALLOWED_MB beyond what it held before.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from fhir_server.settings.limits import MIB, Limits
from seed import book
from tests.live import HOST, Live, running

ALLOWED_MB = 150
PATIENCE = 180
JSON, PATCH = "application/fhir+json", "application/json-patch+json"
XML_PATCH, MERGE = "application/xml-patch+xml", "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"
BODY = Limits().body_bytes


@dataclass(frozen=True)
class Bomb:
    """One request. Paths name people and documents of the demonstration in braces."""

    who: str
    path: str
    body: bytes = b""
    mime: str = JSON
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


def deep_xml(depth: int) -> bytes:
    inner = b"<f:extension url='x'>" * depth + b"</f:extension>" * depth
    return b"<diff xmlns:f='http://hl7.org/fhir'><add sel='f:DocumentReference'>" + inner + b"</add></diff>"


def many_xml() -> bytes:
    """Return as many operations as a body holds, each of which selects everything."""
    operation = b"<add sel='//*'><f:extension url='x'/></add>"
    return b"<diff xmlns:f='http://hl7.org/fhir'>" + operation * (BODY // len(operation) - 10) + b"</diff>"


def deep_json(depth: int, around: bytes = b'{"resourceType":"DocumentReference","extension":%s}') -> bytes:
    return around % (b'[{"extension":' * depth + b"[]" + b"}]" * depth)


def nested_bundles(depth: int) -> bytes:
    opening = b'{"resourceType":"Bundle","type":"document","entry":[{"resource":'
    return opening * depth + b'{"resourceType":"Composition"}' + b"}]}" * depth


def bundle(entries: list[dict]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def circles(number: int) -> dict:
    """Return a FHIR document in which every resource refers to every tenth other one."""
    urls = [f"urn:uuid:00000000-0000-4000-8000-{n:012d}" for n in range(number)]
    items = [{"item": {"reference": url}} for url in urls[::10]]
    listed = {"resourceType": "List", "status": "current", "mode": "working", "entry": items}
    head = {"resourceType": "Composition", "status": "final", "section": [{"entry": [one["item"] for one in items]}]}
    entries = [{"fullUrl": url, "resource": listed} for url in urls[1:]]
    return {"resourceType": "Bundle", "type": "document", "entry": [{"fullUrl": urls[0], "resource": head}, *entries]}


def filed(document: dict) -> bytes:
    """Return a transaction that files a document."""
    entry = {"resource": document, "request": {"method": "POST", "url": "Bundle"}}
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode()


def published(document: dict) -> bytes:
    """Return a simplified publication whose content is a document."""
    attachment = {"contentType": JSON, "data": b64encode(json.dumps(document).encode()).decode()}
    subject = {"reference": "Patient/{camille}"}
    resource = {"resourceType": "DocumentReference", "status": "current", "subject": subject}
    return json.dumps(resource | {"content": [{"attachment": attachment}]}).encode()


def parameters(*given: tuple[str, str]) -> bytes:
    parts = [{"name": name, "valueString": value} for name, value in given]
    return json.dumps({"resourceType": "Parameters", "parameter": parts}).encode()


def form(*pairs: tuple[str, str]) -> bytes:
    return urlencode(pairs).encode()


DOCUMENT = "/DocumentReference/{document}"
EVERYTHING = {"request": {"method": "GET", "url": "Patient/{camille}/$everything?_count=200"}}
JOINED = {"request": {"method": "GET", "url": "DocumentReference?patient={camille}&_include=*&_revinclude=*"}}
NUMBERS = ",".join(f"urn:oid:1.2.250.1.213.1.4.10|{n}" for n in range(100_000))
BOMBS = {
    "an XML patch that nests deeply": Bomb("camille", DOCUMENT, deep_xml(100_000), XML_PATCH, "PATCH"),
    "an XML patch of many operations": Bomb("camille", DOCUMENT, many_xml(), XML_PATCH, "PATCH"),
    "a merge patch that nests deeply": Bomb("camille", DOCUMENT, deep_json(50_000), MERGE, "PATCH"),
    "a body of a gigabyte in gzip": Bomb(
        "camille", "/Consent", gzip.compress(b" " * (256 * MIB)) * 4, headers={"Content-Encoding": "gzip"}
    ),
    "an XML patch of a gigabyte in gzip": Bomb(
        "camille", DOCUMENT, gzip.compress(b" " * (256 * MIB)) * 4, XML_PATCH, "PATCH",
        {"Content-Encoding": "gzip"},
    ),
    "a hundred thousand includes": Bomb(
        "camille", "/DocumentReference/_search",
        form(("patient", "{camille}"), *[("_include", "DocumentReference:author")] * 100_000), FORM,
    ),
    "a hundred thousand values of a chain": Bomb(
        "camille", "/DocumentReference/_search", form(("patient.identifier", NUMBERS)), FORM
    ),
    "a hundred thousand values of a reverse chain": Bomb(
        "paul", "/Practitioner/_search", form(("_has:PractitionerRole:practitioner:role", "a," * 100_000)), FORM
    ),
    "an export with a long _typeFilter": Bomb(
        "camille", "/Patient/$export",
        parameters(("_type", "DocumentReference"), *[("_typeFilter", "DocumentReference?status=current")] * 30_000),
        headers={"Prefer": "respond-async"},
    ),
    "a batch of a thousand $everything": Bomb("camille", "", bundle([EVERYTHING] * 1000)),
    "a batch of a thousand joins": Bomb("camille", "", bundle([JOINED] * 1000)),
    "a transaction of a thousand $everything": Bomb(
        "camille", "", bundle([EVERYTHING] * 1000).replace(b'"batch"', b'"transaction"')
    ),
    "a $validate that nests deeply": Bomb("paul", "/DocumentReference/$validate", deep_json(50_000)),
    "a $validate of as many elements as fit": Bomb(
        "paul", "/DocumentReference/$validate",
        b'{"resourceType":"DocumentReference","extension":[' + b'{"url":"x"},' * (BODY // 14) + b"{}]}",
    ),
    "a $validate of Bundles in Bundles": Bomb("paul", "/DocumentReference/$validate", nested_bundles(20_000)),
    "Bundles in Bundles that are filed": Bomb("chu-a-ehr", "", nested_bundles(20_000)),
    "a FHIR document of circles that is filed": Bomb("chu-a-ehr", "", filed(circles(500))),
    "a FHIR document of circles that is published": Bomb("chu-a-ehr", "/DocumentReference", published(circles(500))),
    "traits as long as a body": Bomb(
        "paul", "/Patient/$match",
        json.dumps({"resourceType": "Patient", "name": [{"family": "x" * 1000}] * 10_000}).encode(),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(tmp_path_factory.mktemp("bombs") / "data")
    live.data_dir.mkdir(parents=True)
    with running(live, "--demo"):
        yield live


def forget_peaks(server: Live) -> float:
    """Let each process of the server count its peak anew; return what the largest holds now, in MB."""
    for pid in server.processes():
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")
    return held_mb(server, "VmRSS")


def held_mb(server: Live, measure: str) -> float:
    """Return what the largest process holds in MB: VmRSS now, VmHWM at most since its peak was forgotten."""
    texts = [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in server.processes()]
    return max(int(text.split(f"{measure}:")[1].split()[0]) for text in texts) / 1024


def ask(server: Live, bomb: Bomb) -> int:
    people = book.read(server.data_dir)
    names = {"camille": people.patients["camille"], "document": people.documents["camille-hospital-report"]}
    path, body = bomb.path, bomb.body
    for name, id_ in names.items():
        path = path.replace(f"{{{name}}}", id_)
        body = body.replace(f"{{{name}}}".encode(), id_.encode()).replace(f"%7B{name}%7D".encode(), id_.encode())
    sent = {"Authorization": f"Bearer {people.tokens[bomb.who]}", "Content-Type": bomb.mime} | bomb.headers
    with closing(HTTPConnection(HOST, server.port, timeout=PATIENCE)) as connection:
        connection.request(bomb.method, f"/fhir{path}", body or None, sent)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@pytest.mark.live
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_no_more_memory_than_promised(server, name):
    before = forget_peaks(server)
    status = ask(server, BOMBS[name])
    assert status < 500 or status == 503, status
    assert held_mb(server, "VmHWM") - before < ALLOWED_MB
    assert ask(server, Bomb("paul", "/Practitioner?_count=1", method="GET")) == 200
