"""SAMU regulation: by registration of the software and by who the person is, never by what an app asks (G2, AC32)."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import (
    Account,
    PractitionerRoleRef,
    add_account,
    change_account,
    find_account,
)
from fhir_server.application.identity.clients import Client, ClientKind, register
from tests.holds import holds
from tests.oauth.conftest import BASE, PASSWORD, USER_SCOPES, Person, assertion, backend, query_of, redeem
from tests.oauth.steps import TOTP, code_now, refresh

SCOPE = "openid offline_access online_access user/DocumentReference.rs"
CENTRE = PractitionerRoleRef("PractitionerRole/sam-1", "Organization/samu", "SAMU 15", "10", label="SAMU, régulation")
CALLBACK = ("https://app.example/cb",)


@pytest.fixture
def centre(app, runtime):
    """A call centre: its software, a regulating physician, and a colleague who does not regulate."""
    register(runtime, Client("samu", "Régulation 15", ClientKind.REGULATION, CALLBACK, USER_SCOPES))
    regulator = Account(
        "sam", find_account(runtime, "martin").kind, "Practitioner/sam", "Dr Sam", (CENTRE,), totp=TOTP, regulator=True,
    )  # fmt: skip
    add_account(runtime, regulator, PASSWORD)
    add_account(
        runtime, replace(regulator, login="nat", person="Practitioner/nat", subject="", regulator=False), PASSWORD
    )
    return app


def authorize(app, clock, login: str = "sam", client: str = "samu", **asked: str) -> dict[str, object]:
    person = Person(app, login, code=code_now(clock))
    code = query_of(person.authorize(client_id=client, scope=SCOPE, **asked))["code"]
    body = redeem(app.test_client(), code, client_id=client).get_json()
    return body | {"pages": person.pages}


def purpose_of(app, clock, token: str) -> str:
    asker = backend(app.test_client(), assertion(clock, iss="rs", sub="rs", jti=token)).get_json()["access_token"]
    header = {"Authorization": f"Bearer {asker}"}
    told = app.test_client().post("/oauth/introspect", data={"token": token}, headers=header, base_url=BASE).get_json()
    return told["extensions"]["ihe_iua"]["purpose_of_use"][0]["code"]


def test_a_regulator_at_regulation_software_acts_for_the_emergency(centre, clock):
    body = authorize(centre, clock)
    assert purpose_of(centre, clock, body["access_token"]) == "ETREAT"
    assert body["expires_in"] <= 900
    assert "régulateur" in body["pages"][-1]


@holds("G2", "AC32")
def test_neither_the_person_nor_the_software_alone_is_enough(centre, clock):
    other_app = authorize(centre, clock, client="pro")
    clock.advance(seconds=60)
    other_person = authorize(centre, clock, "nat")
    assert purpose_of(centre, clock, other_app["access_token"]) == "TREAT"
    assert purpose_of(centre, clock, other_person["access_token"]) == "TREAT"
    assert "régulateur" not in other_person["pages"][-1]


@holds("AC32")
def test_an_app_cannot_ask_for_it(centre):
    details = '[{"type":"emergency-access","purpose":"ETREAT","reason":"x"}]'
    where = Person(centre, "sam").ask(client_id="pro", scope=SCOPE, authorization_details=details).headers["Location"]
    assert query_of(where)["error"] == "invalid_authorization_details"


@holds("AC32")
def test_software_cannot_state_it_for_a_person(centre, clock):
    b2b = {"version": "1", "subject_id": "899700000099", "purpose_of_use": ["ETREAT"]}
    answer = backend(centre.test_client(), assertion(clock, extensions={"hl7-b2b": b2b}), "user/DocumentReference.rs")
    assert answer.get_json()["error"] == "invalid_grant"


def test_it_is_never_for_when_nobody_is_there(centre, clock):
    granted = authorize(centre, clock)["scope"].split()
    assert "online_access" in granted
    assert "offline_access" not in granted


@pytest.mark.parametrize("asked", [None, "eidas1"])
def test_it_takes_two_factors_whatever_the_software_asks(centre, runtime, asked):
    change_account(runtime, replace(find_account(runtime, "sam"), totp=""))
    where = Person(centre, "sam").authorize(client_id="samu", scope=SCOPE, acr_values=asked)
    assert query_of(where)["error"] == "unmet_authentication_requirements"


def test_a_session_of_one_factor_is_asked_for_the_second(centre, runtime, clock):
    person = Person(centre, "sam", code=code_now(clock))
    change_account(runtime, replace(find_account(runtime, "sam"), totp=""))
    person.authorize(client_id="pro", scope=SCOPE)
    change_account(runtime, replace(find_account(runtime, "sam"), totp=TOTP))
    person.pages.clear()
    assert "code" in query_of(person.authorize(client_id="samu", scope=SCOPE))
    assert re.search('name="password"', person.pages[0])


def test_who_regulates_no_more_is_not_renewed(centre, runtime, clock):
    body = authorize(centre, clock)
    renewed = refresh(centre.test_client(), body["refresh_token"], "samu").get_json()
    assert find_access(runtime, renewed["access_token"]).grant.purpose == "ETREAT"
    change_account(runtime, replace(find_account(runtime, "sam"), regulator=False))
    assert refresh(centre.test_client(), renewed["refresh_token"], "samu").get_json()["error"] == "invalid_grant"


def test_a_patient_cannot_use_regulation_software(centre):
    answer = Person(centre).authorize(client_id="samu", scope="openid patient/DocumentReference.rs")
    assert query_of(answer)["error"] in {"access_denied", "unmet_authentication_requirements"}
    assert urlsplit(answer).netloc == "app.example"
