"""The pages: both languages complete, each step in words."""

from urllib.parse import urlsplit

from tests.oauth.conftest import Person
from tests.oauth.steps import consent_page
from tests.oauth.translations import catalogue, used


def test_every_text_of_the_pages_has_a_french_one():
    known = catalogue()
    assert {text for text in used() if not known.get(text) or not known.get(text).string} == set()


def test_pages_speak_the_language_of_the_browser(app):
    person = Person(app)
    french = person.web.get("/login", headers={"Accept-Language": "fr"}, base_url="https://habilis.example")
    english = person.web.get("/login", headers={"Accept-Language": "en"}, base_url="https://habilis.example")
    assert "Mot de passe" in french.text
    assert '<html lang="fr">' in french.text
    assert "Password" in english.text


def test_the_consent_page_says_each_scope_in_words_and_what_is_left_out(app):
    scope = "openid offline_access patient/DocumentReference.rs system/Binary.c"
    person, where, _ = consent_page(app, scope=scope)
    page = person.get(where, lang="en").text
    assert "<strong>read, search</strong>: documents of the patient in context" in page
    assert "left out" in page
    assert "Thirty days" in page


def test_a_patient_is_told_of_no_profession(app):
    kinds = "patient/DocumentReference.rs?type=http://loinc.org|34112-3"
    person, where, _ = consent_page(app, scope=f"openid {kinds} system/Binary.c")
    english, french = person.get(where, lang="en").text, person.get(where, lang="fr").text
    assert "left out: it is not open to you, to this app" in english
    assert "limited to some kinds of documents (1)" in english
    assert "profession" not in english
    assert "votre profession" not in french


def test_a_professional_is_told_what_the_matrix_opens(app):
    person = Person(app, "paul")
    person.authorize(client_id="pro", scope="openid user/DocumentReference.rs system/Binary.c")
    (page,) = (page for page in person.pages if 'name="scope"' in page)
    assert "publiée ouvre à votre profession" in page
    assert "laissée de côté : ce n’est pas ouvert à votre profession" in page


def test_the_consent_form_may_end_at_the_app_and_nowhere_else(app):
    person, where, _ = consent_page(app)
    policy = person.get(where).headers["Content-Security-Policy"]
    assert policy.endswith("form-action 'self' https://app.example")


def test_what_the_app_sends_is_escaped(app):
    person = Person(app)
    where = urlsplit(person.ask(login_hint='"><script>alert(1)</script>').headers["Location"]).path
    assert "<script>" not in person.get(where).text


def test_nothing_of_the_app_s_lists_is_shown_to_strangers(app):
    assert Person(app).get("/account/apps").headers["Location"].endswith("/login")
