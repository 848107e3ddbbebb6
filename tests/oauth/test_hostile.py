"""Hostile requests: none gives a token, a code or a server error (requirement 44; AC38, AC40)."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from urllib.parse import urlsplit

import pytest
from flask import Flask

from fhir_server.adapters import opening
from fhir_server.oauth.base.options import Options, Throttle
from tests.factories import runtime_on
from tests.oauth.conftest import ASSERTION, BASE, FixedClock, Person, assertion, redeem, request_for, serve

NEVER = 10**9


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="module")
def app(furnished: Path, clock: FixedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One server for all of them: none may leave a mark, and none is stopped by the throttle."""
    home = tmp_path_factory.mktemp("hostile")
    copytree(furnished, home, dirs_exist_ok=True)
    opened = opening.open_sqlite(home / "data", home / "keys.json")
    runtime = runtime_on(replace(opened, clock=clock), BASE)
    options = Options(throttle=Throttle(failures=NEVER, per_address=NEVER))
    yield serve(runtime, options)
    opened.store.close()


ODD = [
    "", " ", "\x00", "a\x00b", "é", "💊", "ￇ", '"', "\\", "'", "<script>", "%", "%00", "%zz", "../..", "\r\nX: y",
    "x" * 5000,
    '{"$gt": ""}', "[]", "null", "-1", "1e999", "NaN", "true", "0", "\u202e", "\ud800".encode("utf-8", "surrogatepass"),
    "a b", "a+b", "urn:x", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "http://[::1",
]  # fmt: skip
AUTHORIZE = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "prompt",
    "max_age",
]
TOKEN = ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "refresh_token", "scope"]
HEADERS = [
    "Basic", "Basic ", "Basic !!!", "Basic /w==", "Basic " + b64encode(b"\xff\xfe:x").decode(), "Basic Og==",
    "Basic " + b64encode(b"web").decode(), "Basic " + b64encode("web:é".encode()).decode(), "Bearer", "Bearer ",
    "Bearer x y",
    "DPoP x", "Digest x", "x", "Basic " + "A" * 9000, "bearer \x7f", "Basic " + b64encode(b":" * 100).decode(),
]  # fmt: skip
DETAILS = [
    "[",
    "{}",
    "[]",
    "[1]",
    '[{"type":1}]',
    '[{"type":"x"}]',
    '[{"type":"emergency-access","x":"y"}]',
    "[" * 3000,
]


def is_harmless(answer) -> bool:
    where = answer.headers.get("Location", "")
    leads_home = where.startswith(f"{BASE}/oauth/interaction/")
    return answer.status_code < 500 and "access_token" not in answer.text and ("code=" not in where or leads_home)


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", AUTHORIZE)
def test_an_odd_value_at_the_authorization_endpoint(web, name, value):
    wanted = request_for() | {name: value}
    answer = web.get("/oauth/authorize", query_string=wanted, base_url=BASE)
    assert is_harmless(answer)
    assert answer.status_code in {303, 400}


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", TOKEN)
def test_an_odd_value_at_the_token_endpoint(web, name, value):
    answer = redeem(web, value) if name == "code" else redeem(web, "nothing", **{name: value})
    assert is_harmless(answer)
    assert 400 <= answer.status_code < 500
    assert answer.get_json()["error"]


@pytest.mark.parametrize("value", HEADERS, ids=lambda value: value[:20])
@pytest.mark.parametrize("path", ["token", "par", "introspect", "revoke", "userinfo", "launch", "register"])
def test_an_odd_authorization_header(web, path, value):
    headers = {"Authorization": value}
    answer = web.post(
        f"/oauth/{path}", data={"token": "x", "grant_type": "refresh_token"}, headers=headers, base_url=BASE
    )
    assert is_harmless(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("value", DETAILS)
def test_odd_authorization_details(person, value):
    answer = person.ask(authorization_details=value)
    assert is_harmless(answer)
    assert "error=invalid_authorization_details" in answer.headers["Location"]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_an_odd_assertion(web, value):
    data = {
        "grant_type": "client_credentials", "scope": "system/*.rs", "client_assertion_type": ASSERTION,
        "client_assertion": value,
    }  # fmt: skip
    answer = web.post("/oauth/token", data=data, base_url=BASE)
    assert is_harmless(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "header",
    [
        {"alg": ["ES384"]}, {"kid": 5}, {"kid": None}, {"crit": ["x"], "x": 1}, {"b64": False, "crit": ["b64"]},
        {"jku": ["x"]}, {"typ": 5}, {"x5c": ["x"]}, {"zip": "DEF"},
    ],
)  # fmt: skip
def test_an_odd_assertion_header(web, clock, header):
    import orjson  # noqa: PLC0415

    head, body, signature = assertion(clock).split(".")
    wanted = {"alg": "ES384", "kid": "ec-1", "typ": "JWT"} | header
    head = b64encode(orjson.dumps(wanted)).decode().rstrip("=").replace("+", "-").replace("/", "_")
    data = {
        "grant_type": "client_credentials", "scope": "system/*.rs", "client_assertion_type": ASSERTION,
        "client_assertion": f"{head}.{body}.{signature}",
    }  # fmt: skip
    assert web.post("/oauth/token", data=data, base_url=BASE).get_json()["error"] == "invalid_client"


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["login", "password", "csrf", "step"])
def test_an_odd_answer_to_a_page(app, name, value):
    person = Person(app)
    where = urlsplit(person.ask().headers["Location"]).path
    page = person.get(where).text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    data = {"csrf": csrf, "step": "login", "login": "nobody", "password": "x"} | {name: value}
    answer = person.post(where, data)
    assert is_harmless(answer)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "path", ["authorize", "token", "par", "introspect", "revoke", "userinfo", "jwks", "register", "launch"]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_an_odd_method(web, path, method):
    answer = web.open(f"/oauth/{path}", method=method, base_url=BASE)
    assert answer.status_code in {404, 405}


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"a" * 100_000, b"&&&&", b"=&=", b"%", b"grant_type", b"grant_type=%ff"]
)
@pytest.mark.parametrize("path", ["token", "par", "introspect", "revoke"])
def test_an_odd_body(web, path, body):
    answer = web.post(f"/oauth/{path}", data=body, content_type="application/x-www-form-urlencoded", base_url=BASE)
    assert is_harmless(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 5000, "\x7f", '"', "null"])
def test_an_odd_cookie(app, cookie):
    web = app.test_client()
    headers = {"Cookie": f"__Host-session={cookie}; __Host-browser={cookie}"}
    for path in ("/login", "/account/apps", "/oauth/interaction/x", "/login/second-factor"):
        assert web.get(path, headers=headers, base_url=BASE).status_code < 500
