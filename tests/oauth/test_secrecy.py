"""Requirements 34, 41, 42, 43 and 45, and what the trail tells: secrets stay where they belong."""

import logging

import orjson
import pytest

from fhir_server.application.identity.access_tokens import mint_token
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import find
from fhir_server.domain.caller import Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.resource import bearer
from fhir_server.oauth.resource.dpop import DpopProof, hash_of
from tests.holds import holds
from tests.oauth.conftest import BASE, PASSWORD, SECRET, Person, assertion, backend, query_of, redeem, tokens_for
from tests.oauth.steps import OFFLINE, events_of, proof, refresh


def test_34_a_token_is_taken_from_the_authorization_header_only(runtime, app):
    token = tokens_for(app)["access_token"]
    caller = bearer.caller_of(runtime, f"Bearer {token}", Origin("127.0.0.1", "r-1"))
    assert caller.requester.person == "Patient/camille"
    assert caller.launch_patient == "camille"
    for header in (
        None,
        "",
        token,
        f"Basic {token}",
        f"Bearer {token}x",
        "Bearer",
        "Bearer é",
        f"Bearer {token} {token}",
    ):
        with pytest.raises(Problem) as refused:
            bearer.caller_of(runtime, header, Origin())
        assert refused.value.category is Category.UNAUTHENTICATED


def test_34_no_token_gives_no_error_code(runtime):
    with pytest.raises(Problem) as refused:
        bearer.caller_of(runtime, None, Origin())
    assert refused.value.issues[0].code == ""


def test_29_a_bound_token_needs_its_proof_at_the_api(runtime, app, web, clock):
    from joserfc.jwk import ECKey  # noqa: PLC0415

    key = ECKey.generate_key("P-256")
    code = query_of(Person(app).authorize())["code"]
    token = redeem(web, code, headers={"DPoP": proof(clock, key)}).get_json()["access_token"]
    url = f"{BASE}/fhir/DocumentReference"
    signed = DpopProof(proof(clock, key, "GET", url, ath=hash_of(token)), "GET", url)
    assert bearer.caller_of(runtime, f"DPoP {token}", Origin(), signed).granted.client_id == "app"
    for header, sent in (
        (f"Bearer {token}", signed),
        (f"DPoP {token}", None),
        (f"DPoP {token}", signed),
        (f"DPoP {token}", DpopProof(proof(clock, key, "GET", url), "GET", url)),
        (
            f"DPoP {token}",
            DpopProof(proof(clock, ECKey.generate_key("P-256"), "GET", url, ath=hash_of(token)), "GET", url),
        ),
    ):
        with pytest.raises(Problem):
            bearer.caller_of(runtime, header, Origin(), sent)


def test_41_discovery_is_open_and_tokens_are_for_registered_origins(web):
    for path in ("/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration", "/oauth/jwks"):
        assert web.get(path, base_url=BASE).headers["Access-Control-Allow-Origin"] == "*"
    known = redeem(web, "x", headers={"Origin": "https://app.example"})
    assert known.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert known.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in known.headers
    foreign = redeem(web, "x", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in foreign.headers
    asked = web.options("/oauth/token", headers={"Origin": "https://app.example"}, base_url=BASE)
    assert "DPoP" in asked.headers["Access-Control-Allow-Headers"]


def test_42_a_whole_run_leaves_no_secret_in_logs_events_addresses_or_pages(app, web, runtime, clock, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    person = Person(app)
    where = person.authorize(scope=OFFLINE)
    code = query_of(where)["code"]
    body = redeem(web, code).get_json()
    renewed = refresh(web, body["refresh_token"]).get_json()
    signed = assertion(clock)
    software = backend(web, signed).get_json()["access_token"]
    failed = redeem(web, code, client_id="web", client_secret=SECRET)
    secrets = [
        code, body["access_token"], body["refresh_token"], renewed["access_token"], renewed["refresh_token"], signed,
        software, SECRET, PASSWORD,
    ]  # fmt: skip
    printed = capfd.readouterr()
    told = [caplog.text, printed.out, printed.err, failed.text, *person.pages]
    told += [orjson.dumps(events_of(runtime, compartment)).decode() for compartment in ("", "camille")]
    assert [secret for secret in secrets for text in told if secret in text] == []


def test_42_every_step_is_in_the_trail(app, web, runtime):
    person = Person(app)
    body = redeem(web, query_of(person.authorize(scope=OFFLINE))["code"]).get_json()
    refresh(web, body["refresh_token"])
    redeem(web, "nothing", client_id="nobody")
    web.post("/oauth/revoke", data={"token": body["access_token"], "client_id": "app"}, base_url=BASE)
    kinds = [(event["subtype"][0]["code"], event["outcome"]) for event in events_of(runtime)]
    assert kinds.count(("110122", "0")) == 1
    assert kinds.count(("ITI-71", "0")) == 2
    assert kinds.count(("ITI-71", "4")) == 1
    own = [event["subtype"][0]["code"] for event in events_of(runtime, "camille")]
    assert sorted(own) == ["110137", "ITI-71", "search"]  # the last: the list of documents on the consent page
    assert "a autorisé l’application" in orjson.dumps(events_of(runtime, "camille")).decode()


@holds("AC46")
def test_45_addresses_come_from_configuration_and_not_from_headers(web):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    for path in ("/fhir/.well-known/smart-configuration", "/.well-known/oauth-authorization-server"):
        assert "evil" not in web.get(path, headers=headers, base_url=BASE).text
    assert "evil" not in web.get("/account/apps", headers=headers, base_url=BASE).headers["Location"]


def test_a_minted_token_is_as_live_as_any(runtime):
    token = mint_token(runtime, Grantee(find(runtime, "ehr")), "system/DocumentReference.crus")
    caller = bearer.caller_of(runtime, f"Bearer {token}", Origin())
    assert caller.requester.organization == "Organization/chu"
    assert str(caller.scopes) == "system/DocumentReference.crus"
