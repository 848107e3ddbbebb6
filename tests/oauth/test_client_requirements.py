"""Requirements 19 to 24: clients and how they prove who they are."""

from base64 import b64encode

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from fhir_server import outbound
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.oauth.base import remote_keys
from fhir_server.oauth.base.bulkhead import Bulkhead
from tests.holds import holds
from tests.oauth.conftest import BASE, EC, RSA, SECRET, Person, assertion, backend, query_of, redeem


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode()}


def code_for(app, client: str) -> str:
    return query_of(Person(app).authorize(client_id=client))["code"]


def test_19_a_confidential_client_always_authenticates(app, web):
    code = code_for(app, "web")
    assert redeem(web, code, client_id="web").status_code == 401
    for path in ("par", "revoke", "introspect"):
        answer = web.post(f"/oauth/{path}", data={"client_id": "web", "token": "x"}, base_url=BASE)
        assert answer.status_code == 401
    assert redeem(web, code, headers=basic("web", SECRET), client_id=None).status_code == 200


def test_19_only_one_method_in_one_request(app, web):
    code = code_for(app, "web")
    answer = redeem(web, code, headers=basic("web", SECRET), client_id="web", client_secret=SECRET)
    assert answer.get_json()["error"] == "invalid_request"


def test_19_only_the_registered_method(app, web):
    code = code_for(app, "web")
    assert redeem(web, code, client_id="web", client_secret=SECRET).status_code == 401
    code = code_for(app, "post")
    assert redeem(web, code, headers=basic("post", SECRET), client_id=None).status_code == 401
    assert redeem(web, code, client_id="post", client_secret=SECRET).status_code == 200


def test_20_secrets_in_the_url_are_refused(app, web):
    code = code_for(app, "post")
    data = {"grant_type": "authorization_code", "code": code}
    answer = web.post(f"/oauth/token?client_id=post&client_secret={SECRET}", data=data, base_url=BASE)
    assert answer.get_json()["error"] == "invalid_request"


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS384"), (EC, "ES384"), (RSA, "PS384")])
def test_21_assertions_with_rs384_and_es384_are_accepted(web, clock, key, alg):
    assert backend(web, assertion(clock, key, alg)).status_code == 200


OTHER = ECKey.generate_key("P-384", {"kid": "ec-1"})


def broken(clock) -> dict[str, str]:
    now = int(clock.now().timestamp())
    none = assertion(clock).split(".")
    head = b64encode(b'{"alg":"none","kid":"ec-1","typ":"JWT"}').decode().rstrip("=")
    return {
        "signed with a foreign key": assertion(clock, OTHER),
        "alg none": f"{head}.{none[1]}.",
        "alg HS256 with the public key": assertion(clock, OctKey.import_key("x" * 32, {"kid": "ec-1"}), "HS256"),
        "alg RS256": assertion(clock, RSA, "RS256"),
        "unknown kid": assertion(clock, header={"kid": "nobody"}),
        "kid of another type": assertion(clock, header={"kid": "rsa-1"}),
        "foreign jku": assertion(clock, header={"jku": "https://evil.example/jwks"}),
        "wrong typ": assertion(clock, header={"typ": "at+jwt"}),
        "exp in an hour": assertion(clock, exp=now + 3600),
        "exp in the past": assertion(clock, exp=now - 60),
        "exp missing": assertion(clock, exp=None),
        "exp a text": assertion(clock, exp=str(now + 60)),
        "exp huge": assertion(clock, exp=10**40),
        "iss another": assertion(clock, iss="rs"),
        "sub another": assertion(clock, sub="rs"),
        "sub unknown": assertion(clock, iss="nobody", sub="nobody"),
        "aud another": assertion(clock, aud="https://evil.example/token"),
        "aud missing": assertion(clock, aud=None),
        "jti missing": assertion(clock, jti=None),
        "jti empty": assertion(clock, jti=""),
        "jti endless": assertion(clock, jti="x" * 300),
        "jti a number": assertion(clock, jti=5),
        "nbf to come": assertion(clock, nbf=now + 300),
        "not a token": "abc",
        "three dots": "...",
        "empty parts": "..",
    }


