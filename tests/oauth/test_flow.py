"""The whole flow, as an app and a person live it."""

from tests.oauth.conftest import BASE, FHIR, Person, query_of, redeem, tokens_for


def test_a_patient_lets_an_app_read_and_the_app_gets_a_token_with_its_context(app, web):
    code = query_of(Person(app).authorize(scope="openid fhirUser launch/patient patient/DocumentReference.rs"))["code"]
    answer = redeem(web, code)
    body = answer.get_json()
    assert answer.status_code == 200
    assert body["patient"] == "camille"
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "fhirUser launch/patient openid patient/DocumentReference.rs"
    assert body["id_token"]
    assert "refresh_token" not in body


def test_a_guardian_chooses_the_child_and_acts_as_related_person(app, runtime):
    from fhir_server.application.identity.access_tokens import find_access  # noqa: PLC0415

    person = Person(app, "marc", patient="leo")
    code = query_of(person.authorize())["code"]
    body = redeem(app.test_client(), code).get_json()
    access = find_access(runtime, body["access_token"])
    assert body["patient"] == "leo"
    assert access.grant.requester.person == "RelatedPerson/marc-leo"
    assert access.grant.purpose == "FAMRQT"


def test_a_physiotherapist_gets_the_scope_of_the_matrix_row(app):
    body = tokens_for(app, "paul", client_id="pro", scope="openid user/DocumentReference.rs")
    assert body["scope"].startswith("openid user/DocumentReference.rs?type=")


def test_a_physician_gets_the_scope_unchanged(app):
    person = Person(app, "martin", capacity="role:PractitionerRole/martin-1")
    code = query_of(person.authorize(client_id="pro", scope="openid user/DocumentReference.rs"))["code"]
    body = redeem(app.test_client(), code, client_id="pro").get_json()
    assert body["scope"] == "openid user/DocumentReference.rs"
    assert body["__habilitation"]["profession"] == "10"


def test_discovery_names_absolute_addresses(web):
    document = web.get("/fhir/.well-known/smart-configuration", base_url=BASE).get_json()
    assert document["token_endpoint"] == f"{BASE}/oauth/token"
    assert document["issuer"] == FHIR.removesuffix("/fhir")
