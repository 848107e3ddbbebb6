"""A request that fails is answered to a person by a page: what happened, what to do, no internal detail.

Programs at /fhir and /oauth keep their dialects.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.test import Client, TestResponse

from fhir_server.app import create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.http.admission import Admission
from fhir_server.http.arrivals import REFUSED
from fhir_server.http.pages.error_pages import TEXTS
from fhir_server.settings import limits
from fhir_server.settings.limits import Limits
from fhir_server.settings.server import Settings
from tests.pages.browsing import follow, measured, readable_on_every_screen
from tests.pages.conftest import Site

FRENCH, ENGLISH = {"Accept-Language": "fr"}, {"Accept-Language": "en"}
FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024
WORDS = {
    # status: what the headings say in French and in English
    400: ("Cette demande n’est pas comprise", "This request is not understood"),
    403: ("Cette page ne vous est pas ouverte", "This page is not open to you"),
    404: ("Cette page n’existe pas", "There is no such page"),
    405: ("Cette page ne s’utilise pas ainsi", "This page cannot be used in this way"),
    408: ("Votre demande n’est pas arrivée à temps", "Your request did not arrive in time"),
    413: ("Votre envoi est trop volumineux", "What you sent is too large"),
    414: ("Cette adresse est trop longue", "This address is too long"),
    415: ("Ce format n’est pas accepté", "This format is not accepted"),
    429: ("Trop de tentatives", "Too many attempts"),
    431: ("Votre navigateur joint trop de données", "Your browser sends too much along"),
    500: ("Une erreur s’est produite", "Something went wrong"),
    503: ("Le service ne peut pas répondre en ce moment", "The service cannot answer now"),
}
Ask = Callable[[FlaskClient, dict[str, str]], TestResponse]


class Stalled:
    """A body whose sender stops after the first bytes."""

    def __init__(self) -> None:
        self.closed = Event()

    def read(self, _size: int) -> bytes:
        self.closed.wait(30)
        return b""


def ask(method: str, path: str, **sent: Any) -> Ask:
    def of(web: FlaskClient, language: dict[str, str]) -> TestResponse:
        headers = language | sent.get("headers", {})
        return web.open(path, method=method, **(sent | {"headers": headers}))

    return of


def slow(path: str) -> Ask:
    def of(web: FlaskClient, language: dict[str, str]) -> TestResponse:
        stream = Stalled()
        front = Client(Admission(web.application.wsgi_app, Limits(body_seconds=1), 2))
        sent = {"wsgi.input": stream, "CONTENT_LENGTH": "1000"}
        answer = front.post(path, environ_overrides=sent, content_type=FORM, headers=language, buffered=False)
        stream.closed.set()
        return answer

    return of


def crowded(path: str) -> Ask:
    return ask("GET", path, environ_overrides={REFUSED: ServiceUnavailable(retry_after=1)})


FAILURES = [
    (400, ask("GET", "/journal?person=camille&page=nothing")),
    (400, ask("POST", "/login", data="&".join(["a=b"] * 1001), content_type=FORM)),
    (404, ask("GET", "/nothing")),
    (404, ask("GET", "/journals")),
    (404, ask("GET", "/assets/nothing.css")),
    (404, ask("GET", "/account/nothing")),
    (404, ask("GET", "/journal?person=x")),
    (404, ask("GET", "/api/nothing")),
    (404, ask("GET", "/matrix/1999-01-01")),
    (405, ask("DELETE", "/journal")),
    (405, ask("GET", "/logout")),
    (408, slow("/login")),
    (408, slow("/oauth/interaction/x")),
    (413, ask("POST", "/login", data=b"a" * (25 * MIB), content_type=FORM)),
    (413, ask("POST", "/login", data=b"a" * 600_000, content_type=FORM)),
    (413, ask("POST", "/nothing", data=b"a" * (25 * MIB), content_type=FORM)),
    (414, ask("GET", "/journal", query_string="a" * 40_000)),
    (414, ask("GET", "/oauth/authorize", query_string="a" * 40_000)),
    (415, ask("POST", "/login", data="a", headers={"Content-Encoding": "br"})),
    (415, ask("POST", "/oauth/authorize", data="a", headers={"Content-Encoding": "br"})),
    (431, ask("GET", "/", headers={"X-Much": "a" * 70_000})),
    (431, ask("GET", "/oauth/authorize", headers={"X-Much": "a" * 70_000})),
    (503, crowded("/journal")),
    (503, crowded("/oauth/interaction/x")),
]


def heading(answer: TestResponse) -> str:
    return re.search("<h1>(.*)</h1>", answer.text)[1]


def is_closed(answer: TestResponse) -> bool:
    """Tell whether a page bears the headers that all pages bear."""
    sent = answer.headers
    return (
        answer.mimetype == "text/html"
        and sent["Content-Security-Policy"].startswith("default-src 'none'")
        and "frame-ancestors 'none'" in sent["Content-Security-Policy"]
        and (sent["X-Frame-Options"], sent["X-Content-Type-Options"]) == ("DENY", "nosniff")
        and (sent["Cache-Control"], sent["Referrer-Policy"]) == ("no-store", "no-referrer")
    )


@pytest.mark.parametrize(("status", "failure"), FAILURES)
def test_a_person_is_told_on_a_page_in_both_languages(demo, status, failure):
    for language, headers, words in zip(("fr", "en"), (FRENCH, ENGLISH), WORDS[status], strict=True):
        answer = failure(demo.web, headers)
        assert answer.status_code == status
        assert heading(answer) == words
        assert f'<html lang="{language}">' in answer.text
        assert "habilis.css" in answer.text
        assert is_closed(answer)


@dataclass
class Broken:
    """A server of the demonstration, for a test to break."""

    web: FlaskClient
    settings: Settings
    runtime: Runtime


@pytest.fixture
def broken(settings: Settings, runtime: Runtime) -> Broken:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Broken(create_app(replace(settings, demo=True), runtime).test_client(), settings, runtime)


def test_a_defect_is_told_without_its_text_and_with_the_number_of_the_request(broken):
    (broken.settings.data_dir / "demo.json").write_text("{damaged")
    for headers, words in zip((FRENCH, ENGLISH), WORDS[500], strict=True):
        answer = broken.web.get("/", headers=headers | {"X-Request-Id": "walk-7"})
        assert answer.status_code == 500
        assert heading(answer) == words
        assert "walk-7" in answer.text
        assert not re.search("damaged|JSON|Traceback|exception|demo.json", answer.text)
        assert is_closed(answer)


def test_a_defect_of_a_page_of_the_sign_in_is_told_on_a_page_too(broken, monkeypatch):
    monkeypatch.setattr("secrets.token_urlsafe", None)
    answer = broken.web.get("/login", headers=ENGLISH)
    assert answer.status_code == 500
    assert heading(answer) == WORDS[500][1]
    assert is_closed(answer)


@pytest.mark.parametrize("path", ["/oauth/interaction/x", "/account/apps"])
def test_a_store_that_does_not_answer_is_told_on_a_page(broken, path):
    broken.runtime.ports.store.close()
    broken.web.set_cookie("habilis-browser", "b")
    broken.web.set_cookie("habilis-session", "s")
    answer = broken.web.get(path, headers=FRENCH)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert heading(answer) == WORDS[503][0]
    assert is_closed(answer)


def guess(web: FlaskClient) -> TestResponse:
    """Try to sign in with a wrong password."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', web.get("/login").text)[1]
    return web.post("/login", data={"csrf": csrf, "login": "nobody", "password": "wrong"}, headers=ENGLISH)


