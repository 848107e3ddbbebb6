"""Requirements 25 to 33: tokens."""

from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from fhir_server.application.identity import access_tokens, grants
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.oauth.base import keys
from tests.holds import holds
from tests.oauth.conftest import BASE, Person, assertion, backend, query_of, redeem, tokens_for
from tests.oauth.steps import OFFLINE, proof, refresh


def test_25_access_tokens_have_256_bits_and_live_an_hour_at_most(app, web, clock, runtime):
    body = tokens_for(app)
    assert len(body["access_token"]) == 43
    assert body["expires_in"] <= 3600
    assert backend(web, assertion(clock)).get_json()["expires_in"] == 300
    clock.advance(seconds=body["expires_in"])
    assert access_tokens.find_access(runtime, body["access_token"]) is None


def test_25_tokens_are_not_kept_in_clear(app, tmp_path):
    body = tokens_for(app, scope=OFFLINE)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert body["access_token"].encode() not in kept
    assert body["refresh_token"].encode() not in kept


def test_26_a_refresh_token_is_bound_to_its_client(app, web):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    assert refresh(web, token, "other").get_json()["error"] == "invalid_grant"
    assert refresh(web, token).status_code == 200


def test_26_refresh_tokens_rotate_and_keep_patient_and_scope(app, web):
    first = tokens_for(app, scope=OFFLINE)
    second = refresh(web, first["refresh_token"]).get_json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["patient"] == first["patient"]
    assert second["scope"] == first["scope"]
    assert "id_token" not in second


