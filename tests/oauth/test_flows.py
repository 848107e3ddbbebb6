"""The other ways to a token: pushed requests, EHR launch, emergencies, named professionals, exchange, registration."""

from dataclasses import replace

import pytest

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import of_cells
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.clients import hash_secret
from fhir_server.application.identity.grants import find_grant
from fhir_server.oauth.base.options import Options, Throttle
from fhir_server.oauth.login import totp
from tests.oauth.conftest import (
    ASSERTION,
    BASE,
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
from tests.oauth.steps import code_now, emergency, enrol, may_enrol, sign_in

INITIAL = "i" * 43
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def options() -> Options:
    return Options(registration=True, initial_tokens=(hash_secret(INITIAL),), throttle=Throttle(failures=3))


def push(web, **changes: str | None):
    return web.post("/oauth/par", data=request_for(**changes), base_url=BASE)


def test_a_pushed_request_is_used_once_and_by_its_client(app, web):
    pushed = push(web)
    assert pushed.status_code == 201
    address = pushed.get_json()["request_uri"]
    person = Person(app)
    assert person.get("/oauth/authorize", client_id="other", request_uri=address).status_code == 400
    address = push(web).get_json()["request_uri"]
    assert person.get("/oauth/authorize", client_id="app", request_uri=address).status_code == 303
    assert person.get("/oauth/authorize", client_id="app", request_uri=address).status_code == 400


def test_a_pushed_request_expires_after_a_minute(app, web, clock):
    address = push(web).get_json()["request_uri"]
    clock.advance(seconds=61)
    assert Person(app).get("/oauth/authorize", client_id="app", request_uri=address).status_code == 400


def test_a_bad_pushed_request_is_refused_at_once(web):
    assert push(web, code_challenge=None).get_json()["error"] == "invalid_request"
    assert push(web, redirect_uri="https://evil.example").get_json()["error"] == "invalid_request"
    assert push(web, request_uri="urn:x").get_json()["error"] == "invalid_request"


def test_a_client_that_must_push_cannot_ask_in_the_open(app, web):
    assert query_of(Person(app).ask(client_id="pushed").headers["Location"])["error"] == "invalid_request"
    address = push(web, client_id="pushed").get_json()["request_uri"]
    assert Person(app).get("/oauth/authorize", client_id="pushed", request_uri=address).status_code == 303


def launch(web, clock, **changes: str) -> str:
    data = {"app": "pro", "patient": "camille", "login": "paul", "intent": "review"} | changes
    signed = assertion(clock, jti=f"launch-{len(changes)}")
    data |= {"client_assertion_type": ASSERTION, "client_assertion": signed}
    return web.post("/oauth/launch", data=data, base_url=BASE).get_json()["launch"]


def test_an_ehr_launch_fixes_the_patient(app, web, clock):
    handle = launch(web, clock)
    scope = "launch openid patient/DocumentReference.rs"
    code = query_of(Person(app, "paul").authorize(client_id="pro", scope=scope, launch=handle))["code"]
    body = redeem(web, code, client_id="pro").get_json()
    assert body["patient"] == "camille"
    assert body["intent"] == "review"
    assert body["need_patient_banner"] is True
    again = Person(app, "paul").ask(client_id="pro", scope=scope, launch=handle)
    assert query_of(again.headers["Location"])["error"] == "invalid_request"


def test_an_ehr_launch_is_for_its_person_its_app_and_some_minutes(app, web, clock):
    scope = "launch patient/DocumentReference.rs"
    foreign = launch(web, clock, login="martin")
    where = Person(app, "paul").authorize(client_id="pro", scope=scope, launch=foreign)
    assert query_of(where)["error"] == "access_denied"
    own = launch(web, clock)
    assert query_of(Person(app).ask(scope=scope, launch=own).headers["Location"])["error"] == "invalid_request"
    clock.advance(minutes=6)
    late = Person(app, "paul").ask(client_id="pro", scope=scope, launch=own)
    assert query_of(late.headers["Location"])["error"] == "invalid_request"


def test_only_a_trusted_client_makes_launches(web, clock):
    signed = assertion(clock, iss="rs", sub="rs")
    data = {"app": "pro", "patient": "camille", "login": "paul"}
    data |= {"client_assertion_type": ASSERTION, "client_assertion": signed}
    assert web.post("/oauth/launch", data=data, base_url=BASE).status_code == 400


def test_an_emergency_is_declared_on_its_own_page_and_is_short_and_final(app, web, clock, runtime):
    body = redeem(web, query_of(emergency(app, clock, runtime))["code"], client_id="pro").get_json()
    grant = find_access(runtime, body["access_token"]).grant
    assert grant.purpose == "BTG"
    assert grant.reason == "unconscious: found at home"
    assert body["patient"] == "camille"
    assert body["expires_in"] <= 900
    assert "refresh_token" not in body
    assert "user/" not in body["scope"]
    assert "patient/DocumentReference.rs" in body["scope"]
    clock.advance(minutes=15)
    assert find_grant(runtime, grant.id) is None


def test_an_emergency_needs_two_factors(app):
    where = Person(app, "paul").authorize(client_id="pro", scope="__break-glass launch/patient patient/*.rs")
    assert query_of(where)["error"] == "unmet_authentication_requirements"


def test_an_emergency_is_not_for_patients(app):
    asked = {"scope": "__break-glass patient/*.rs"}
    assert query_of(Person(app).authorize(client_id="app", **asked))["error"] == "invalid_scope"
    where = Person(app).authorize(client_id="pro", **asked)
    assert query_of(where)["error"] in {"access_denied", "unmet_authentication_requirements"}


def test_an_emergency_without_a_reason_is_asked_again(app, clock, runtime):
    assert emergency(app, clock, runtime, explanation=" ") == ""


def b2b(**changes: object) -> dict[str, object]:
    known = {"version": "1", "subject_id": "899700000099", "organization_id": "urn:oid:1", "purpose_of_use": ["TREAT"]}
    return {"extensions": {"hl7-b2b": known | changes}}


def test_software_reads_for_a_professional_of_its_establishment(web, clock, runtime):
    answer = backend(web, assertion(clock, **b2b()), "user/DocumentReference.rs")
    requester = find_access(runtime, answer.get_json()["access_token"]).grant.requester
    assert requester.profession == "60"
    assert requester.organization == "Organization/chu"
    assert requester.client == "Device/ehr"
    assert requester.vouched


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_id": "nobody"}, {"subject_id": ""}, {"subject_id": ["x"]}, {"version": "2"},
        {"purpose_of_use": ["BTG"]}, {"purpose_of_use": "TREAT"}, {"purpose_of_use": []},
    ],
)  # fmt: skip
def test_software_cannot_vouch_for_whom_or_what_it_likes(web, clock, changes):
    answer = backend(web, assertion(clock, **b2b(**changes)), "user/DocumentReference.rs")
    assert answer.get_json()["error"] == "invalid_grant"


