"""The EU Health Data API: scopes as the guide spells them, signatures that it takes, and who is named (ADR 133).

Source: HL7 Europe, EU Health Data API 1.0.0-ballot, authorization.
"""

import pytest
from joserfc.jwk import ECKey

from consent_rules.scopes import Scopes
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind, hash_secret, register
from fhir_server.oauth.token import european
from fhir_server.oauth.token.client_metadata import MetadataError, checked
from tests.holds import holds
from tests.oauth.conftest import EC, RSA, assertion, backend
from tests.oauth.test_flows import b2b

P256 = ECKey.generate_key("P-256", {"kid": "ec-256"})
KEYS = {"keys": [key.as_dict(private=False) for key in (RSA, EC, P256)]}
LUC = "899700000099"


@pytest.fixture(autouse=True)
def gateway(runtime):
    """Register an EU gateway, which may also ask for a professional of the CHU."""
    scopes = "system/DocumentReference.crs system/Binary.r user/DocumentReference.r user/DocumentReference.s"
    client = Client(
        "gateway", "Gateway", ClientKind.BACKEND, scopes=scopes, auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks=KEYS,
        organization="Organization/chu", european=True,
    )  # fmt: skip
    register(runtime, client)
    return client


def asks(web, clock, scope, key=EC, alg="ES384", **claims):
    return backend(web, assertion(clock, key, alg, iss="gateway", sub="gateway", **claims), scope).get_json()


def iua(**claims):
    known = {"national_provider_identifier": LUC, "purpose_of_use": [{"system": "urn:x", "code": "TREAT"}]}
    return {"extensions": {european.IUA: known | claims}}


@holds("EU-4")
@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("system/DocumentReference.search", "system/DocumentReference.s"),
        ("system/DocumentReference.read", "system/DocumentReference.r"),
        ("system/DocumentReference.create", "system/DocumentReference.c"),
        (
            "system/DocumentReference.search system/DocumentReference.read system/Binary.read",
            "system/Binary.r system/DocumentReference.rs",
        ),
        ("system/DocumentReference.rs", "system/DocumentReference.rs"),
    ],
)
def test_a_scope_of_the_guide_is_answered_in_the_letters_of_version_2(web, clock, asked, granted):
    body = asks(web, clock, asked)
    assert Scopes.parse(body["scope"]) == Scopes.parse(granted)
    assert not any(word in body["scope"] for word in ("search", "read", "create"))
    assert "__scopes_not_understood" not in body


def test_other_software_keeps_the_read_of_smart_1(web, clock):
    body = backend(web, assertion(clock), "system/DocumentReference.read").get_json()
    assert body["scope"] == "system/DocumentReference.read"


def test_what_is_registered_is_read_as_the_guide_spells_it():
    registered = Client(
        "g2", "Gateway", ClientKind.BACKEND, scopes="system/DocumentReference.read", jwks=KEYS, european=True,
        auth_method=AuthMethod.PRIVATE_KEY_JWT,
    )  # fmt: skip
    assert checked(registered).scopes == "system/DocumentReference.r"


@holds("EU-6")
@pytest.mark.parametrize(("key", "alg", "is_taken"), [(EC, "ES384", True), (RSA, "RS384", True), (RSA, "PS384", False),
                                                      (P256, "ES256", False)])  # fmt: skip
def test_it_signs_with_es384_or_rs384_alone(web, clock, key, alg, is_taken):
    body = asks(web, clock, "system/DocumentReference.rs", key, alg)
    assert ("access_token" in body) is is_taken
    assert is_taken or "alg must be one of RS384, ES384" in body["error_description"]


def test_a_secret_is_not_compliant():
    by_secret = Client(
        "g3", "Gateway", ClientKind.BACKEND, scopes="system/DocumentReference.rs", european=True,
        auth_method=AuthMethod.BASIC, secret_hash=hash_secret("s" * 43),
    )  # fmt: skip
    app = Client(
        "g4", "App", ClientKind.PATIENT_APP, ("https://app.example/cb",), "patient/*.rs", european=True,
    )  # fmt: skip
    for client, element in ((by_secret, "jwks"), (app, "european")):
        with pytest.raises(MetadataError) as caught:
            checked(client)
        assert caught.value.element == element


@holds("EU-7")
@pytest.mark.parametrize("named", [iua(), b2b(), iua(purpose_of_use="TREAT")])
def test_the_professional_who_reads_is_named_and_judged(web, clock, runtime, named):
    body = asks(web, clock, "system/DocumentReference.search system/DocumentReference.read", **named)
    requester = find_access(runtime, body["access_token"]).grant.requester
    assert (requester.person, requester.profession, requester.client) == ("Practitioner/luc", "60", "Device/gateway")
    assert requester.vouched
    assert {scope.level for scope in Scopes.parse(body["scope"]).resources} == {"user"}


@pytest.mark.parametrize(
    "claims",
    [
        iua(national_provider_identifier="nobody"),
        iua(national_provider_identifier=["x"]),
        iua(national_provider_identifier=None),
        {"extensions": {european.IUA: {"subject_name": "Luc", "subject_organization": "CHU"}}},
        iua(purpose_of_use=[{"code": "BTG"}]),
        iua(purpose_of_use=[]),
        {"extensions": iua()["extensions"] | b2b()["extensions"]},
    ],
)
def test_whoever_is_not_named_beyond_doubt_gets_no_token(web, clock, claims):
    assert asks(web, clock, "system/DocumentReference.rs", **claims)["error"] == "invalid_grant"


def test_for_a_person_it_gets_no_more_than_it_registered_as_user_scopes(web, clock):
    body = asks(web, clock, "system/Binary.read system/DocumentReference.create", **iua())
    assert body["error"] == "invalid_scope"


def test_iua_claims_of_other_software_name_nobody(web, clock, runtime):
    body = backend(web, assertion(clock, **iua()), "system/DocumentReference.rs").get_json()
    assert not find_access(runtime, body["access_token"]).grant.requester.person


def test_without_a_person_it_is_a_system(web, clock, runtime):
    body = asks(web, clock, "system/DocumentReference.search user/DocumentReference.rs")
    requester = find_access(runtime, body["access_token"]).grant.requester
    assert (requester.kind.value, requester.person, body["scope"]) == ("system", "", "system/DocumentReference.s")