def test_26_reuse_of_a_spent_refresh_token_ends_the_grant(app, web, runtime):
    first = tokens_for(app, scope=OFFLINE)
    second = refresh(web, first["refresh_token"]).get_json()
    assert refresh(web, first["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert refresh(web, second["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert access_tokens.find_access(runtime, second["access_token"]) is None


def test_26_an_idle_refresh_token_expires(app, web, clock):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    clock.advance(days=31)
    assert refresh(web, token).get_json()["error"] == "invalid_grant"


def test_26_a_public_client_may_leave_its_name_to_the_token(app, web):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    assert refresh(web, token, None).status_code == 200


def test_27_refresh_narrows_one_token_and_never_widens(app, web):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    for wider in ("patient/*.rs", "patient/DocumentReference.cruds", "user/DocumentReference.rs", "nonsense"):
        assert refresh(web, token, scope=wider).get_json()["error"] == "invalid_scope"
    narrowed = refresh(web, token, scope="patient/DocumentReference.r").get_json()
    assert narrowed["scope"] == "patient/DocumentReference.r"
    assert "patient/DocumentReference.rs" in refresh(web, narrowed["refresh_token"]).get_json()["scope"]


def test_28_no_refresh_token_without_being_asked(app, web, clock):
    assert "refresh_token" not in tokens_for(app)
    assert "refresh_token" not in backend(web, assertion(clock)).get_json()


def test_28_online_access_ends_with_the_session(app, web):
    person = Person(app)
    code = query_of(person.authorize(scope="openid online_access patient/DocumentReference.rs"))["code"]
    token = redeem(web, code).get_json()["refresh_token"]
    token = refresh(web, token).get_json()["refresh_token"]
    page = person.get("/account/apps").text
    person.post("/logout", {"csrf": page.split('name="csrf" value="')[1].split('"')[0]})
    assert refresh(web, token).get_json()["error"] == "invalid_grant"


@holds("RFC 9449")
def test_29_a_proof_binds_the_token_and_its_renewal(app, web, clock, runtime):
    key = ECKey.generate_key("P-256")
    code = query_of(Person(app).authorize(scope=OFFLINE))["code"]
    body = redeem(web, code, headers={"DPoP": proof(clock, key)}).get_json()
    assert body["token_type"] == "DPoP"
    assert access_tokens.find_access(runtime, body["access_token"]).jkt == key.thumbprint()
    assert refresh(web, body["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_29_a_client_registered_so_must_prove_its_key(app, web, clock):
    code = query_of(Person(app).authorize(client_id="bound"))["code"]
    assert redeem(web, code, client_id="bound").get_json()["error"] == "invalid_dpop_proof"
    proven = redeem(web, code, headers={"DPoP": proof(clock, ECKey.generate_key("P-256"))}, client_id="bound")
    assert proven.get_json()["token_type"] == "DPoP"


@holds("RFC 9449")
@pytest.mark.parametrize(
    "claims",
    [
        {"htm": "GET"},
        {"htu": "https://evil.example/token"},
        {"iat": 0},
        {"jti": ""},
        {"jti": 5},
        {"iat": "now"},
        {"iat": True},
    ],
)
def test_29_a_proof_must_speak_of_this_request(app, web, clock, claims):
    code = query_of(Person(app).authorize())["code"]
    answer = redeem(web, code, headers={"DPoP": proof(clock, ECKey.generate_key("P-256"), **claims)})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")


@holds("RFC 9449")
def test_29_a_proof_is_good_once(app, web, clock):
    key = ECKey.generate_key("P-256")
    once = proof(clock, key, jti="once")
    code = query_of(Person(app).authorize())["code"]
    assert redeem(web, code, headers={"DPoP": once}).status_code == 200
    code = query_of(Person(app).authorize())["code"]
    assert redeem(web, code, headers={"DPoP": once}).get_json()["error"] == "invalid_dpop_proof"


def test_30_answers_with_tokens_are_not_stored(app, web):
    code = query_of(Person(app).authorize())["code"]
    for answer in (redeem(web, code), redeem(web, "nothing")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"


def test_31_the_id_token_is_rs256_by_our_published_key(app, web, clock):
    body = tokens_for(app, nonce="n-1")
    published = KeySet.import_key_set(web.get("/oauth/jwks", base_url=BASE).get_json())
    token = jwt.decode(body["id_token"], published, algorithms=["RS256"])
    assert token.header["kid"] == "sign-1"
    claims = token.claims
    assert claims["iss"] == BASE
    assert claims["aud"] == "app"
    assert claims["nonce"] == "n-1"
    assert claims["fhirUser"] == f"{BASE}/fhir/Patient/camille"
    assert claims["exp"] > claims["iat"] == int(clock.now().timestamp())
    assert claims["acr"] == "eidas1"
    assert claims["at_hash"]


def test_31_published_keys_hold_nothing_private_and_rotation_overlaps(runtime, web, clock):
    fresh = keys.rotate(runtime)
    published = web.get("/oauth/jwks", base_url=BASE).get_json()["keys"]
    assert [key["kid"] for key in published] == [fresh, "sign-1"]
    assert not any({"d", "p", "q"} & key.keys() for key in published)
    clock.advance(days=6)
    assert len(keys.public_keys(runtime)["keys"]) == 2
    clock.advance(days=2)
    assert [key["kid"] for key in keys.public_keys(runtime)["keys"]] == [fresh]


def test_32_revocation_acts_at_the_next_request(app, web, runtime):
    body = tokens_for(app, scope=OFFLINE)
    grant = access_tokens.find_access(runtime, body["access_token"]).grant
    assert grants.revoke_grant(runtime, grant.id)
    assert access_tokens.find_access(runtime, body["access_token"]) is None
    assert refresh(web, body["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_32_a_disabled_person_is_not_renewed_and_a_changed_one_loses_all_grants(app, web, runtime):
    from dataclasses import replace  # noqa: PLC0415

    body = tokens_for(app, scope=OFFLINE)
    account = find_account(runtime, "camille")
    change_account(runtime, replace(account, disabled=True))
    assert refresh(web, body["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert grants.revoke_person(runtime, account.subject) == 1
    assert access_tokens.find_access(runtime, body["access_token"]) is None


def test_32_a_client_that_is_ended_loses_all_grants(app, runtime):
    body = tokens_for(app)
    assert grants.revoke_client(runtime, "app") == 1
    assert access_tokens.find_access(runtime, body["access_token"]) is None


@holds("I7")
def test_32_a_person_ends_an_app_on_the_page(app, runtime):
    person = Person(app)
    code = query_of(person.authorize())["code"]
    body = redeem(app.test_client(), code).get_json()
    page = person.get("/account/apps").text
    assert "MaTension" in page
    path = page.split('action="')[1].split('"')[0]
    person.post(path, {"csrf": page.split('name="csrf" value="')[1].split('"')[0]})
    assert access_tokens.find_access(runtime, body["access_token"]) is None


def bearer_of(web, clock) -> dict[str, str]:
    token = backend(web, assertion(clock, iss="rs", sub="rs", jti="introspect")).get_json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_33_introspection_is_authorised(app, web, clock):
    token = tokens_for(app)["access_token"]
    assert web.post("/oauth/introspect", data={"token": token}, base_url=BASE).status_code == 401
    refused = backend(web, assertion(clock)).get_json()["access_token"]
    answer = web.post(
        "/oauth/introspect", data={"token": token}, headers={"Authorization": f"Bearer {refused}"}, base_url=BASE
    )
    assert answer.status_code == 401


def test_33_an_active_answer_carries_context_and_an_inactive_one_nothing(app, web, clock):
    token = tokens_for(app)["access_token"]
    asker = bearer_of(web, clock)
    found = web.post("/oauth/introspect", data={"token": token}, headers=asker, base_url=BASE).get_json()
    assert found["active"] is True
    assert found["patient"] == "camille"
    assert found["fhirUser"].endswith("Patient/camille")
    assert found["extensions"]["ihe_iua"]["purpose_of_use"][0]["code"] == "PATRQT"
    assert found["exp"] == int((clock.now() + timedelta(seconds=3600)).timestamp())  # as `expires_in` said
    none = web.post("/oauth/introspect", data={"token": "nothing"}, headers=asker, base_url=BASE)
    assert none.get_json() == {"active": False}


def test_33_a_token_is_revoked_by_its_client_and_by_no_other(app, web, runtime):
    body = tokens_for(app, scope=OFFLINE)
    other = web.post("/oauth/revoke", data={"token": body["access_token"], "client_id": "other"}, base_url=BASE)
    assert other.status_code == 200
    assert access_tokens.find_access(runtime, body["access_token"])
    data = {"token": body["refresh_token"], "client_id": "app", "token_type_hint": "nonsense"}
    assert web.post("/oauth/revoke", data=data, base_url=BASE).status_code == 200
    assert access_tokens.find_access(runtime, body["access_token"]) is None