@holds("RFC 7523", "SMART-4")
@pytest.mark.parametrize("case", list(broken.__annotations__) and [
    "signed with a foreign key", "alg none", "alg HS256 with the public key", "alg RS256", "unknown kid",
    "kid of another type", "foreign jku", "wrong typ", "exp in an hour", "exp in the past", "exp missing", "exp a text",
    "exp huge", "iss another", "sub another", "sub unknown", "aud another", "aud missing", "jti missing", "jti empty",
    "jti endless", "jti a number", "nbf to come", "not a token", "three dots", "empty parts",
])  # fmt: skip
def test_21_a_broken_assertion_is_an_invalid_client(web, clock, case):
    answer = backend(web, broken(clock)[case])
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_21_an_embedded_key_is_not_looked_at(web, clock):
    own = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    signed = assertion(clock, own, "RS384", header={"jwk": own.as_dict(private=False)})
    assert backend(web, signed).status_code == 401


@holds("RFC 7523")
def test_21_a_jti_is_good_once(web, clock):
    signed = assertion(clock, jti="once")
    assert backend(web, signed).status_code == 200
    assert backend(web, signed).get_json()["error"] == "invalid_client"


def test_21_an_assertion_may_name_the_issuer(web, clock):
    assert backend(web, assertion(clock, aud=BASE)).status_code == 200


@pytest.mark.parametrize(
    ("header", "age"),
    [("", 300), ("max-age=60", 60), ("public, max-age=7", 7), ("no-store", 0), ("no-cache, max-age=90", 0)],
)
def test_22_keys_are_kept_no_longer_than_their_address_allows(header, age):
    assert remote_keys.age_of(header) == age


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fe80::1", "224.0.0.1", "0.0.0.0"],  # noqa: S104
)
def test_22_keys_are_never_fetched_from_inside(address):
    assert not outbound.is_public(address)


@holds("AC45")
@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/jwks",
        "https://localhost/jwks",
        "https://127.0.0.1/k",
        "file:///etc/passwd",
        "https://u@app.example/",
    ],
)
def test_22_keys_are_fetched_by_https_from_public_addresses_only(runtime, url):
    from authlib.oauth2.rfc6749 import InvalidClientError  # noqa: PLC0415

    with pytest.raises(InvalidClientError):
        remote_keys.fetch(runtime, url, Bulkhead())


def test_23_the_subject_of_software_is_its_client_id_and_of_people_a_pseudonym(app, web, clock, runtime):
    software = find_access(runtime, backend(web, assertion(clock)).get_json()["access_token"]).grant
    code = query_of(Person(app).authorize())["code"]
    human = find_access(runtime, redeem(web, code).get_json()["access_token"]).grant
    assert software.subject == "ehr"
    assert human.subject not in {"camille", "app", "Patient/camille"}
    assert len(human.subject) == 36


def test_24_symmetric_clients_cannot_act_without_a_person(web):
    data = {"grant_type": "client_credentials", "scope": "system/DocumentReference.rs"}
    answer = web.post("/oauth/token", data=data, headers=basic("web", SECRET), base_url=BASE)
    assert answer.get_json()["error"] == "unauthorized_client"


def test_24_software_gets_what_it_is_registered_for_and_no_more(web, clock):
    body = backend(web, assertion(clock), "system/*.cruds").get_json()
    assert body["scope"] == "system/Binary.cr system/DocumentReference.crus"
    assert body["expires_in"] == 300
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    "scope", [None, "", "openid", "patient/*.rs", "user/*.rs", "system/Patient.rs", "system/DocumentReference.d", "x"]
)
def test_24_software_that_asks_for_nothing_grantable_gets_nothing(web, clock, scope):
    assert backend(web, assertion(clock), scope).get_json()["error"] == "invalid_scope"
