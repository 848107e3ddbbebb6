"""Rows of the table of errors (section 7 of the requirements): the FHIR endpoint, our failures, registration.

The other rows are in test_errors.py.
"""

from dataclasses import replace
from hashlib import sha256

import pytest

from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import find_access, issue_access
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.application.identity.clients import find
from fhir_server.application.identity.grants import revoke_grant
from fhir_server.domain.caller import Login
from fhir_server.oauth.base.options import Options
from fhir_server.ports.store import StoreUnavailable
from tests.factories import runtime_on, settings_in
from tests.oauth.conftest import BASE, Person, assertion, backend, csrf_of, query_of, request_for, serve, tokens_for
from tests.oauth.steps import BREAK_GLASS, OFFLINE, consent_page, refresh
from tests.world import BASE as WORLD_FHIR
from tests.world import World

UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"
WORLD_BASE = WORLD_FHIR.removesuffix("/fhir")


@pytest.fixture
def world(ports, tmp_path) -> World:
    runtime = runtime_on(ports, WORLD_BASE)
    settings = settings_in(tmp_path, WORLD_BASE)
    return World(runtime, create_app(settings, runtime).test_client()).open()


def coding_of(answer) -> str:
    issue = answer.get_json()["issue"][0]
    return issue["details"].get("coding", [{"code": issue["code"]}])[0]["code"]


def test_fhir_without_a_token(world):
    answer = world.web.get("/fhir/DocumentReference")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="habilis"')
    assert answer.get_json()["issue"][0]["code"] == "login"


def test_fhir_with_a_token_that_is_bad_expired_revoked_or_for_another_audience(world, clock):
    runtime, good = world.runtime, world.tokens["camille"]
    access = find_access(runtime, good)
    foreign = replace(access.grant, id=runtime.ports.ids.new(), audience="https://elsewhere.example/fhir")
    tokens = {"bad": "nothing", "foreign": issue_access(runtime, foreign)[0]}
    tokens["expired"] = issue_access(runtime, access.grant)[0]
    world.tokens |= tokens
    clock.advance(hours=2)
    answers = {name: world.get(name, "/DocumentReference") for name in tokens}
    assert world.get("camille", "/DocumentReference").status_code == 200
    revoke_grant(runtime, access.grant.id)
    answers["revoked"] = world.get("camille", "/DocumentReference")
    for name, answer in answers.items():
        assert answer.status_code == 401, name
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="habilis", error="invalid_token"'


@pytest.mark.parametrize("place", ["query", "form"])
def test_fhir_with_a_token_that_is_sent_in_two_ways(world, place):
    token = world.tokens["camille"]
    header = {"Authorization": f"Bearer {token}"}
    if place == "query":
        answer = world.web.get(f"/fhir/DocumentReference?access_token={token}", headers=header)
    else:
        answer = world.web.post("/fhir/DocumentReference/_search", data={"access_token": token}, headers=header)
    assert (answer.status_code, coding_of(answer)) == (400, "invalid_request")
    assert token not in answer.text


def test_fhir_without_a_scope_for_the_interaction_and_type(world):
    access = find_access(world.runtime, world.tokens["camille"])
    world.tokens["narrow"] = issue_access(world.runtime, access.grant, "patient/Patient.r")[0]
    known = world.publish()
    for path in (f"/DocumentReference/{known}", f"/DocumentReference/{UNKNOWN}", "/DocumentReference"):
        answer = world.get("narrow", path)
        assert answer.status_code == 403
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="habilis", error="insufficient_scope"'


def test_fhir_with_a_login_that_is_too_weak(world):
    access = find_access(world.runtime, world.tokens["nour"])
    weak = replace(access.grant, proof=Login(world.runtime.ports.clock.now(), "eidas1"))
    world.tokens["weak"] = issue_access(world.runtime, weak)[0]
    assert world.get("weak", f"/DocumentReference/{UNKNOWN}").status_code == 404
    strict = replace(world.runtime, professional_level="eidas2")
    world.web.application.extensions["habilis.runtime"] = strict
    answer = world.get("weak", f"/DocumentReference/{UNKNOWN}")
    assert answer.status_code == 401
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]


def test_fhir_in_scope_but_not_for_this_person(world):
    document = world.publish()
    world.patient("marc", "284039999900249")
    hidden = world.get("marc", f"/DocumentReference/{document}", X_Request_Id="same")
    unknown = world.get("marc", f"/DocumentReference/{UNKNOWN}", X_Request_Id="same")
    assert (hidden.status_code, hidden.data) == (unknown.status_code, unknown.data) == (404, unknown.data)


def test_fhir_a_write_in_scope_that_policy_refuses(world):
    answer = world.send("nour", "POST", "/Organization", {"resourceType": "Organization", "name": "x"})
    assert answer.status_code == 403
    assert answer.get_json()["issue"][0]["code"] == "forbidden"
    assert "WWW-Authenticate" not in answer.headers


