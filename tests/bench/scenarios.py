"""What is measured: who asks for what, as whole HTTP requests for the load generator."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from random import Random

from tests.bench.load import NUMBER
from tests.faults.crash import Client
from tests.live import HOST, Live
from tests.submissions import publication, random_text

REPORT_TYPE = "http://loinc.org|34112-3"
PUBLISHED_BYTES = 20_000
RETRIEVED_BYTES = 200_000
PUBLICATIONS = 24
"""Different contents that are published; each patient gets each of them once before one comes again."""
FIRST_NUMBER = 100_000_000_000
_OF_PATIENT = "patient=@@PATIENT@@"
JOINS = {
    "two-step chain": f"/fhir/Provenance?{_OF_PATIENT}&target:List.item:DocumentReference.type={REPORT_TYPE}&_count=20",
    "_has": f"/fhir/DocumentReference?{_OF_PATIENT}&_has:List:item:code=submissionset&_count=20",
    "_include": f"/fhir/List?{_OF_PATIENT}&_include=List:item&_count=5",
    "page of 20 + Provenance": f"/fhir/DocumentReference?{_OF_PATIENT}&_count=20&_revinclude=Provenance:target",
}
"""Searches that join, each for the records of one patient."""


@dataclass(frozen=True)
class Book:
    """Whose tokens are used, on whose records. documents: ids that the reader sees, by patient."""

    reader: str
    publisher: str
    organization: str
    documents: dict[str, list[str]]


@dataclass(frozen=True)
class Scenario:
    """One thing to measure; Plan says what templates and rows are."""

    name: str
    templates: list[str]
    rows: list[dict[str, str]]


def scenarios(server: Live, book: Book) -> Iterator[Scenario]:
    """Yield what is measured, writing last."""
    chance = Random(11)
    patients = list(book.documents)
    pairs = [{"ID": id_} for ids in book.documents.values() for id_ in ids]
    chance.shuffle(pairs)
    chance.shuffle(patients)
    of_patients = [{"PATIENT": patient} for patient in patients]
    search = "/fhir/DocumentReference?patient=@@PATIENT@@"
    yield Scenario("read", [_get(server, book.reader, "/fhir/DocumentReference/@@ID@@")], pairs)
    yield Scenario("patient + type", [_get(server, book.reader, f"{search}&type={REPORT_TYPE}")], of_patients)
    yield Scenario("page of 20", [_get(server, book.reader, f"{search}&_count=20")], of_patients)
    yield Scenario("page of 20, no total", [_get(server, book.reader, f"{search}&_count=20&_total=none")], of_patients)
    for name, path in JOINS.items():
        yield Scenario(name, [_get(server, book.reader, path)], of_patients)
    binaries = [{"ID": id_} for id_ in _large_contents(server, book, patients[:20])]
    yield Scenario("retrieve 200 kB", [_get(server, book.reader, "/fhir/Binary/@@ID@@", "text/plain")], binaries)
    yield Scenario("ITI-65 publish", [_publish(server, book, n) for n in range(PUBLICATIONS)], of_patients)


def _get(server: Live, token: str, path: str, accept: str = "application/fhir+json") -> str:
    return f"GET {path} HTTP/1.1\r\n{_head(server, token)}Accept: {accept}\r\n\r\n"


def _head(server: Live, token: str) -> str:
    return f"Host: {HOST}:{server.port}\r\nAuthorization: Bearer {token}\r\n"


def _publish(server: Live, book: Book, number: int) -> str:
    """Build one submission; its patient and its number are filled in for each request."""
    content = random_text(PUBLISHED_BYTES, number)
    body = publication(NUMBER, content, "@@PATIENT@@", book.organization).decode()
    length = len(body.replace(NUMBER, "0" * 12).replace("@@PATIENT@@", "0" * 36))
    head = f"{_head(server, book.publisher)}Content-Type: application/fhir+json\r\nContent-Length: {length}\r\n"
    return f"POST /fhir HTTP/1.1\r\n{head}\r\n{body}"


def _large_contents(server: Live, book: Book, patients: list[str]) -> Iterator[str]:
    """Publish one large document for each of these patients; yield the ids of their contents.

    They have other identifiers in each run, for the data of an earlier one may be there (`--keep`).
    """
    first = int(time.time()) * 100
    with closing(Client(server, book.publisher)) as publisher:
        for place, patient in enumerate(patients):
            content = random_text(RETRIEVED_BYTES, FIRST_NUMBER + place)
            body = publication(str(first + place), content, patient, book.organization)
            status, answer = publisher.ask("POST", "/fhir", body, Content_Type="application/fhir+json")
            assert status == 200, answer[:1000]
            places = [entry["response"]["location"] for entry in json.loads(answer)["entry"]]
            yield next(place for place in places if "Binary/" in place).partition("Binary/")[2].partition("/")[0]
