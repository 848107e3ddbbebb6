"""Assertions, proofs, forms and registrations that are made to break a parser: each gets OAuth JSON, none a 500.

Sources: RFC 6749 5.2, RFC 7523, RFC 9449; requirement 44.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from shutil import copytree

import orjson
import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey

from fhir_server.adapters import opening
from fhir_server.application.identity.clients import hash_secret
from fhir_server.oauth.base.options import Options, Throttle
from tests.factories import runtime_on
from tests.holds import holds
from tests.oauth.conftest import ASSERTION, BASE, EC, FixedClock, Person, serve

NEVER = 10**9
INITIAL = "initial"
NAMES = count()
ENDPOINTS = ["token", "introspect", "revoke", "par", "launch"]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="module")
def app(furnished: Path, clock: FixedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One server for all of them; none is stopped by the throttle."""
    home = tmp_path_factory.mktemp("proofs")
    copytree(furnished, home, dirs_exist_ok=True)
    opened = opening.open_sqlite(home / "data", home / "keys.json")
    options = Options(
        registration=True,
        initial_tokens=(hash_secret(INITIAL),),
        throttle=Throttle(failures=NEVER, per_address=NEVER, everywhere=NEVER),
    )
    yield serve(runtime_on(replace(opened, clock=clock), BASE), options)
    opened.store.close()


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(header: bytes, payload: bytes) -> str:
    return f"{b64(header)}.{b64(payload)}.{b64(b'x' * 96)}"


HEAD = orjson.dumps({"alg": "ES384", "kid": EC.kid, "typ": "JWT"})
CLAIMS = b'{"iss":"ehr","sub":"ehr","aud":"x","exp":1,"jti":"j"%s}'
UNSIGNED = {
    "nested lists": unsigned(HEAD, b"[" * 990 + b"]" * 990),
    "nested objects": unsigned(HEAD, CLAIMS % (b',"a":' * 1 + b'{"a":' * 1500 + b"1" + b"}" * 1500)),
    "nested header": unsigned(b'{"alg":"ES384","kid":' + b"[" * 1500 + b"]" * 1500 + b"}", CLAIMS % b""),
    "open lists": unsigned(b"[" * 3000, b"[" * 3000),
    "a list": unsigned(HEAD, b"[]"),
    "a header that is a list": unsigned(b"[]", CLAIMS % b""),
    "no number": unsigned(HEAD, b'{"iss":"ehr","sub":"ehr","exp":NaN}'),
    "a lone surrogate": unsigned(HEAD, b'{"iss":"\\ud800","sub":"\\ud800"}'),
    "a long number": unsigned(HEAD, CLAIMS % (b',"n":' + b"9" * 5000)),
    "a great exponent": unsigned(HEAD, CLAIMS % b',"n":1e999999'),
    "a subject that is none": unsigned(HEAD, b'{"iss":"ehr","sub":{"a":1}}'),
    "no UTF-8": unsigned(HEAD, b"\xff\xfe"),
    "two parts": "a.b",
    "four parts": "a.b.c.d",
    "dots": "." * 8000,
    "no base64": "!.!.!",
    "no ASCII": "é.é.é",
    "30 kilobytes": unsigned(HEAD, CLAIMS % (b',"n":"' + b"x" * 22_000 + b'"')),
}


def ask(app: Flask, endpoint: str, signed: str, **headers: str):
    data = {
        "client_assertion_type": ASSERTION, "client_assertion": signed, "grant_type": "client_credentials",
        "scope": "system/DocumentReference.rs", "token": "x", "app": "pro", "patient": "camille", "login": "luc",
    }  # fmt: skip
    return app.test_client().post(f"/oauth/{endpoint}", data=data, headers=headers, base_url=BASE)


def is_oauth_error(answer, *expected: int) -> bool:
    found = answer.get_json(silent=True)
    return (
        answer.status_code in (expected or (400, 401)) and bool(found) and set(found) <= {"error", "error_description"}
    )


