"""Pages of the portal as requests for the load generator: each of some signed-in patients in their own space."""

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from random import Random
from urllib.parse import urlencode

from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.app import build_runtime
from fhir_server.application.identity.accounts import Account, RepresentedPatient, add_account, find_account
from fhir_server.settings.server import Settings
from tests.bench.scenarios import Book, Scenario
from tests.live import HOST, Live

PAGES: Mapping[str, str] = {
    "portal, start": "/account/start",
    "portal, documents": "/account/spaces/@@PATIENT@@/documents",
    "portal, document": "/account/spaces/@@PATIENT@@/documents/@@ID@@",
    "portal, who sees a document": "/account/spaces/@@PATIENT@@/documents/@@ID@@/audience",
    "portal, journal": "/journal",
    "portal, check-up": "/account/spaces/@@PATIENT@@/check-up",
}
"""What is asked for, by its name in the table. The start leads a patient to the documents, their first page."""
_PEOPLE = 32
_PASSWORD = "eleven quiet lanterns"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def scenarios(server: Live, book: Book) -> Iterator[Scenario]:
    """Sign patients in, and yield the pages."""
    patients = Random(7).sample(sorted(book.documents), min(_PEOPLE, len(book.documents)))
    _open_accounts(server, patients)
    rows = [
        {"PATIENT": patient, "COOKIE": cookie, "ID": id_}
        for patient, cookie in {patient: _signed_in(server, patient) for patient in patients}.items()
        for id_ in book.documents[patient][:4]
    ]
    Random(7).shuffle(rows)
    for name, path in PAGES.items():
        head = f"Host: {HOST}:{server.port}\r\nCookie: @@COOKIE@@\r\nAccept: text/html\r\n"
        yield Scenario(name, [f"GET {path} HTTP/1.1\r\n{head}\r\n"], rows)


def _open_accounts(server: Live, patients: list[str]) -> None:
    """Let patients of the loaded data sign in; the login of each is the id."""
    runtime = build_runtime(Settings.from_environment(server.environment))
    with closing(runtime.ports.store):
        for patient in patients:
            own = RepresentedPatient(PatientId(patient), f"Patient/{patient}", "Patient")
            if find_account(runtime, patient) is None:
                account = Account(patient, RequesterKind.PATIENT, own.person, "Patient", patients=(own,))
                add_account(runtime, account, _PASSWORD)


def _signed_in(server: Live, patient: str) -> str:
    """Sign a patient in; return the cookies of the session."""
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=30)) as connection:
        connection.request("GET", "/login")
        answer = connection.getresponse()
        cookies = _cookies(answer)
        csrf = _CSRF.search(answer.read().decode())
        assert csrf, answer.status
        form = urlencode({"csrf": csrf[1], "login": patient, "password": _PASSWORD})
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": _header(cookies)}
        connection.request("POST", "/login", form, sent)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303, answer.status
        return _header(cookies | _cookies(answer))


def _cookies(answer: http.client.HTTPResponse) -> dict[str, str]:
    pairs = (one.partition(";")[0].partition("=") for one in answer.headers.get_all("Set-Cookie", ()))
    return {name: value for name, _, value in pairs}


def _header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
