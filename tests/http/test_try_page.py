"""The page that tries the API: as good as a request of one's own, and no more."""

import json
import re

import pytest
from flask import request

from fhir_server.http.pages.public import trying
from tests.world import BASE

PATH = "/api/try"
GIVEN = {"method": "GET", "type": "application/fhir+json", "body": ""}


@pytest.fixture
def attempt(world):
    def _attempt(token, path, headers=None, **fields):
        sent = GIVEN | {"token": token, "path": path} | fields
        return world.web.post(PATH, data=sent, headers=headers or {})

    return _attempt


def status(answer):
    found = re.search(r'role="status"><strong>(\d+)', answer.get_data(as_text=True))
    return int(found[1]) if found else None


def body(answer):
    text = re.search(r"<pre[^>]*>(.*?)</pre>", answer.get_data(as_text=True), re.DOTALL)[1]
    for escaped, plain in (("&#34;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, plain)
    return json.loads(text)


def test_a_token_reads_what_it_reads_by_itself(world, attempt):
    answer = attempt(world.tokens["camille"], f"Patient/{world.ids['camille']}")
    alone = world.web.get(
        f"/fhir/Patient/{world.ids['camille']}", headers={"Authorization": f"Bearer {world.tokens['camille']}"}
    )
    assert (answer.status_code, status(answer)) == (200, 200)
    assert body(answer) == alone.get_json()


WHO = ("", "camille", "zoe", "martin", "chu-ehr")
ASKED = (
    "Patient/{camille}",
    "DocumentReference?patient={camille}",
    "DocumentReference/{unknown}",
    "Consent?patient={camille}",
)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("asked", ASKED)
def test_the_page_says_what_the_endpoint_says_to_the_same_caller(world, attempt, who, asked):
    path = asked.format(**world.ids, unknown="00000000-0000-4000-8000-000000000000")
    token = world.tokens[who] if who else ""
    alone = world.web.get(f"/fhir/{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    shown = attempt(token, path)
    assert (status(shown), body(shown)) == (alone.status_code, alone.get_json())


def test_a_page_that_would_pass_the_browsers_own_headers_on_is_found(world, attempt, monkeypatch):
    monkeypatch.setattr(trying, "own_of_request", lambda: dict(request.environ))  # the planted leak
    with pytest.raises(AssertionError):
        test_cookies_of_the_browser_give_no_access(world, attempt)


def test_without_a_token_nothing_is_read(world, attempt):
    answer = attempt("", f"Patient/{world.ids['camille']}")
    assert status(answer) == 401
    assert body(answer)["resourceType"] == "OperationOutcome"


def test_a_hidden_and_an_unknown_patient_answer_alike(world, attempt):
    unknown = "00000000-0000-4000-8000-000000000000"
    answers = [
        attempt(world.tokens["zoe"], f"DocumentReference?patient={id_}") for id_ in (world.ids["camille"], unknown)
    ]
    texts = [answer.get_data(as_text=True) for answer in answers]
    assert texts[0].replace(world.ids["camille"], unknown) == texts[1]


def test_each_request_is_recorded_once_as_if_sent_alone(world, attempt):
    def count():
        found = world.web.get(
            "/fhir/AuditEvent?_count=0", headers={"Authorization": f"Bearer {world.tokens['camille']}"}
        )
        return found.get_json()["total"]

    before = count()
    attempt(world.tokens["camille"], "DocumentReference?_count=1")
    middle = count()
    world.web.get("/fhir/DocumentReference?_count=1", headers={"Authorization": f"Bearer {world.tokens['camille']}"})
    assert middle - before == count() - middle >= 1


def test_the_token_is_in_no_answer_and_in_no_line_of_the_log(world, attempt, capfd):
    token = world.tokens["camille"]
    answer = attempt(token, "Patient")
    assert status(answer) == 200
    assert token not in answer.get_data(as_text=True) + str(answer.headers)
    assert answer.headers["Cache-Control"] == "no-store"
    told = capfd.readouterr()
    assert token not in told.out + told.err


@pytest.mark.parametrize("sent", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "https://elsewhere.example"}, {"Origin": "null"},
])  # fmt: skip
def test_another_site_cannot_send_the_form(world, attempt, sent):
    answer = attempt(world.tokens["camille"], "Patient", sent)
    assert (answer.status_code, status(answer)) == (403, None)


def test_a_page_of_this_server_can(world, attempt):
    for sent in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": BASE.removesuffix("/fhir")}):
        assert status(attempt(world.tokens["camille"], "Patient", sent)) == 200


@pytest.mark.parametrize("path", [
    "http://169.254.169.254/latest", "//elsewhere.example/x", "../oauth/token", "%2e%2e/status", "../account/apps",
    "..%2F..%2Fapi/try", "\\\\elsewhere",
])  # fmt: skip
def test_no_path_leads_anywhere_but_to_the_fhir_endpoint(world, attempt, path):
    answer = attempt(world.tokens["camille"], path)
    assert status(answer) in (400, 404)
    assert body(answer)["resourceType"] == "OperationOutcome"


def test_cookies_of_the_browser_give_no_access(world, attempt):
    world.web.set_cookie("session", "x")
    assert status(attempt("", "Patient", {"Authorization": f"Bearer {world.tokens['camille']}"})) == 401


def test_what_was_typed_and_what_is_answered_is_escaped(world, attempt):
    markup = "<script>alert(1)</script>"
    answer = attempt(world.tokens["camille"], f"Patient?name={markup}", body=markup)
    assert markup not in answer.get_data(as_text=True)
    assert "script-src" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("fields", [{"method": "TRACE"}, {"method": ""}, {"type": "text/html"}])
def test_other_methods_and_types_are_refused(world, attempt, fields):
    assert attempt(world.tokens["camille"], "Patient", **fields).status_code == 400


def test_a_write_is_a_write(world, attempt):
    resource = {"resourceType": "Patient"}
    answer = attempt(world.tokens["camille"], "Patient/$validate", method="POST", body=json.dumps(resource))
    assert status(answer) == 200
    assert body(answer)["resourceType"] == "OperationOutcome"


def test_line_breaks_in_a_token_add_no_header(world, attempt):
    assert status(attempt(f"{world.tokens['camille']}\r\nX-Request-Id: forged", "Patient")) == 401
