"""What ends with a logout, with a client, with a launch; and what no app gets without asking the person."""

import re
from dataclasses import replace

import pytest

from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import change_account, find_account, renew_account
from fhir_server.application.identity.clients import change, find, register
from fhir_server.application.identity.grants import grants_of, revoke_client, revoke_grant
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.events.kinds import EventKind
from fhir_server.oauth.authorize import selection
from fhir_server.oauth.granted.launches import Launch, create_launch
from tests.oauth.conftest import (
    ASSERTION,
    BASE,
    FHIR,
    RSA,
    Person,
    assertion,
    backend,
    csrf_of,
    query_of,
    redeem,
    serve,
)
from tests.oauth.steps import consent_page, events_of, refresh

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ONLINE = "openid online_access launch/patient patient/DocumentReference.rs"


def log_out(person: Person) -> None:
    page = person.get("/account/apps").text
    csrf = re.search(r'action="/logout"><input type="hidden" name="csrf" value="([^"]+)"', page)[1]
    assert person.post("/logout", {"csrf": csrf}).status_code == 303


def disable_account(runtime) -> None:
    change_account(runtime, replace(find_account(runtime, "camille"), disabled=True))


def change_password(runtime) -> None:
    renew_account(runtime, find_account(runtime, "camille"), "a sentence that nobody knows")


def disable_app(runtime) -> None:
    change(runtime, replace(find(runtime, "app"), disabled=True))


ENDINGS = [disable_account, change_password, disable_app]


class Meanwhile:
    """A vault in which something ends while the server reads which documents the consent page listed."""

    def __init__(self, vault, end) -> None:
        self.vault, self.end = vault, end

    def __getattr__(self, name: str):
        return getattr(self.vault, name)

    def get(self, kind, key, now):
        if kind == selection.KIND:
            self.end()
        return self.vault.get(kind, key, now)


# --- during a conversation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDINGS)
def test_what_ends_before_the_consent_page_shows_no_such_page(app, runtime, end):
    person, where, page = consent_page(app)
    assert 'value="consent"' in page
    end(runtime)
    assert 'value="consent"' not in person.get(where).text


@pytest.mark.parametrize("end", ENDINGS)
def test_what_ends_while_the_consent_page_is_open_gives_no_code(app, runtime, end):
    person, where, page = consent_page(app)
    end(runtime)
    assert "code=" not in person.answer(where, page).headers.get("Location", "")
    assert grants_of(runtime, find_account(runtime, "camille").subject) == ()


@pytest.mark.parametrize("end", ENDINGS)
def test_what_ends_while_the_choice_of_documents_is_read_gives_no_code(runtime, options, end):
    ended = []

    def once() -> None:
        end(runtime)
        ended.append(end)

    served = serve(replace(runtime, ports=replace(runtime.ports, vault=Meanwhile(runtime.ports.vault, once))), options)
    person, where, page = consent_page(served)
    assert "error=" in person.answer(where, page).headers["Location"]
    assert ended == [end]
    assert grants_of(runtime, find_account(runtime, "camille").subject) == ()


# --- logout -----------------------------------------------------------------------------------------------------------


def test_a_conversation_that_was_begun_gives_no_code_after_the_logout(app):
    person, where, page = consent_page(app)
    log_out(person)
    answer = person.answer(where, page)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert 'value="login"' in person.get(where).text


def test_a_logout_and_the_refusal_of_an_app_are_told_once_each(app, runtime):
    person, where, page = consent_page(app)
    person.post(where, {"csrf": csrf_of(page), "step": "consent", "decision": "deny"})
    log_out(person)
    told = sorted((str(kind_of_event(event)), event.get("outcomeDesc")) for event in events_of(runtime))
    assert told == [
        (str(EventKind.APP_TURNED_AWAY), "access_denied"),
        (str(EventKind.SIGNED_IN), None),
        (str(EventKind.SIGNED_OUT), None),
    ]


def test_access_for_the_length_of_a_session_ends_with_it(app, runtime):
    person = Person(app)
    tokens = redeem(app.test_client(), query_of(person.authorize(scope=ONLINE))["code"]).get_json()
    assert find_access(runtime, tokens["access_token"])
    log_out(person)
    assert find_access(runtime, tokens["access_token"]) is None
    assert refresh(app.test_client(), tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert grants_of(runtime, find_account(runtime, "camille").subject) == ()


def test_a_logout_leaves_the_session_of_another_device(app, runtime):
    left, stays = Person(app), Person(app)
    redeem(app.test_client(), query_of(left.authorize(scope=ONLINE))["code"])
    kept = redeem(app.test_client(), query_of(stays.authorize(scope=ONLINE))["code"]).get_json()
    log_out(left)
    assert find_access(runtime, kept["access_token"])


def test_offline_access_goes_on_after_a_logout(app, runtime):
    person = Person(app)
    code = query_of(person.authorize(scope=f"{ONLINE} offline_access"))["code"]
    tokens = redeem(app.test_client(), code).get_json()
    log_out(person)
    assert find_access(runtime, tokens["access_token"])


# --- exchanged tokens -------------------------------------------------------------------------------------------------


def exchange(app, web, clock, subject: str | None = None, **more: str):
    if subject is None:
        person = Person(app, "martin", capacity="role:PractitionerRole/martin-2")
        code = query_of(person.authorize(client_id="pro", scope="openid user/DocumentReference.rs"))["code"]
        subject = redeem(web, code, client_id="pro").get_json()["access_token"]
    wanted = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN} | more
    return subject, backend(
        web, assertion(clock, jti=f"x{len(more)}{subject[:5]}"), "user/DocumentReference.rs", **wanted
    )


