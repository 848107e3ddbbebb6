"""An auditor signs in with software for professionals, and acts as an auditor and as nothing else (H8, G8)."""

from dataclasses import replace

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import Account, add_account, change_account, find_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.application.reading import search
from fhir_server.application.reading.search import Wanted
from fhir_server.application.spaces import break_glass_reviews
from fhir_server.domain.caller import Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Search
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.registry import REGISTRY
from tests.oauth.conftest import PASSWORD, USER_SCOPES, Person, query_of, redeem, tokens_for
from tests.oauth.steps import TOTP, code_now

CALLBACK = ("https://app.example/cb",)
SCOPE = "openid user/AuditEvent.rs user/Consent.rus"


@pytest.fixture
def office(app, runtime):
    add_account(runtime, Account("dana", RequesterKind.AUDITOR, "Practitioner/dana", "Dana Weiss"), PASSWORD)
    register(runtime, Client("samu", "Régulation 15", ClientKind.REGULATION, CALLBACK, USER_SCOPES))
    register(
        runtime,
        Client("desk", "Poste", ClientKind.PROFESSIONAL_APP, ("https://app.example/cb",), "openid user/*.cruds"),
    )
    return app


def test_the_token_names_the_auditor_and_the_purpose_of_the_control(office, runtime):
    body = tokens_for(office, "dana", client_id="desk", scope=SCOPE)
    granted = find_access(runtime, body["access_token"]).grant
    assert (granted.requester.kind, granted.requester.person) == (RequesterKind.AUDITOR, "Practitioner/dana")
    assert granted.purpose == "HCOMPL"
    assert set(body["scope"].split()) == set(SCOPE.split())


def test_with_that_token_the_queue_is_read_and_no_space(office, runtime):
    token = tokens_for(office, "dana", client_id="desk", scope="openid user/*.cruds")["access_token"]
    caller = caller_of(runtime, f"Bearer {token}", Origin("127.0.0.1"))
    assert break_glass_reviews.queue(runtime, caller, 20).waiting == ()
    for type_ in ("DocumentReference", "Consent", "Communication"):
        with pytest.raises(Problem) as refused:
            search.find(runtime, caller, REGISTRY[type_], Wanted(Search(type_), "camille"))
        assert refused.value.category is Category.FORBIDDEN


@pytest.mark.parametrize(("client", "error"), [("app", "access_denied"), ("samu", "unmet_authentication_requirements")])
def test_no_other_software_is_for_an_auditor(office, client, error):
    answer = query_of(Person(office, "dana").authorize(client_id=client, scope="openid user/DocumentReference.rs"))
    assert answer["error"] == error


def test_a_second_factor_does_not_make_a_regulator_of_an_auditor(office, runtime, clock):
    change_account(runtime, replace(find_account(runtime, "dana"), totp=TOTP))
    person = Person(office, "dana", code=code_now(clock))
    answer = query_of(person.authorize(client_id="samu", scope="openid user/DocumentReference.rs"))
    assert answer["error"] == "access_denied"


def test_an_emergency_is_not_an_auditors(office):
    scope = "openid __break-glass launch/patient patient/DocumentReference.rs"
    answer = query_of(Person(office, "dana").authorize(client_id="desk", scope=scope))
    assert "code" not in answer


def test_the_level_that_professionals_must_reach_holds_for_auditors(office, runtime, clock):
    """RFC 9470: whoever sees the accesses of every space logs in no more weakly than whoever sees one."""
    strict = replace(runtime, professional_level="eidas2")
    weak = tokens_for(office, "dana", client_id="desk", scope=SCOPE)["access_token"]
    with pytest.raises(Problem) as refused:
        caller_of(strict, f"Bearer {weak}", Origin("127.0.0.1"))
    assert refused.value.category is Category.UNAUTHENTICATED
    change_account(runtime, replace(find_account(runtime, "dana"), totp=TOTP))
    code = query_of(Person(office, "dana", code=code_now(clock)).authorize(client_id="desk", scope=SCOPE))["code"]
    strong = redeem(office.test_client(), code, client_id="desk").get_json()["access_token"]
    assert caller_of(strict, f"Bearer {strong}", Origin("127.0.0.1")).requester.kind is RequesterKind.AUDITOR
