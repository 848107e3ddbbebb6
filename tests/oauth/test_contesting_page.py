"""Contesting on the pages: one form without a script, with the secret of the session, undone on the same page (V8)."""

import pytest

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.cases.opening import contesters_of
from fhir_server.domain import record_codec
from tests.factories import a_resource, an_id, creating
from tests.holds import holds
from tests.oauth.conftest import BASE, csrf_of
from tests.oauth.test_credentials import signed_in
from tests.oauth.test_notices_page import a_notice


@pytest.fixture
def notice(runtime):
    """A notice in Léo's space that names Dr Awa, who is in the directory; she opened the space in an emergency."""
    runtime.ports.store.commit(creating(a_resource("Practitioner", AccessFacts(""), id_="awa")))
    return a_notice(runtime)


def blocked(runtime):
    with runtime.ports.store.snapshot() as snapshot:
        record = record_codec.load(snapshot.load_space("leo").state)
    return {who for one in record.directives if one.kind is DirectiveKind.BLOCK for who in one.actors}


def post(person, notice, where="notices", **more):
    csrf = csrf_of(person.get(f"/account/notices/{notice}", lang="en").text)
    return person.post(f"/account/{where}/{notice}/contest", {"csrf": csrf, "person": "leo", "act": "contest"} | more)


@holds("V8")
def test_one_form_blocks_and_the_same_page_undoes_it(app, runtime, notice):
    marc = signed_in(app, "marc")
    assert "That is not true" in marc.get(f"/account/notices/{notice}", lang="en").text
    sent_on = post(marc, notice).headers["Location"]
    assert blocked(runtime) == {"Practitioner/awa"}
    path, _, contested = sent_on.removeprefix(BASE).partition("?contested=")
    after = marc.get(path, lang="en", contested=contested).text
    assert "Take this back" in after
    assert post(marc, notice, act="undo").status_code == 303
    assert blocked(runtime) == set()


@pytest.mark.parametrize("form", [{"csrf": "x"}, {"csrf": ""}])
def test_without_the_secret_of_the_session_nothing_happens(app, runtime, notice, form):
    assert post(signed_in(app, "marc"), notice, **form).status_code == 400
    assert blocked(runtime) == set()


def test_what_a_person_does_not_see_is_answered_as_unknown(app, runtime, notice):
    marc, camille = signed_in(app, "marc"), signed_in(app)
    hidden = a_notice(runtime, confidential=True)
    csrf = csrf_of(marc.get(f"/account/notices/{notice}").text)
    form = {"csrf": csrf, "person": "leo", "act": "contest"}
    answers = {marc.post(f"/account/notices/{id_}/contest", form).text for id_ in (hidden, an_id())}
    assert len(answers) == 1
    csrf = csrf_of(camille.get("/account/apps").text)
    assert camille.post(f"/account/notices/{notice}/contest", form | {"csrf": csrf}).status_code == 404
    assert blocked(runtime) == set()
    with runtime.ports.store.snapshot() as snapshot:
        assert contesters_of(snapshot, "Practitioner/awa") == {}
