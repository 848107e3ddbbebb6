"""Requirements 1 to 18: the redirect-based flow. Each test carries the number of its requirement."""

import re
from urllib.parse import urlsplit

import pytest

from fhir_server.application.identity.access_tokens import find_access
from fhir_server.oauth.granted.redirects import is_registrable
from tests.holds import holds
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of, query_of, redeem, request_for, tokens_for
from tests.oauth.steps import consent_page


@holds("AC38")
@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb/", "https://app.example/cb?x=1", "https://app.example/CB", "https://APP.example/cb",
        "https://app.example:443/cb", "https://app.example/cb#f", "https://app.example/./cb", "http://app.example/cb",
    ],
)  # fmt: skip
def test_01_redirect_uri_is_compared_to_the_letter(person, uri):
    assert person.ask(redirect_uri=uri).status_code == 400


def test_01_only_the_port_of_a_loopback_address_may_differ(person):
    answer = person.ask(client_id="native", redirect_uri="http://127.0.0.1:53012/cb")
    assert answer.status_code == 303
    assert person.ask(client_id="native", redirect_uri="http://127.0.0.1:53012/other").status_code == 400
    assert person.ask(client_id="native", redirect_uri="http://127.0.0.1.evil.example/cb").status_code == 400


def test_02_nothing_is_redirected_before_client_and_address_are_valid(person):
    for changes in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/cb"}, {"redirect_uri": None}):
        answer = person.ask(**changes)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_03_plain_http_addresses_are_refused_but_for_loopback():
    assert not is_registrable("http://app.example/cb")
    assert is_registrable("http://127.0.0.1:9/cb")
    assert is_registrable("http://localhost/cb")
    assert not is_registrable("http://localhost@evil.example/cb")


@pytest.mark.parametrize("kind", ["token", "id_token", "id_token token", "code token", "none", "CODE"])
def test_04_only_the_code_flow_exists(person, kind):
    answer = person.ask(response_type=kind)
    assert query_of(answer.headers["Location"])["error"] == "unsupported_response_type"


def test_04_there_is_no_password_grant(web):
    data = {"grant_type": "password", "username": "camille", "password": PASSWORD, "client_id": "app"}
    answer = web.post("/oauth/token", data=data, base_url=BASE)
    assert answer.get_json()["error"] == "unsupported_grant_type"


@holds("AC38")
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 44},
        {"code_challenge": "+" * 43},
    ],
)
@pytest.mark.parametrize("client", ["app", "web"])
def test_05_every_client_must_use_pkce_with_s256(person, changes, client):
    answer = person.ask(client_id=client, **changes)
    assert query_of(answer.headers["Location"])["error"] == "invalid_request"


def test_06_a_wrong_or_missing_verifier_is_refused(app, web):
    code = query_of(Person(app).authorize())["code"]
    assert redeem(web, code, code_verifier="w" * 43).get_json()["error"] == "invalid_grant"
    assert redeem(web, code, code_verifier=None).status_code == 400
    assert redeem(web, code).status_code == 200


@pytest.mark.parametrize("aud", ["https://other.example/fhir", "https://habilis.example", "", None])
def test_07_the_audience_must_be_our_endpoint(person, aud):
    answer = person.ask(aud=aud)
    assert query_of(answer.headers["Location"])["error"] == "invalid_request"


def test_07_the_token_is_bound_to_the_audience(app, runtime):
    body = tokens_for(app)
    assert find_access(runtime, body["access_token"]).grant.audience == runtime.fhir_base


def test_08_state_and_issuer_come_back_with_codes_and_with_errors(app, person):
    done = query_of(Person(app).authorize(state="a b&c=é"))
    failed = query_of(person.ask(state="a b&c=é", response_type="token").headers["Location"])
    for found in (done, failed):
        assert found["state"] == "a b&c=é"
        assert found["iss"] == BASE


@pytest.mark.parametrize(
    "name", ["aud", "launch", "nonce", "code_challenge", "request_uri", "client_id", "scope", "state"]
)
def test_09_a_repeated_parameter_is_refused_without_redirect(web, name):
    pairs = [*request_for().items(), (name, "x"), (name, "y")]
    answer = web.get("/oauth/authorize", query_string=pairs, base_url=BASE)
    assert answer.status_code == 400


def test_10_the_authorization_endpoint_takes_get_and_posted_forms(person):
    assert person.ask().status_code == 303
    assert person.post("/oauth/authorize", request_for()).status_code == 303
    posted = person.web.post("/oauth/authorize", json=request_for(), base_url=BASE)
    assert posted.status_code == 400