@holds("AC40")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("kind", UNSIGNED)
def test_an_assertion_that_no_parser_should_see(app, endpoint, kind):
    answer = ask(app, endpoint, UNSIGNED[kind])
    assert is_oauth_error(answer), (answer.status_code, answer.text[:200])
    assert answer.get_json()["error"] == "invalid_client"


def signed(payload: bytes) -> str:
    return jws.serialize_compact({"alg": "ES384", "kid": EC.kid, "typ": "JWT"}, payload, EC, algorithms=["ES384"])


def claims_with(clock: FixedClock, member: str, value: bytes) -> bytes:
    now = int(clock.now().timestamp())
    known = {
        "iss": b'"ehr"', "sub": b'"ehr"', "aud": orjson.dumps(f"{BASE}/oauth/token"), "exp": str(now + 200).encode(),
        "jti": orjson.dumps(f"j{next(NAMES)}"),
    }  # fmt: skip
    pairs = known | {member: value}
    return b"{" + b",".join(f'"{name}":'.encode() + text for name, text in pairs.items()) + b"}"


TIMES = [
    b"1e17",
    b"-1e17",
    b"1e308",
    b"1e999",
    b"-1",
    b"9" * 300,
    b"NaN",
    b"Infinity",
    b"true",
    b'"1"',
    b"null",
    b"[]",
    b"{}",
]
MEMBERS = (
    [(name, value) for name in ("exp", "nbf", "iat") for value in TIMES if name == "exp" or value != b"-1"]
    + [("jti", value) for value in (b"5", b'""', b"null", b"{}", b'"' + b"x" * 300 + b'"', b"[[]]")]
    + [("aud", value) for value in (b"5", b"[{}]", b"[[]]", b"{}", b'["x",5]', b"null", b"[]")]
    + [("iss", value) for value in (b"5", b"null", b"[]", b'"\\ud800"')]
)  # fmt: skip


@pytest.mark.parametrize(("member", "value"), MEMBERS)
def test_a_signed_assertion_whose_claims_are_absurd(app, clock, member, value):
    """The holder of a registered key is no friend either."""
    for endpoint in ENDPOINTS:
        answer = ask(app, endpoint, signed(claims_with(clock, member, value)))
        assert is_oauth_error(answer, 401), (endpoint, answer.status_code, answer.text[:200])
        assert answer.get_json()["error"] == "invalid_client"


B2B = [b"[]", b"5", b'{"hl7-b2b":[]}',
       b'{"hl7-b2b":{"version":"1","subject_id":{"a":[]}}}',
       b'{"hl7-b2b":{"version":"1","subject_id":"%s"}}' % (b"9" * 4000),
       b'{"hl7-b2b":{"version":1e99,"subject_id":null}}',
       b'{"hl7-b2b":{"version":"1","subject_id":"1","purpose_of_use":[{},[]]}}',
       b'{"hl7-b2b":{"version":"1","subject_id":"1","purpose_of_use":"\\u0000"}}']  # fmt: skip


@pytest.mark.parametrize("value", B2B)
def test_a_signed_assertion_that_vouches_for_nonsense(app, clock, value):
    answer = ask(app, "token", signed(claims_with(clock, "extensions", value)))
    assert answer.status_code in {200, 400}
    assert "token" not in answer.get_json().get("scope", "")


KEY = ECKey.generate_key("P-256")


def proof(clock: FixedClock, member: str, value: bytes) -> str:
    now = int(clock.now().timestamp())
    known = {
        "htm": b'"POST"', "htu": orjson.dumps(f"{BASE}/oauth/token"), "iat": str(now).encode(),
        "jti": orjson.dumps(f"p{next(NAMES)}"),
    } | {member: value}  # fmt: skip
    payload = b"{" + b",".join(f'"{name}":'.encode() + text for name, text in known.items()) + b"}"
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.as_dict(private=False)}
    return jws.serialize_compact(head, payload, KEY, algorithms=["ES256"])


