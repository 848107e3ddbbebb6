"""What a client may register with, and the keys that it may prove itself with: one set of rules at every door."""

import json
from hashlib import sha256
from warnings import catch_warnings, simplefilter

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.oauth.base.options import Options
from tests.oauth.conftest import BASE, EC, RSA, Person, assertion, backend, query_of, redeem
from tests.oauth.steps import events_of, proof

INITIAL = "i" * 43
METADATA = {"client_name": "Neu", "redirect_uris": ["https://neu.example/cb"], "token_endpoint_auth_method": "none"}
with catch_warnings():
    simplefilter("ignore")  # the library warns of what is tested here
    WEAK = RSAKey.generate_key(1024, {"kid": "weak"})
PUBLIC = EC.as_dict(private=False)
DEEP = json.loads("[" * 8 + "]" * 8)


@pytest.fixture
def options() -> Options:
    return Options(registration=True, initial_tokens=(sha256(INITIAL.encode()).hexdigest(),))


def registered(web, **changes: object):
    body = METADATA | changes
    return web.post("/oauth/register", json=body, headers={"Authorization": f"Bearer {INITIAL}"}, base_url=BASE)


BAD_KEYS = {
    "private": {"keys": [EC.as_dict(private=True)]},
    "symmetric": {"keys": [OctKey.generate_key(256).as_dict() | {"kid": "k"}]},
    "none": {"keys": []},
    "a number": {"keys": [5]},
    "nested": {"keys": [PUBLIC | {"more": DEEP, "x": DEEP}]},
    "no point of the curve": {"keys": [{"kty": "EC", "crv": "P-384", "x": "eA", "y": "eQ", "kid": "k"}]},
    "1024 bits": {"keys": [WEAK.as_dict(private=False)]},
    "an exponent of a thousand digits": {"keys": [RSA.as_dict(private=False) | {"e": "_" * 340}]},
    "without kid": {"keys": [{name: value for name, value in PUBLIC.items() if name != "kid"}]},
    "the same kid twice": {"keys": [PUBLIC, PUBLIC]},
    "an unknown algorithm": {"keys": [PUBLIC | {"alg": "HS256"}]},
    "for encryption": {"keys": [PUBLIC | {"use": "enc"}]},
    "another curve": {"keys": [ECKey.generate_key("P-521", {"kid": "k"}).as_dict(private=False)]},
    "eleven": {"keys": [PUBLIC | {"kid": f"k{n}"} for n in range(11)]},
}


@pytest.mark.parametrize("case", BAD_KEYS)
def test_a_registration_takes_only_public_keys_that_can_be_used(web, case):
    answer = registered(web, token_endpoint_auth_method="private_key_jwt", jwks=BAD_KEYS[case])
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")
    assert "jwks" in answer.get_json()["error_description"]


def test_a_registration_keeps_of_a_key_only_what_is_used(web):
    answer = registered(web, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [PUBLIC | {"more": DEEP}]})
    assert answer.status_code == 201
    assert answer.get_json()["jwks"] == {"keys": [PUBLIC]}


@pytest.mark.parametrize(
    "uri", ["https://x;sandbox/cb", "https://x'y/cb", "https://x,y/cb", "https://app.example/cb#here", "https:///cb",
            "javascript:alert(1)"],
)  # fmt: skip
def test_a_redirect_uri_that_could_change_a_page_is_refused(web, uri):
    answer = registered(web, redirect_uris=[uri])
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_redirect_uri")


def test_a_registration_is_asked_and_replaced_with_all_members_of_rfc_7592(web):
    made = registered(web).get_json()
    path = made["registration_client_uri"].removeprefix(BASE)
    own = {"Authorization": f"Bearer {made['registration_access_token']}"}
    for answer in (web.get(path, headers=own, base_url=BASE), web.put(path, json=METADATA, headers=own, base_url=BASE)):
        body = answer.get_json()
        assert body["registration_client_uri"] == made["registration_client_uri"]
        assert body["registration_access_token"] == made["registration_access_token"]


def test_an_app_that_registers_itself_gets_the_scope_that_it_asks_and_no_more(web):
    asked = registered(web, scope="openid patient/DocumentReference.rs user/*.cruds").get_json()
    assert asked["scope"] == "openid patient/DocumentReference.rs"
    for scope in ("user/*.cruds", "patient/", "patient/DocumentReference.rs nonsense"):
        answer = registered(web, scope=scope)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")


def test_a_registration_its_change_and_its_end_are_traced(web, runtime):
    made = registered(web).get_json()
    path = made["registration_client_uri"].removeprefix(BASE)
    own = {"Authorization": f"Bearer {made['registration_access_token']}"}
    web.put(path, json=METADATA, headers=own, base_url=BASE)
    web.delete(path, headers=own, base_url=BASE)
    told = [event for event in events_of(runtime) if made["client_id"] in str(event["entity"])]
    assert sorted(event["subtype"][-1]["code"] for event in told) == ["register-client"] * 2 + ["remove-client"]
    assert made["registration_access_token"] not in str(told)


# --- proof of possession ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "algorithm"), [(2048, "RS256"), (2048, "PS256"), (3072, "RS384")])
def test_an_app_proves_an_rsa_key(app, clock, bits, algorithm):
    key = RSAKey.generate_key(bits)
    code = query_of(Person(app).authorize(client_id="bound"))["code"]
    answer = redeem(app.test_client(), code, {"DPoP": proof(clock, key, algorithm=algorithm)}, client_id="bound")
    assert (answer.status_code, answer.get_json().get("token_type")) == (200, "DPoP")


def test_a_short_rsa_key_proves_nothing(app, clock):
    code = query_of(Person(app).authorize(client_id="bound"))["code"]
    answer = redeem(app.test_client(), code, {"DPoP": proof(clock, WEAK, algorithm="RS256")}, client_id="bound")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")


# --- client assertions ------------------------------------------------------------------------------------------------


def stored_with(runtime, *keys: dict) -> None:
    """Store a client as an earlier version might have taken it."""
    client = Client("old", "Alt", ClientKind.BACKEND, scopes="system/DocumentReference.rs",
                    auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks={"keys": list(keys)})  # fmt: skip
    clients.register(runtime, client)


def test_a_short_rsa_key_that_was_registered_before_signs_no_assertion(web, clock, runtime):
    stored_with(runtime, WEAK.as_dict(private=False))
    signed = assertion(clock, WEAK, "RS384", iss="old", sub="old")
    assert backend(web, signed).status_code == 401


def test_one_bad_key_in_a_set_does_not_spoil_the_others(web, clock, runtime):
    stored_with(runtime, {"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": 5}, RSA.as_dict(private=False))
    assert backend(web, assertion(clock, RSA, "RS384", iss="old", sub="old")).status_code == 200