def test_software_exchanges_the_token_of_its_own_professional(app, web, clock, runtime):
    person = Person(app, "martin", capacity="role:PractitionerRole/martin-2")
    code = query_of(person.authorize(client_id="pro", scope="openid user/DocumentReference.rs"))["code"]
    subject = redeem(web, code, client_id="pro").get_json()["access_token"]
    more = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
    body = backend(web, assertion(clock), "user/DocumentReference.rs", **more).get_json()
    access = find_access(runtime, body["access_token"])
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert access.grant.requester.person == "Practitioner/martin"
    assert access.grant.requester.client == "Device/ehr"
    assert access.expires <= find_access(runtime, subject).expires


def test_software_cannot_exchange_the_token_of_somebody_elses_professional(app, web, clock):
    subject = tokens_for(app, "paul", client_id="pro", scope="openid user/DocumentReference.rs")["access_token"]
    more = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
    assert backend(web, assertion(clock), **more).get_json()["error"] == "invalid_grant"


def test_deselected_scopes_are_not_granted(app):
    scope = "openid patient/DocumentReference.rs patient/Consent.cruds"
    person = Person(app, without="patient/Consent.cruds")
    code = query_of(person.authorize(scope=scope))["code"]
    body = redeem(app.test_client(), code).get_json()
    assert body["scope"] == "openid patient/DocumentReference.rs"


def test_a_guessed_password_closes_the_account_for_a_while(app, clock):
    person = Person(app)
    csrf = csrf_of(person.get("/login").text)
    wrong = {"csrf": csrf, "login": "camille", "password": "x"}
    assert [person.post("/login", wrong).status_code for _ in range(4)] == [422, 422, 422, 429]
    assert person.post("/login", wrong | {"password": PASSWORD}).status_code == 429
    clock.advance(minutes=16)
    assert person.post("/login", wrong | {"password": PASSWORD}).status_code == 303


def test_guessed_client_secrets_are_throttled(web):
    answers = [redeem(web, "x", client_id="web", client_secret=f"s{n}").status_code for n in range(4)]
    assert answers == [401, 401, 401, 429]