def test_a_page_for_which_no_time_is_left_says_so(settings, runtime):
    before = limits.in_force()
    try:
        hurried = create_app(replace(settings, limits=Limits(request_seconds=0)), runtime).test_client()
        answer = guess(hurried)
    finally:
        limits.put_in_force(before)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert heading(answer) == WORDS[503][1]


def test_too_many_attempts_are_told_with_the_time_to_wait(web):
    *_, last = (guess(web) for _ in range(30))
    assert (last.status_code, last.headers["Retry-After"]) == (429, "900")
    assert heading(last) == WORDS[429][1]
    assert "a quarter of an hour" in last.text
    assert is_closed(last)


@pytest.mark.parametrize("path", ["/", "/login", "/journal", "/api"])
def test_the_head_of_a_page_is_answered_as_the_page(web, path):
    assert web.head(path).status_code == web.get(path).status_code == 200


def test_a_method_that_is_not_taken_names_those_that_are(web):
    assert "GET" in web.delete("/journal").headers["Allow"]
    assert web.post("/login", data="a", headers={"Content-Encoding": "br"}).headers["Accept-Encoding"] == "gzip"


def test_a_page_of_a_sign_in_sends_back_to_the_app_and_others_do_not(web):
    words = "If an app has sent you here, go back to it and begin again."
    much = ENGLISH | {"X-Much": "a" * 70_000}
    assert words in web.get("/oauth/authorize", headers=much).text
    assert words not in web.get("/journal", headers=much).text