def test_an_exchanged_token_ends_with_the_client_that_exchanged_it(app, web, clock, runtime):
    subject, answer = exchange(app, web, clock)
    token = answer.get_json()["access_token"]
    assert find_access(runtime, token)
    assert revoke_client(runtime, "ehr") >= 1
    assert find_access(runtime, token) is None
    assert find_access(runtime, subject)


def test_an_exchanged_token_ends_with_the_grant_that_it_came_from(app, web, clock, runtime):
    subject, answer = exchange(app, web, clock)
    revoke_grant(runtime, find_access(runtime, subject).grant.id)
    assert find_access(runtime, answer.get_json()["access_token"]) is None


def test_an_exchanged_token_ends_when_the_person_chooses_anew(app, web, clock, runtime):
    _, answer = exchange(app, web, clock)
    person = Person(app, "martin", capacity="role:PractitionerRole/martin-2")
    person.authorize(client_id="pro", scope="openid user/DocumentReference.r")
    assert find_access(runtime, answer.get_json()["access_token"]) is None


def test_introspection_names_who_acts_with_an_exchanged_token(app, web, clock):
    subject, answer = exchange(app, web, clock)
    register_second(app)
    again = exchange_as_second(web, clock, answer.get_json()["access_token"])
    tokens = [subject, answer.get_json()["access_token"], again]
    described = [introspected(web, clock, token, number) for number, token in enumerate(tokens)]
    assert [found.get("act") for found in described] == [None, {"sub": "ehr"}, {"sub": "his", "act": {"sub": "ehr"}}]


def register_second(app) -> None:
    runtime = app.extensions["habilis.runtime"]
    keys = {"keys": [RSA.as_dict(private=False)]}
    register(runtime, replace(find(runtime, "ehr"), id="his", name="SIH", scopes="user/*.rs", jwks=keys))


def exchange_as_second(web, clock, subject: str) -> str:
    signed = assertion(clock, RSA, "RS384", iss="his", sub="his", jti="second")
    wanted = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
    return backend(web, signed, "user/DocumentReference.r", **wanted).get_json()["access_token"]


def introspected(web, clock, token: str, number: int) -> dict:
    signed = assertion(clock, iss="rs", sub="rs", jti=f"rs-{number}")
    data = {"token": token, "client_assertion_type": ASSERTION, "client_assertion": signed}
    return web.post("/oauth/introspect", data=data, base_url=BASE).get_json()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"audience": "https://elsewhere.example"}, "invalid_target"),
        ({"resource": "https://elsewhere.example/fhir"}, "invalid_target"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": BASE, "resource": FHIR, "requested_token_type": ACCESS_TOKEN}, None),
    ],
)
def test_an_exchange_for_another_place_or_kind_of_token_is_refused(app, web, clock, more, error):
    _, answer = exchange(app, web, clock, **more)
    assert answer.get_json().get("error") == error


# --- silence (RFC 8252 8.6) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["http://127.0.0.1:55555/cb", "http://127.0.0.1/cb", "com.example:/cb"])
def test_a_public_app_on_the_device_gets_no_silent_code(app, address):
    person = Person(app)
    asked = {"client_id": "native", "redirect_uri": address}
    assert "code=" in person.authorize(**asked)
    answer = query_of(person.ask(prompt="none", **asked).headers["Location"])
    assert (answer.get("error"), answer.get("code")) == ("interaction_required", None)


# --- launches ---------------------------------------------------------------------------------------------------------


def handle_for(runtime, login: str) -> dict[str, str]:
    handle = create_launch(runtime, Launch("pro", login, "camille"))
    return {"client_id": "pro", "scope": "launch openid patient/DocumentReference.rs", "launch": handle}


def test_the_launch_of_somebody_else_gives_no_silent_code(app, runtime):
    person = Person(app, "paul")
    assert "code=" in person.authorize(**handle_for(runtime, "paul"))
    foreign = query_of(person.ask(prompt="none", **handle_for(runtime, "martin")).headers["Location"])
    assert (foreign.get("error"), foreign.get("code")) == ("access_denied", None)
    assert "code=" in person.ask(prompt="none", **handle_for(runtime, "paul")).headers["Location"]


def test_a_launch_gives_one_code_though_two_conversations_began_with_it(app, runtime):
    asked = handle_for(runtime, "paul")
    first, second = Person(app, "paul"), Person(app, "paul")
    begun = [person.ask(**asked) for person in (first, second)]
    assert "code=" in first.walk(begun[0])
    assert query_of(second.walk(begun[1]))["error"] == "invalid_request"


@pytest.mark.parametrize("patient", ["nobody", "Patient/camille", "../x", "é" * 10])
def test_a_launch_is_made_for_a_patient_who_has_a_space(web, clock, patient):
    signed = assertion(clock, jti="launch")
    data = {"app": "pro", "patient": patient, "login": "paul", "client_assertion_type": ASSERTION}
    answer = web.post("/oauth/launch", data=data | {"client_assertion": signed}, base_url=BASE)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert "patient" in answer.get_json()["error_description"]
