"""Every kind of event has its row, its words in both languages, and reads back as what happened."""

import pytest

from consent_rules.vocabulary import Basis
from fhir_server.domain.audit.audit_event import EVENT_KIND
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.audit.stored_events import kind_of_event, type_of_event
from fhir_server.domain.events import sentences
from fhir_server.domain.events.explanations import GROUNDS
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS, kind_by_codes
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.events.words import NOTICES, WORDS
from tests.domain import event_texts, journal_docs
from tests.domain.played_events import every_event

DONE, REFUSED = OutcomeCode.DONE, OutcomeCode.REFUSED


def test_every_kind_has_a_row_and_words():
    assert set(ROWS) == set(WORDS) == set(EventKind)


def test_every_kind_of_notice_has_a_sentence_and_an_event_that_owes_it():
    assert set(NOTICES) == set(NoticeKind) == {rule.kind for row in ROWS.values() for rule in row.notices}


def test_every_ground_has_words():
    assert set(GROUNDS) == set(Basis)


def test_every_kind_is_played():
    assert {played.kind for played in every_event()} == set(EventKind)


@pytest.mark.parametrize("outcome", [DONE, REFUSED])
def test_every_event_reads_back_as_what_happened(outcome):
    read = [(one.kind, kind_of_event(one.event)) for one in every_event(outcome)]
    assert [kinds for kinds in read if kinds[0] is not kinds[1]] == []


def test_an_event_names_its_kind_only_where_its_codes_do_not_tell_it():
    named = {one.kind for one in every_event() if "extension" in one.event}
    codes = {
        one.kind
        for one in every_event()
        if kind_by_codes(one.audited.interaction, one.audited.resource_type, one.audited.operation) is not one.kind
    }
    assert named == codes
    assert {one.event["extension"][0]["url"] for one in every_event() if "extension" in one.event} == {EVENT_KIND}


def test_an_event_of_an_earlier_version_is_told_by_its_codes():
    """It says less: that a document was changed, for one that was hidden."""
    told = {}
    for one in every_event():
        event = {name: value for name, value in one.event.items() if name != "extension"}
        told[one.kind] = kind_of_event(event)
    assert told[EventKind.DOCUMENT_HIDDEN] is EventKind.DOCUMENT_CHANGED
    assert told[EventKind.PROFESSIONAL_UNBLOCKED] in (EventKind.CHOICE_CHANGED, EventKind.CHOICE_RECORDED)
    assert told[EventKind.SPACE_CLOSED] is EventKind.SPACE_CLOSED


def test_a_kind_of_a_later_version_is_told_by_the_codes_of_its_event():
    (hidden,) = (one for one in every_event() if one.kind is EventKind.DOCUMENT_HIDDEN)
    event = hidden.event | {"extension": [{"url": EVENT_KIND, "valueCode": "document-painted-blue"}]}
    assert kind_of_event(event) is EventKind.DOCUMENT_CHANGED


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_journal_says_a_refused_act_otherwise_than_a_done_one(language):
    for one in every_event(REFUSED):
        kind, type_ = kind_of_event(one.event), type_of_event(one.event)
        done, refused = sentences.act(kind, type_, language).did, sentences.wanted(kind, type_, language)
        assert done not in refused or done == sentences.act(kind, type_, language).wish, one
        assert refused.startswith({"fr": "a demandé à ", "en": "wanted to "}[language])
        assert "%(thing" not in done + refused
        assert "%(of_" not in done + refused


def test_the_audit_event_and_the_journal_say_the_same():
    for outcome in (DONE, REFUSED):
        for one in every_event(outcome):
            told = one.event["text"]["div"]
            assert journal_docs.said(one, "fr").rstrip(".").replace("Camille Laurent ", "") in told, told


def test_no_french_participle_shows_the_gender_of_who_acts():
    french = [sentences.act(kind, "", "fr").did for kind in EventKind]
    assert [text for text in french if not text.startswith("a ") or "(e)" in text] == []


def test_every_text_has_a_french_one_and_the_catalogue_holds_no_other():
    catalogue, texts = event_texts.catalogue(), set(event_texts.texts())
    assert [one for one in texts if not getattr(catalogue.get(one[1], one[0]), "string", "")] == []
    assert {(message.context, message.id) for message in catalogue if message.id} == texts


def test_a_translation_keeps_the_placeholders_of_its_text():
    places = ("%(thing)s", "%(of_thing)s", "%(things)s", "%(app)s", "%(who)s", "%(when)s", "%(act)s", "%(at)s")
    wrong = [
        message.id
        for message in event_texts.catalogue()
        if message.id and [place for place in places if (place in message.id) is not (place in message.string)]
    ]
    assert wrong == []


def test_the_page_of_the_journal_says_what_is_said():
    """`python -m tests.domain.journal_docs` renews it."""
    assert journal_docs.PAGE.read_text("utf-8") == journal_docs.page()
