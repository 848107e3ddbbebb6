"""Section 7 of the requirements: one test for each row of the table of errors."""

import pytest

from tests.oauth.conftest import (
    BASE,
    FHIR,
    PASSWORD,
    Person,
    assertion,
    backend,
    csrf_of,
    query_of,
    redeem,
    request_for,
    tokens_for,
)
from tests.oauth.steps import OFFLINE, consent_page, refresh


def error_of(answer) -> str:
    return query_of(answer.headers["Location"])["error"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"}, {"client_id": None}, {"client_id": "off"}, {"redirect_uri": None},
        {"redirect_uri": "https://evil.example"}, {"request_uri": "https://evil.example/r"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:nothing"},
    ],
)  # fmt: skip
def test_authorize_answers_a_page_while_the_client_is_not_established(person, changes):
    answer = person.ask(**changes)
    assert answer.status_code == 400
    assert answer.mimetype == "text/html"


def test_authorize_other_response_type(person):
    assert error_of(person.ask(response_type="token")) == "unsupported_response_type"


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": None}, {"code_challenge": None}, {"code_challenge_method": "plain"}, {"aud": None},
        {"state": None}, {"launch": "nothing", "scope": "launch patient/*.rs"}, {"scope": "launch patient/*.rs"},
        {"launch": "nothing"}, {"max_age": "soon"}, {"prompt": "later"}, {"response_mode": "fragment"},
    ],
)  # fmt: skip
def test_authorize_missing_or_bad_parameter(person, changes):
    assert error_of(person.ask(**changes)) == "invalid_request"


def test_authorize_audience_is_not_ours(person):
    assert error_of(person.ask(aud="https://evil.example/fhir")) == "invalid_request"
    assert error_of(person.ask(aud=None, resource="https://evil.example/fhir")) == "invalid_target"
    assert person.ask(aud=None, resource=FHIR).headers["Location"].startswith(f"{BASE}/oauth/interaction/")


@pytest.mark.parametrize(
    "scope", [None, "", "nonsense", "system/*.rs", "user/Patient.rs", "patient/DocumentReference.sr"]
)
def test_authorize_nothing_grantable(app, scope):
    where = Person(app).authorize(scope=scope)
    assert query_of(where)["error"] == "invalid_scope"


def test_authorize_refused_by_the_person(app):
    person, where, page = consent_page(app)
    answer = person.post(where, {"csrf": csrf_of(page), "step": "consent", "decision": "deny"})
    assert error_of(answer) == "access_denied"


def test_authorize_refused_by_policy(app):
    assert query_of(Person(app, "paul").authorize())["error"] == "access_denied"
    assert query_of(Person(app).authorize(client_id="pro"))["error"] == "access_denied"


def test_authorize_prompt_none_impossible(app):
    person = Person(app)
    assert error_of(person.ask(prompt="none")) == "login_required"
    person.authorize()
    assert error_of(person.ask(prompt="none", client_id="other")) == "consent_required"


def test_authorize_request_objects(person):
    assert error_of(person.ask(request="eyJhbGciOiJub25lIn0.e30.")) == "request_not_supported"


def test_authorize_level_that_the_person_cannot_reach(app):
    assert query_of(Person(app).authorize(acr_values="eidas3"))["error"] == "unmet_authentication_requirements"


def test_token_request_that_is_no_form_or_repeats_or_lacks(web):
    for answer in (
        web.post("/oauth/token", json={"grant_type": "refresh_token"}, base_url=BASE),
        web.post("/oauth/token?grant_type=refresh_token", data={"client_id": "app"}, base_url=BASE),
        web.post("/oauth/token", data={"client_id": "app"}, base_url=BASE),
        web.post("/oauth/token", data={"client_id": ["app", "app"], "grant_type": "refresh_token"}, base_url=BASE),
        web.post("/oauth/token", data={"client_id": "app", "grant_type": "refresh_token"}, base_url=BASE),
        web.post("/oauth/token", data={"client_id": "app", "grant_type": "authorization_code"}, base_url=BASE),
    ):
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_token_unknown_client_or_failed_authentication(web, clock):
    unknown = redeem(web, "x", client_id="nobody")
    assert (unknown.status_code, unknown.get_json()["error"]) == (401, "invalid_client")
    assert "WWW-Authenticate" not in unknown.headers
    tried = redeem(web, "x", headers={"Authorization": "Basic d2ViOng="}, client_id=None)
    assert tried.status_code == 401
    assert tried.headers["WWW-Authenticate"].startswith("Basic")
    assert backend(web, assertion(clock, exp=0)).status_code == 401


def test_token_bad_code_or_refresh_token(web):
    assert redeem(web, "nothing").get_json()["error"] == "invalid_grant"
    assert refresh(web, "nothing").get_json()["error"] == "invalid_grant"


def test_token_grant_that_the_client_may_not_use(web, clock):
    answer = backend(web, assertion(clock), grant_type="authorization_code", code="x", redirect_uri="x")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unauthorized_client")


def test_token_unknown_grant_type(web):
    answer = web.post("/oauth/token", data={"grant_type": "telepathy", "client_id": "app"}, base_url=BASE)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unsupported_grant_type")


def test_token_scope_beyond_the_grant(app, web):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    assert refresh(web, token, scope="patient/*.cruds").get_json()["error"] == "invalid_scope"


def test_token_and_par_with_a_bad_proof(app, web):
    code = query_of(Person(app).authorize())["code"]
    answer = redeem(web, code, headers={"DPoP": "nonsense"})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")
    pushed = web.post("/oauth/par", data=request_for(), headers={"DPoP": "nonsense"}, base_url=BASE)
    assert (pushed.status_code, pushed.get_json()["error"]) == (400, "invalid_dpop_proof")


def test_revoke_knows_no_type_that_cannot_be_revoked(web):
    for token in ("nothing", "é"):
        answer = web.post("/oauth/revoke", data={"token": token, "client_id": "app"}, base_url=BASE)
        assert (answer.status_code, answer.get_json()) == (200, {})


def test_introspect_by_a_caller_who_may_not(web):
    answer = web.post("/oauth/introspect", data={"token": "x", "client_id": "app"}, base_url=BASE)
    assert answer.status_code == 401


def test_register_is_off_unless_configured(web):
    assert web.post("/oauth/register", json={}, base_url=BASE).status_code == 403


def test_store_failure_is_temporarily_unavailable(app, web, ports, monkeypatch):
    from fhir_server.ports.store import StoreUnavailable  # noqa: PLC0415

    def broken(*_: object) -> None:
        raise StoreUnavailable("no disk")

    code = query_of(Person(app).authorize())["code"]
    monkeypatch.setattr(type(ports.store), "commit", broken)
    answer = redeem(web, code)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    assert "access_token" not in answer.text


def test_a_wrong_password_says_no_more_than_that(app):
    person = Person(app)
    answer = person.get("/login")
    data = {"csrf": csrf_of(answer.text), "login": "camille", "password": PASSWORD + "x"}
    known = person.post("/login", data)
    unknown = person.post("/login", data | {"login": "nobody"})
    assert known.status_code == unknown.status_code == 422
    assert known.text == unknown.text