@holds("RFC 6749")
def test_11_a_code_lives_a_minute_and_is_bound_to_client_and_address(app, web, clock):
    code = query_of(Person(app).authorize())["code"]
    assert redeem(web, code, client_id="other").get_json()["error"] == "invalid_grant"
    assert redeem(web, code, redirect_uri="https://app.example/other").get_json()["error"] == "invalid_grant"
    clock.advance(seconds=61)
    assert redeem(web, code).get_json()["error"] == "invalid_grant"


@holds("AC38", "RFC 6749")
def test_12_a_valid_replay_ends_what_the_code_gave(app, web, runtime):
    code = query_of(Person(app).authorize())["code"]
    token = redeem(web, code).get_json()["access_token"]
    assert redeem(web, code).get_json()["error"] == "invalid_grant"
    assert find_access(runtime, token) is None


def test_12_an_invalid_replay_ends_nothing(app, web, runtime):
    code = query_of(Person(app).authorize())["code"]
    token = redeem(web, code).get_json()["access_token"]
    redeem(web, code, code_verifier="w" * 43)
    redeem(web, code, client_id="other")
    redeem(web, code, redirect_uri="https://app.example/x")
    assert find_access(runtime, token)


def test_13_pages_cannot_be_framed_scripted_cached_or_followed(app):
    person = Person(app)
    person.authorize()
    where = urlsplit(person.ask(prompt="login").headers["Location"]).path
    for answer in (person.get(where), person.get("/login"), person.ask(client_id="nobody")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script" not in answer.text
        assert not re.search(r'(src|href)="https?:', answer.text)


def test_14_a_posted_form_is_answered_by_303(app):
    person = Person(app)
    where = urlsplit(person.ask().headers["Location"]).path
    answer = person.answer(where, person.get(where).text)
    assert answer.status_code == 303


def test_15_the_authorization_endpoint_never_speaks_cors(person):
    answer = person.web.get(
        "/oauth/authorize", query_string=request_for(), headers={"Origin": "https://app.example"}, base_url=BASE
    )
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_16_consent_is_bound_to_the_browser(app):
    _, where, page = consent_page(app)
    stranger = app.test_client()
    data = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": "patient/DocumentReference.rs"}
    answer = stranger.post(where, data=data, base_url=BASE)
    assert answer.status_code == 400


def test_16_consent_needs_the_token_of_its_page(app):
    person, where, _ = consent_page(app)
    answer = person.post(where, {"csrf": "x", "step": "consent", "decision": "allow"})
    assert answer.status_code == 400


def test_16_consent_is_given_once(app):
    person, where, page = consent_page(app)
    assert "code=" in person.answer(where, page).headers["Location"]
    assert person.answer(where, page).status_code == 400


def test_16_tampering_adds_no_scope_and_no_patient(app, web):
    person, where, page = consent_page(app)
    data = {
        "csrf": csrf_of(page), "step": "consent", "decision": "allow", "patient": "leo", "capacity": "role:x",
        "scope": ["patient/DocumentReference.rs", "patient/*.cruds", "system/*.cruds"],
    }  # fmt: skip
    code = query_of(person.post(where, data).headers["Location"])["code"]
    body = redeem(web, code).get_json()
    assert body["patient"] == "camille"
    assert "cruds" not in body["scope"]


def test_17_consent_is_asked_every_time_and_prompt_none_only_repeats_it(app, web):
    person = Person(app)
    first = query_of(person.authorize())["code"]
    redeem(web, first)
    assert any("Authorize" in page or "Autoriser" in page for page in person.pages)
    again = query_of(person.ask(prompt="none").headers["Location"])
    assert "code" in again
    more = query_of(person.ask(prompt="none", scope="openid patient/DocumentReference.cruds").headers["Location"])
    assert more["error"] == "consent_required"


def test_17_prompt_none_without_a_session_asks_for_login(person):
    assert query_of(person.ask(prompt="none").headers["Location"])["error"] == "login_required"


def test_18_a_login_gives_a_new_host_cookie_that_scripts_cannot_read(app):
    person = Person(app)
    person.authorize()
    where = urlsplit(person.ask(prompt="login").headers["Location"]).path
    answer = person.answer(where, person.get(where).text)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie


def test_18_a_session_ends_when_idle_and_at_last(app, clock):
    person = Person(app)
    person.authorize()
    clock.advance(minutes=31)
    where = urlsplit(person.ask().headers["Location"]).path
    assert 'name="password"' in person.get(where).text
    person.answer(where, person.get(where).text)
    for _ in range(20):
        clock.advance(minutes=25)
        person.get("/account/apps")
    assert person.get("/account/apps").status_code == 303
