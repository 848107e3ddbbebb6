"""The pages on the way to a grant: who is unverified, who may not ask for an emergency, how a person goes back."""

import re
from urllib.parse import urlsplit

import pytest

from fhir_server.application.identity.clients import hash_secret
from fhir_server.oauth.base.options import Options
from fhir_server.oauth.granted.launches import Launch, create_launch
from fhir_server.oauth.token.client_metadata import is_taken_name
from tests.oauth.conftest import BASE, Person, csrf_of, query_of, redeem, request_for
from tests.oauth.steps import BREAK_GLASS, code_now, consent_page

INITIAL = "initial"


@pytest.fixture
def options() -> Options:
    return Options(registration=True, initial_tokens=(hash_secret(INITIAL),))


def register(web, name: str):
    body = {"client_name": name, "redirect_uris": ["https://shadow.example/cb"], "token_endpoint_auth_method": "none"}
    return web.post("/oauth/register", json=body, headers={"Authorization": f"Bearer {INITIAL}"}, base_url=BASE)


def test_an_app_that_registered_itself_is_shown_as_unverified_with_its_host(app, web):
    client = register(web, "Carnet de vaccins").get_json()["client_id"]
    asked = {"client_id": client, "redirect_uri": "https://shadow.example/cb"}
    person = Person(app)
    where = urlsplit(person.ask(**asked).headers["Location"]).path
    login = person.get(where).text
    person.answer(where, login)
    consent = person.get(where).text
    for page in (login, consent):
        assert "non vérifiée" in page
        assert "shadow.example" in page
    person.walk(person.ask(**asked))
    assert "non vérifiée" in person.get("/account/apps").text
    assert "non vérifiée" not in consent_page(app)[2]


@pytest.mark.parametrize(
    "name", ["Habilis", "H a b i l i s", "HABILIS officiel", "\u041dab\u0456l\u0456s", "Hab1l1s", "Mon Espace Sante +"]
)
def test_no_app_registers_itself_under_the_name_of_the_service(web, name):
    answer = register(web, name)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")
    assert "client_name" in answer.get_json()["error_description"]


def test_names_of_others_are_free_and_the_brand_is_not():
    assert not is_taken_name("Carnet de santé")
    assert not is_taken_name("Mon espace")
    assert is_taken_name("La Clinique d'Été (app)", ("La Clinique d’Ete",))


def test_an_app_that_may_not_ask_for_an_emergency_is_refused_before_anybody_signs_in(app):
    by_scope = query_of(Person(app, "luc").ask(scope=BREAK_GLASS).headers["Location"])
    assert by_scope["error"] == "invalid_scope"
    assert "__break-glass" in by_scope["error_description"]
    details = f'[{{"type": "{BASE}/emergency-access", "patient": "camille", "purpose": "BTG", "reason": "x"}}]'
    by_details = Person(app, "luc").ask(scope="openid patient/DocumentReference.rs", authorization_details=details)
    assert query_of(by_details.headers["Location"])["error"] in {"invalid_scope", "invalid_authorization_details"}


@pytest.mark.parametrize("steps", [0, 1])
def test_a_person_goes_back_to_the_app_from_every_page(app, steps):
    person = Person(app, "martin")
    where = urlsplit(person.ask(client_id="pro", scope="openid user/DocumentReference.rs").headers["Location"]).path
    for _ in range(steps):
        person.answer(where, person.get(where).text)
    shown = person.get(where)
    assert 'value="cancel"' in shown.text
    assert "form-action 'self' https://app.example" in shown.headers["Content-Security-Policy"]
    assert person.post(where, {"decision": "cancel"}).status_code == 400
    back = person.post(where, {"csrf": csrf_of(shown.text), "decision": "cancel"})
    assert (query_of(back.headers["Location"])["error"], back.status_code) == ("access_denied", 303)
    assert person.get(where).status_code == 400


def test_the_page_of_an_emergency_shows_no_bare_id(app, clock, runtime):
    handle = create_launch(runtime, Launch("pro", "luc", "camille"))
    person = Person(app, "luc", code=code_now(clock))
    where = urlsplit(person.ask(client_id="pro", scope=f"launch {BREAK_GLASS}", launch=handle).headers["Location"]).path
    for _ in range(2):
        person.answer(where, person.get(where).text)
    facts = re.search(r"<dt>Patient</dt><dd>([^<]*)</dd>", person.get(where).text)[1]
    assert "votre logiciel" in facts


def test_a_form_of_another_site_does_not_end_what_another_tab_is_doing(app):
    person = Person(app)
    first = urlsplit(person.ask().headers["Location"]).path
    other = app.test_client()  # a cross-site form brings no cookie that is SameSite=Lax
    begun = other.post("/oauth/authorize", data=request_for(state="other"), base_url=BASE)
    assert (begun.status_code, begun.headers.getlist("Set-Cookie")) == (303, [])
    second = urlsplit(begun.headers["Location"]).path
    assert "code=" in person.walk(person.get(second))
    assert person.get(first).status_code == 200
    assert app.test_client().get(second, base_url=BASE).status_code == 400


def test_a_conversation_is_taken_up_by_one_browser(app):
    begun = app.test_client().post("/oauth/authorize", data=request_for(), base_url=BASE)
    path = urlsplit(begun.headers["Location"]).path
    assert app.test_client().post(path, data={"step": "login"}, base_url=BASE).status_code == 400
    assert Person(app).get(path).status_code == 303
    assert Person(app).get(path).status_code == 400


def test_a_silent_request_by_form_is_answered_for_whoever_is_signed_in(app, web):
    person = Person(app)
    assert "code=" in person.authorize()
    begun = app.test_client().post("/oauth/authorize", data=request_for(prompt="none"), base_url=BASE)
    where = person.get(urlsplit(begun.headers["Location"]).path).headers["Location"]
    assert redeem(web, query_of(where)["code"]).status_code == 200


@pytest.mark.parametrize(
    ("locales", "language"), [("en", "en"), ("de en-GB fr", "en"), ("fr-CA en", "fr"), ("de", "fr")]
)
def test_the_pages_speak_the_language_that_the_app_asks_for(app, locales, language):
    person = Person(app)
    where = urlsplit(person.ask(ui_locales=locales).headers["Location"]).path
    assert f'<html lang="{language}">' in person.get(where).text
    assert '<html lang="fr">' in person.get(where, lang="fr").text