def test_a_page_repeats_nothing_that_was_sent(web):
    answer = web.get("/<script>alert(1)</script>?x=<script>")
    assert "<script" not in answer.text
    long = web.get("/journal", query_string="secret=" + "a" * 40_000)
    assert "secret" not in long.text


def test_every_status_that_has_a_text_is_in_the_table_of_these_tests():
    assert set(TEXTS) - {401} == set(WORDS)


@pytest.mark.parametrize(
    ("path", "headers", "status", "kind"),
    [
        ("/fhir/Nothing", {}, 404, "application/fhir+json"),
        ("/fhir/metadata", {"X-Much": "a" * 70_000}, 431, "application/fhir+json"),
        ("/oauth/nothing", {}, 404, "application/json"),
        ("/oauth/jwks", {"X-Much": "a" * 70_000}, 431, "application/json"),
    ],
)
def test_programs_are_answered_in_their_dialect_whatever_they_accept(web, path, headers, status, kind):
    answer = web.get(path, headers=headers | {"Accept": "text/html"})
    assert answer.status_code == status
    assert answer.mimetype == kind


# --- in a browser --------------------------------------------------------------------------------------------------

SEEN = {
    404: "/nothing",
    405: "/logout",
    414: "/journal?" + "a" * 33_000,
}


@pytest.mark.browser
@pytest.mark.parametrize(("status", "path"), SEEN.items())
def test_a_person_reads_the_page_in_a_browser(page: Page, site: Site, status: int, path: str) -> None:
    answer = page.goto(path)
    assert answer.status == status
    expect(page.locator("h1")).to_have_text(WORDS[status][0])
    readable_on_every_screen(page)
    follow(page.get_by_role("link", name="English"))
    words = {words[1] for words in WORDS.values()} | {"Journal of accesses"}
    expect(page.locator("h1")).to_have_text(re.compile("|".join(f"^{re.escape(one)}$" for one in words)))
    follow(page.get_by_role("link", name="Habilis"))
    expect(page).to_have_url(f"{site.base}/")


@pytest.mark.browser
def test_the_page_of_a_browser_with_too_many_cookies_is_dressed_as_well(chromium: Browser, site: Site) -> None:
    much = {f"X-Much-{number}": "a" * 30_000 for number in range(3)}
    context = chromium.new_context(locale="en-GB", base_url=site.base, extra_http_headers=much)
    page = context.new_page()
    assert page.goto("/login").status == 431
    expect(page.locator("h1")).to_have_text(WORDS[431][1])
    assert measured(page, "document.styleSheets[0].cssRules.length") > 0
    assert measured(page, "document.querySelector('img').naturalWidth") > 0
    context.close()