@pytest.mark.parametrize(
    ("member", "value"),
    [("iat", value) for value in TIMES]
    + [("jti", b"5"), ("htm", b"[]"), ("htu", b"{}"), ("x", b"[" * 1100 + b"]" * 1100)],
)
def test_a_proof_whose_claims_are_absurd(app, clock, member, value):
    answer = ask(app, "token", "x", DPoP=proof(clock, member, value))
    assert is_oauth_error(answer)
    assert answer.get_json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize("kind", [kind for kind in UNSIGNED if kind != "no ASCII"])
@pytest.mark.parametrize("endpoint", ["token", "userinfo"])
def test_a_proof_that_no_parser_should_see(app, endpoint, kind):
    headers = (
        {"DPoP": UNSIGNED[kind], "Authorization": "DPoP x"} if endpoint == "userinfo" else {"DPoP": UNSIGNED[kind]}
    )
    answer = app.test_client().post(f"/oauth/{endpoint}", data={"grant_type": "x"}, headers=headers, base_url=BASE)
    assert is_oauth_error(answer)


METADATA = [
    b"[" * 60_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"jwks":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"]}}",
    b'{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[5]}}',
    b'{"redirect_uris":["https://a.example/cb"],"client_name":"\\ud800"}', b'{"redirect_uris":[{}]}', b'"' * 60_000,
    b'"' + b'\\"' * 30_000, b"9" * 60_000, b'{"redirect_uris":["https://[::1"]}', b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("body", METADATA, ids=range(len(METADATA)))
def test_a_registration_that_no_parser_should_see(app, body):
    header = {"Authorization": f"Bearer {INITIAL}"}
    answer = app.test_client().post("/oauth/register", data=body, headers=header, base_url=BASE)
    assert is_oauth_error(answer, 400), (answer.status_code, answer.text[:200])


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "register", "userinfo"])
@pytest.mark.parametrize("body", [b"a=" + b"x" * 70_000, b"&" * 66_000, b"a&" * 40_000])
def test_a_form_beyond_the_limit_is_refused_before_it_is_parsed(app, endpoint, body):
    web = app.test_client()
    answer = web.post(f"/oauth/{endpoint}", data=body, content_type=FORM, base_url=BASE)
    assert is_oauth_error(answer, 413)
    assert answer.get_json() == {"error": "invalid_request", "error_description": "the body is longer than 65536 bytes"}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_form_of_too_many_parameters_is_refused_before_it_is_parsed(app, endpoint):
    answer = app.test_client().post(f"/oauth/{endpoint}", data=b"a&" * 100, content_type=FORM, base_url=BASE)
    assert is_oauth_error(answer, 400)
    assert "64 parameters" in answer.get_json()["error_description"]


def test_pages_refuse_what_is_too_long_as_pages(app):
    person = Person(app)
    for answer in (
        person.web.post("/login", data=b"a=" + b"x" * 70_000, content_type=FORM, base_url=BASE),
        person.web.post("/oauth/authorize", data=b"a=" + b"x" * 70_000, content_type=FORM, base_url=BASE),
    ):
        assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert person.web.get("/oauth/authorize?" + "a" * 70_000, base_url=BASE).status_code == 414
    assert person.web.get("/oauth/authorize?" + "a&" * 2000, base_url=BASE).status_code == 400


@holds("RFC 7521")
def test_an_assertion_beside_somebody_else_s_client_id_is_none(app, clock):
    """RFC 7521 4.2."""
    data = {
        "client_id": "app", "client_assertion_type": ASSERTION, "grant_type": "client_credentials",
        "scope": "system/DocumentReference.rs", "client_assertion": signed(claims_with(clock, "x", b"1")),
    }  # fmt: skip
    web = app.test_client()
    assert is_oauth_error(web.post("/oauth/token", data=data, base_url=BASE), 401)
    assert web.post("/oauth/token", data=data | {"client_id": "ehr"}, base_url=BASE).status_code == 200
