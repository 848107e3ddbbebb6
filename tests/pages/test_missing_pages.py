"""An address that has no page answers in words, in the language of the browser, with a way home."""

import pytest

FRENCH, ENGLISH = {"Accept-Language": "fr"}, {"Accept-Language": "en"}


@pytest.mark.parametrize(
    "path", ["/nothing", "/journals", "/assets/nothing.css", "/account/nothing", "/journal?person=x"]
)
def test_an_unknown_address_is_told_on_a_page_in_both_languages(web, path):
    french, english = web.get(path, headers=FRENCH), web.get(path, headers=ENGLISH)
    assert (french.status_code, english.status_code) == (404, 404)
    assert "Cette page n’existe pas" in french.text
    assert '<html lang="fr">' in french.text
    assert "There is no such page" in english.text
    assert "habilis.css" in english.text
    assert '<p><a href="/">Go to the home page</a></p>' in english.text


def test_a_page_that_does_not_take_what_is_sent_says_so(web):
    answer = web.delete("/journal", headers=ENGLISH)
    assert answer.status_code == 405
    assert "This page cannot be used in this way" in answer.text
    assert "GET" in answer.headers["Allow"]
    assert "Cette page ne s’utilise pas ainsi" in web.delete("/journal", headers=FRENCH).text


def test_the_page_is_as_closed_as_the_others_and_repeats_nothing(web):
    answer = web.get("/<script>alert(1)</script>?x=<script>")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/fhir/Nothing", "application/fhir+json"), ("/oauth/nothing", "application/json")],
)
def test_programs_are_answered_as_before(web, path, kind):
    answer = web.get(path)
    assert answer.status_code in {401, 404}
    assert answer.mimetype == kind