def test_fhir_a_batch_entry_without_its_letter_fails_alone(world):
    access = find_access(world.runtime, world.tokens["camille"])
    world.tokens["reader"] = issue_access(world.runtime, access.grant, "patient/DocumentReference.r")[0]
    document = world.publish()
    urls = [f"DocumentReference/{document}", "DocumentReference?status=current", "List?_count=1"]
    body = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": u}} for u in urls],
    }
    answer = world.send("reader", "POST", "", body)
    assert answer.status_code == 200
    assert [entry["response"]["status"][:3] for entry in answer.get_json()["entry"]] == ["200", "403", "403"]


def refuse(*_: object) -> None:
    """Take no more writes."""
    raise StoreUnavailable("no disk")


def test_authorize_our_failure_goes_to_the_client_once_it_is_known(app, ports, monkeypatch):
    monkeypatch.setattr(type(ports.vault), "add", refuse)
    answer = Person(app).ask()
    assert (answer.status_code, query_of(answer.headers["Location"])["error"]) == (303, "temporarily_unavailable")
    assert query_of(answer.headers["Location"])["state"] == "st-1"
    assert Person(app).ask(client_id="nobody").status_code == 400


def test_authorize_our_failure_at_the_consent_goes_to_the_client_without_a_code(app, monkeypatch, ports):
    person, where, page = consent_page(app)
    monkeypatch.setattr(type(ports.store), "commit", refuse)
    form = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": "patient/DocumentReference.rs"}
    told = query_of(person.post(where, form).headers["Location"])
    assert told["error"] == "temporarily_unavailable"
    assert "code" not in told


def test_authorize_prompt_none_never_declares_an_emergency(app):
    person = Person(app)
    person.authorize()
    asked = person.ask(prompt="none", scope=f"{BREAK_GLASS}", client_id="pro")
    assert query_of(asked.headers["Location"])["error"] in {"consent_required", "login_required"}
    assert query_of(person.ask(prompt="none", scope=BREAK_GLASS).headers["Location"])["error"] == "invalid_scope"


@pytest.mark.parametrize("scope", ["", "system/", "system/*.rsx", "patient/*.rs", "system/Consent.rs", "openid"])
def test_token_scope_empty_ill_formed_or_beyond_the_registration(web, clock, scope):
    assert backend(web, assertion(clock), scope or None).get_json()["error"] == "invalid_scope"


def test_token_person_gone(app, web, runtime):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    change_account(runtime, replace(find_account(runtime, "camille"), disabled=True))
    assert refresh(web, token).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"redirect_uris": ["http://evil.example/cb"]}, 400, "invalid_redirect_uri"),
        ({"redirect_uris": []}, 400, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/cb"], "grant_types": ["password"]}, 400, "invalid_client_metadata"),
        ({"redirect_uris": ["https://a.example/cb"], "software_statement": "x"}, 400, "unapproved_software_statement"),
    ],
)
def test_register_refuses_by_name(runtime, body, status, error):
    options = Options(registration=True, initial_tokens=(sha256(b"initial").hexdigest(),))
    web = serve(runtime, options).test_client()
    answer = web.post("/oauth/register", json=body, headers={"Authorization": "Bearer initial"}, base_url=BASE)
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    bad = web.post("/oauth/register", json=body, headers={"Authorization": "Bearer other"}, base_url=BASE)
    assert bad.status_code == 401


def test_a_client_that_registers_itself_may_bind_itself(runtime):
    options = Options(registration=True, initial_tokens=(sha256(b"initial").hexdigest(),))
    site = serve(runtime, options).test_client()
    flags = {"dpop_bound_access_tokens": True, "require_pushed_authorization_requests": True}
    body = {"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "none"} | flags
    header = {"Authorization": "Bearer initial"}
    told = site.post("/oauth/register", json=body, headers=header, base_url=BASE).get_json()
    assert {name: told[name] for name in flags} == flags
    assert "tls_client_certificate_bound_access_tokens" not in told
    client = find(runtime, told["client_id"])
    assert (client.dpop_required, client.par_required, client.certificate_bound) == (True, True, False)
    odd = site.post("/oauth/register", json=body | {"dpop_bound_access_tokens": "yes"}, headers=header, base_url=BASE)
    assert odd.get_json()["error"] == "invalid_client_metadata"


def test_par_bad_parameters_and_a_failed_authentication(web):
    bad = web.post("/oauth/par", data=request_for(code_challenge=None), base_url=BASE)
    assert (bad.status_code, bad.get_json()["error"]) == (400, "invalid_request")
    stranger = web.post("/oauth/par", data=request_for(client_id="nobody"), base_url=BASE)
    assert (stranger.status_code, stranger.get_json()["error"]) == (401, "invalid_client")
