"""OAuth's own dialect: an error says what was expected, and a scope is answered in the words in which it was asked."""

import pytest
from joserfc.jwk import ECKey

from fhir_server.app import create_app
from tests.factories import settings_in
from tests.oauth.conftest import BASE, FHIR, SECRET, Person, assertion, backend, query_of, redeem, tokens_for
from tests.oauth.steps import proof

STRANGE = ECKey.generate_key("P-384", {"kid": "unknown"})


def told(answer) -> str:
    assert answer.get_json()["error"] == "invalid_client"
    return answer.get_json()["error_description"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": "https://elsewhere.example"}, f"aud must be {BASE}/oauth/token"),
        ({"key": STRANGE}, "kid must name one registered key"),
        ({"header": {"typ": "at+jwt"}}, "typ must be one of"),
        ({"header": {"jku": "https://elsewhere.example"}}, "jku must be"),
        ({"exp": 1772442000 - 60}, "it has expired; the clock here says 2026-03-02T09:00:00Z"),
        ({"exp": 1772442000 + 3600}, "exp must be 300 seconds ahead at most"),
        ({"iat": 1772442000 + 3600}, "nbf or iat lies ahead"),
        ({"iss": "other"}, "iss and sub must both be the client id"),
        ({"jti": ""}, "jti must have 1 to 256 characters"),
        ({"jti": None}, "malformed"),
    ],
)
def test_a_bad_assertion_is_told_what_was_expected(web, clock, changes, expected):
    assert expected in told(backend(web, assertion(clock, **changes)))


def test_an_assertion_that_was_used_is_told_so(web, clock):
    signed = assertion(clock)
    assert backend(web, signed).status_code == 200
    assert "used before" in told(backend(web, signed))


def test_a_client_that_authenticates_in_another_way_is_told_the_registered_one(app, web):
    code = query_of(Person(app).authorize(client_id="web"))["code"]
    answer = redeem(web, code, client_id="web", client_secret=SECRET)
    assert "client_secret_basic" in told(answer)
    assert "private_key_jwt" in told(backend(web, "", client_id="ehr", client_secret=SECRET))
    assert "client_secret" not in told(backend(web, "", client_id="nobody", client_secret=SECRET))


def test_a_request_for_another_audience_is_told_ours(app):
    answer = query_of(Person(app).ask(aud="https://elsewhere.example/fhir").headers["Location"])
    assert answer["error_description"] == f"aud must be {FHIR}"


def test_scopes_that_nobody_can_read_are_named(app, web, clock):
    odd = "patient/DocumentReference.dus patient/DocumentReference.rs?unknown=1"
    tokens = tokens_for(app, scope=f"openid patient/DocumentReference.rs {odd}")
    assert tokens["__scopes_not_understood"] == odd.split()
    assert "__scopes_not_understood" not in tokens_for(app)
    signed = assertion(clock)
    body = backend(web, signed, "system/DocumentReference.rs system/DocumentReference.readwrite").get_json()
    assert body["__scopes_not_understood"] == ["system/DocumentReference.readwrite"]
    nothing = query_of(Person(app).authorize(scope="patient/DocumentReference.dus"))
    assert (nothing["error"], nothing["error_description"]) == (
        "invalid_scope", "scopes not understood: patient/DocumentReference.dus",
    )  # fmt: skip


def test_scopes_of_version_1_come_back_as_they_were_asked(app, web, clock):
    asked = "openid patient/DocumentReference.read patient/Binary.*"
    assert tokens_for(app, scope=asked)["scope"] == "openid patient/Binary.* patient/DocumentReference.read"
    narrowed = backend(web, assertion(clock), "system/DocumentReference.write system/Binary.read").get_json()
    assert narrowed["scope"] == "system/Binary.r system/DocumentReference.cu"
    assert tokens_for(app, scope="openid patient/Binary.rs")["scope"] == "openid patient/Binary.rs"


def test_a_proof_may_name_the_address_with_a_fragment(app, web, clock):
    key = ECKey.generate_key("P-256")
    code = query_of(Person(app).authorize())["code"]
    signed = proof(clock, key, url=f"{BASE}/oauth/token#y")
    assert redeem(web, code, headers={"DPoP": signed}).get_json()["token_type"] == "DPoP"


def test_what_is_not_offered_under_oauth_is_told_in_its_dialect(runtime, tmp_path):
    served = create_app(settings_in(tmp_path, BASE), runtime).test_client()
    missing = served.get("/oauth/nothing", base_url=BASE)
    assert (missing.status_code, missing.get_json()["error"]) == (404, "invalid_request")
    wrong = served.get("/oauth/token", base_url=BASE)
    assert (wrong.status_code, wrong.get_json()["error"]) == (405, "invalid_request")
    assert wrong.headers["Allow"] in wrong.get_json()["error_description"]
    assert "POST" in wrong.headers["Allow"]