def test_a_second_factor_is_needed_and_good_once(app, clock):
    person = Person(app)
    csrf = csrf_of(person.get("/login").text)
    half = person.post("/login", {"csrf": csrf, "login": "luc", "password": PASSWORD})
    assert half.headers["Location"].endswith("/login/second-factor")
    assert person.get("/account/apps").status_code == 303
    assert person.post("/login/second-factor", {"csrf": csrf, "code": "000000"}).status_code == 422
    code = code_now(clock)
    assert person.post("/login/second-factor", {"csrf": csrf, "code": code}).status_code == 303
    assert person.get("/account/apps").status_code == 200
    again = Person(app)
    csrf = csrf_of(again.get("/login").text)
    again.post("/login", {"csrf": csrf, "login": "luc", "password": PASSWORD})
    assert again.post("/login/second-factor", {"csrf": csrf, "code": code}).status_code == 422


def test_a_person_sets_up_a_second_factor(app, clock, runtime):
    person = Person(app)
    sign_in(person)
    may_enrol(person, runtime)
    enrol(person, clock)
    fresh = Person(app)
    csrf = csrf_of(fresh.get("/login").text)
    half = fresh.post("/login", {"csrf": csrf, "login": "camille", "password": PASSWORD})
    assert half.headers["Location"].endswith("/login/second-factor")


def test_the_reference_values_of_rfc_6238_hold():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [totp.code_at(secret, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


METADATA = {"client_name": "Neu", "redirect_uris": ["https://neu.example/cb"], "token_endpoint_auth_method": "none"}


def registered(web, **changes: object):
    body = {name: value for name, value in (METADATA | changes).items() if value is not None}
    return web.post("/oauth/register", json=body, headers={"Authorization": f"Bearer {INITIAL}"}, base_url=BASE)


def test_registration_gives_a_sandbox_client_without_a_needless_secret(web):
    body = registered(web).get_json()
    assert "client_secret" not in body
    assert "user/" not in body["scope"]
    assert "client_secret" in registered(web, token_endpoint_auth_method="client_secret_basic").get_json()


def test_registration_is_managed_with_its_own_token(web):
    body = registered(web).get_json()
    path = body["registration_client_uri"].removeprefix(BASE)
    own = {"Authorization": f"Bearer {body['registration_access_token']}"}
    assert web.get(path, headers=own, base_url=BASE).get_json()["client_name"] == "Neu"
    changed = web.put(path, json=METADATA | {"client_name": "Neuer"}, headers=own, base_url=BASE)
    assert changed.get_json()["client_name"] == "Neuer"
    other = registered(web).get_json()["registration_client_uri"].removeprefix(BASE)
    assert web.get(other, headers=own, base_url=BASE).status_code == 401
    assert web.delete(path, headers=own, base_url=BASE).status_code == 204
    assert web.get(path, headers=own, base_url=BASE).status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": ["http://neu.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://neu.example/*"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [1]}, "invalid_redirect_uri"),
        ({"redirect_uris": 5}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"grant_types": 5}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"jwks": "x"}, "invalid_client_metadata"),
        ({"jwks_uri": "http://neu.example/k"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "tls"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"client_name": {"$gt": ""}}, "invalid_client_metadata"),
        ({"software_statement": "x"}, "unapproved_software_statement"),
    ],
)
def test_registration_checks_everything(web, changes, error):
    answer = registered(web, **changes)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"null", b"\xff"])
def test_registration_survives_any_body(web, body):
    answer = web.post("/oauth/register", data=body, headers={"Authorization": f"Bearer {INITIAL}"}, base_url=BASE)
    assert answer.get_json()["error"] == "invalid_client_metadata"


def test_registration_needs_an_initial_token(web):
    assert web.post("/oauth/register", json=METADATA, base_url=BASE).status_code == 401


def test_two_patients_give_identical_scope_strings(app):
    scope = "openid patient/DocumentReference.rs"
    first = tokens_for(app, scope=scope)["scope"]
    code = query_of(Person(app, "marc", patient="marc").authorize(scope=scope))["code"]
    assert redeem(app.test_client(), code).get_json()["scope"] == first


def test_userinfo_tells_who_and_no_more(app, web):
    token = tokens_for(app, scope="openid profile patient/DocumentReference.rs")["access_token"]
    answer = web.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"}, base_url=BASE)
    assert answer.get_json()["name"] == "Camille Laurent"
    assert web.get("/oauth/userinfo", base_url=BASE).status_code == 401
    bare = tokens_for(app, scope="patient/DocumentReference.rs")["access_token"]
    assert web.get("/oauth/userinfo", headers={"Authorization": f"Bearer {bare}"}, base_url=BASE).status_code == 403


def test_a_tighter_matrix_does_not_change_a_scope_that_was_granted(app, runtime):
    token = tokens_for(app, "paul", client_id="pro", scope="openid user/DocumentReference.rs")["access_token"]
    tightened = replace(runtime, matrices=Schedule((of_cells((), "2026-01-01"),)))
    access = find_access(tightened, token)
    assert access.scopes == access.grant.scopes
    assert access.grant.matrix_version == runtime.matrix.version
