"""Requirements 34 to 40 at the FHIR endpoint itself: what a token opens, and what it does not tell."""

import pytest

from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import mint_token
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import find
from tests.factories import settings_in
from tests.holds import holds
from tests.oauth.conftest import BASE, Person, query_of, redeem, tokens_for

UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"


@pytest.fixture
def app(runtime, tmp_path):
    settings = settings_in(tmp_path, BASE)
    return create_app(settings, runtime)


def get(app, path: str, token: str = "", **query: str):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return app.test_client().get(f"/fhir/{path}", headers=headers, query_string=query, base_url=BASE)


def test_34_no_token_is_challenged_without_an_error_and_a_bad_one_with(app):
    bare = get(app, "DocumentReference")
    assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, 'Bearer realm="habilis"')
    bad = get(app, "DocumentReference", "nothing")
    assert 'error="invalid_token"' in bad.headers["WWW-Authenticate"]
    assert bad.get_json()["resourceType"] == "OperationOutcome"


def test_34_a_token_in_the_address_is_not_taken(app):
    token = tokens_for(app)["access_token"]
    assert get(app, "DocumentReference", access_token=token).status_code == 401


@holds("I04")
def test_35_scope_is_judged_before_data(app):
    token = tokens_for(app, scope="openid patient/Patient.r")["access_token"]
    known, unknown = (
        get(app, f"DocumentReference/{UNKNOWN}", token),
        get(app, "DocumentReference", token, patient="camille"),
    )
    for answer in (known, unknown):
        assert answer.status_code == 403
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@holds("I05")
def test_39_a_patient_scope_stays_with_its_patient(app):
    token = tokens_for(app)["access_token"]
    other = get(app, "DocumentReference", token, patient="marc")
    nobody = get(app, "DocumentReference", token, patient=UNKNOWN)
    assert other.status_code == nobody.status_code == 403
    assert other.get_json()["issue"] == nobody.get_json()["issue"]


@holds("I7")
def test_32_a_withdrawn_app_is_refused_at_the_next_request(app):
    person = Person(app)
    token = redeem(app.test_client(), query_of(person.authorize())["code"]).get_json()["access_token"]
    assert get(app, "DocumentReference", token, patient="camille").status_code != 401
    page = person.get("/account/apps").text
    path = page.split('action="')[1].split('"')[0]
    person.post(path, {"csrf": page.split('name="csrf" value="')[1].split('"')[0]})
    assert get(app, "DocumentReference", token, patient="camille").status_code == 401


def test_40_software_without_a_person_reads_only_its_own(app, runtime):
    token = mint_token(runtime, Grantee(find(runtime, "ehr")), "system/DocumentReference.rs")
    answer = get(app, "DocumentReference", token, patient="camille")
    assert answer.status_code in {200, 403}
    assert answer.get_json().get("total", 0) == 0


def test_the_capability_statement_and_discovery_agree(app):
    statement = get(app, "metadata").get_json()
    document = get(app, ".well-known/smart-configuration").get_json()
    security = statement["rest"][0]["security"]
    uris = {item["url"]: item["valueUri"] for item in security["extension"][0]["extension"]}
    assert uris["authorize"] == document["authorization_endpoint"]
    assert uris["token"] == document["token_endpoint"]
    assert document["capabilities"]
