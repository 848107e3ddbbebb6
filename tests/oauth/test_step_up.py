"""RFC 9470: a login that is too weak or too old is answered with the one that would do, and the app can ask for it."""

import re
from dataclasses import replace

import pytest

from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.domain.caller import Caller, Login
from fhir_server.domain.problem import Category, Problem, RequiredLogin
from fhir_server.oauth.resource import bearer
from tests.factories import settings_in
from tests.holds import holds
from tests.oauth.conftest import BASE, Person, assertion, backend, query_of, redeem
from tests.oauth.steps import code_now, emergency

SCOPE = "openid user/DocumentReference.rs"
UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"


@pytest.fixture
def app(runtime, tmp_path):
    """A server that wants two factors of professionals."""
    settings = settings_in(tmp_path, BASE, professional_level="eidas2")
    return create_app(settings, replace(runtime, professional_level=settings.professional_level))


def token_of(app, login: str, code: str = "", **asked: str) -> str:
    person = Person(app, login, code=code)
    where = person.authorize(client_id="pro", scope=SCOPE, **asked)
    return redeem(app.test_client(), query_of(where)["code"], client_id="pro").get_json()["access_token"]


def read(app, token: str):
    header = {"Authorization": f"Bearer {token}"}
    return app.test_client().get(f"/fhir/DocumentReference/{UNKNOWN}", headers=header, base_url=BASE)


@holds("RFC 9470")
def test_a_weak_login_is_told_the_level_that_would_do_and_the_app_gets_it_by_asking(app, clock):
    refused = read(app, token_of(app, "paul"))
    assert refused.status_code == 401
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="habilis", error="insufficient_user_authentication", acr_values="eidas2"'
    coding = refused.get_json()["issue"][0]["details"]["coding"][0]
    assert coding["code"] == "insufficient_user_authentication"
    wanted = re.search(r'acr_values="([^"]+)"', challenge)[1]
    assert read(app, token_of(app, "luc", code_now(clock), acr_values=wanted)).status_code == 404


def test_a_person_who_cannot_log_in_so_strongly_is_not_sent_in_a_circle(app):
    where = Person(app, "paul").authorize(client_id="pro", scope=SCOPE, acr_values="eidas2")
    assert query_of(where)["error"] == "unmet_authentication_requirements"


def test_a_patient_and_software_are_not_asked_for_a_professional_s_level(app, clock):
    code = query_of(Person(app).authorize())["code"]
    assert read(app, redeem(app.test_client(), code).get_json()["access_token"]).status_code == 404
    assert read(app, backend(app.test_client(), assertion(clock)).get_json()["access_token"]).status_code == 404


def test_a_session_that_is_too_old_is_asked_to_log_in_again_by_max_age(app, clock):
    person = Person(app)
    person.authorize()
    clock.advance(seconds=90)
    person.pages.clear()
    person.authorize(max_age="60")
    assert 'name="password"' in person.pages[0]
    person.pages.clear()
    person.authorize(max_age="60")
    assert 'name="password"' not in person.pages[0]


def professional(app, runtime, level: str):
    """Return a caller whose person logged in just now."""
    access = find_access(runtime, token_of(app, "paul"))
    return caller_with(access, replace(access.grant.proof, acr=level))


def caller_with(access, proof):
    """Return the caller of a token as if the person had logged in like this."""
    return Caller.of_token(replace(access.grant, proof=proof), access.token_id, access.scopes)


@pytest.mark.parametrize(("level", "age"), [("eidas2", 301), ("eidas1", 0), ("", 0), ("high", 0)])
def test_an_emergency_refuses_a_login_that_is_weaker_or_older(app, runtime, clock, level, age):
    caller = professional(app, runtime, level)
    clock.advance(seconds=age)
    with pytest.raises(Problem) as refused:
        bearer.demand(caller, bearer.EMERGENCY, clock.now())
    assert refused.value.category is Category.UNAUTHENTICATED
    assert refused.value.login == RequiredLogin("eidas2", 300)


@pytest.mark.parametrize(("level", "age"), [("eidas2", 300), ("eidas3", 0)])
def test_an_emergency_takes_two_factors_of_the_last_five_minutes(app, runtime, clock, level, age):
    caller = professional(app, runtime, level)
    clock.advance(seconds=age)
    bearer.demand(caller, bearer.EMERGENCY, clock.now())
    clock.advance(seconds=301 - age)
    with pytest.raises(Problem):
        bearer.demand(caller, bearer.EMERGENCY, clock.now())


def test_nobody_s_login_is_never_recent(app, runtime, clock):
    caller = caller_with(find_access(runtime, token_of(app, "paul")), Login())
    with pytest.raises(Problem):
        bearer.demand(caller, RequiredLogin(max_age=300), clock.now())
    bearer.demand(caller, RequiredLogin(), clock.now())


def declare(app, token: str, operation: str = "break-glass"):
    """Open Camille's space in an emergency at the FHIR endpoint."""
    body = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "found unconscious"}]}
    header = {"Authorization": f"Bearer {token}"}
    return app.test_client().post(f"/fhir/Patient/camille/${operation}", json=body, headers=header, base_url=BASE)


@holds("RFC 9470")
def test_an_emergency_at_the_endpoint_wants_a_login_of_the_last_five_minutes(app, clock, runtime):
    code = query_of(emergency(app, clock, runtime))["code"]
    token = redeem(app.test_client(), code, client_id="pro").get_json()["access_token"]
    assert declare(app, token).status_code == 200
    clock.advance(seconds=301)
    refused = declare(app, token)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].endswith(
        'error="insufficient_user_authentication", acr_values="eidas2", max_age="300"'
    )
    assert read(app, token).status_code == 404


def test_a_login_that_was_not_for_an_emergency_is_not_sent_to_log_in_again(app, clock):
    refused = declare(app, token_of(app, "luc", code_now(clock), acr_values="eidas2"))
    assert refused.status_code == 403
