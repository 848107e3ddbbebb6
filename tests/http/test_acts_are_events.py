"""Each act is an event of its own: the journal tells hiding from archiving, and an agreement from a block (H3, H4)."""

import json
from base64 import b64encode

import pytest

from fhir_server.domain.audit.audit_event import EVENT_KIND
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.patient import journal_lines
from tests.http.choices import INACTIVE, choose
from tests.http.test_patch_documents import ARCHIVED, label, patch
from tests.world import World

_SET = {"op": "add", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": True}]}
_CLEAR = {"op": "replace", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": False}]}
_UNSET = _CLEAR | {"op": "add"}
_HIDE = {"op": "add", "path": "/securityLabel/-", "value": label("MASQUE_PS")}
_SHOW = {"op": "remove", "path": "/securityLabel/1"}


class Journal:
    """The events of Camille’s space that were not read before: all happen at the same instant here."""

    def __init__(self, world: World):
        self.world, self.read = world, set()
        self.new()

    def new(self):
        """Return what was recorded since the last look, without the look itself."""
        found = self.world.get("camille", f"/AuditEvent?patient={self.world.ids['camille']}&_count=200").get_json()
        events = [entry["resource"] for entry in found["entry"]]
        fresh = [event for event in events if event["id"] not in self.read and event["action"] in "CUD"]
        self.read |= {event["id"] for event in events}
        return fresh


def kinds(world: World, who, of="camille"):
    found = world.get(who, f"/AuditEvent?patient={world.ids[of]}&_count=200").get_json().get("entry", [])
    return [kind_of_event(entry["resource"]) for entry in found]


@pytest.mark.parametrize(
    ("before", "operations", "kind", "sentence"),
    [
        ([], [_HIDE], EventKind.DOCUMENT_HIDDEN, "hid a document"),
        ([_HIDE], [_SHOW], EventKind.DOCUMENT_SHOWN, "showed a hidden document again"),
        ([], [_SET], EventKind.DOCUMENT_ARCHIVED, "archived a document"),
        ([_SET], [_CLEAR], EventKind.DOCUMENT_UNARCHIVED, "took a document out of the archive"),
        ([], [_UNSET], EventKind.DOCUMENT_CHANGED, "changed the visibility or the state of a document"),
        ([], [_SET, _HIDE], EventKind.DOCUMENT_VISIBILITY_CHANGED, "changed the visibility of a document"),
    ],
)
def test_the_journal_names_what_was_done_to_a_document(world: World, before, operations, kind, sentence):
    document = world.publish()
    for operation in before:
        assert patch(world, "camille", document, [operation]).status_code == 200
    journal = Journal(world)
    assert patch(world, "camille", document, operations).status_code == 200
    (event,) = journal.new()
    assert kind_of_event(event) is kind
    with world.web.application.test_request_context("/journal?lang=en"):
        assert journal_lines.line_of(event, {}).act == sentence


@pytest.mark.parametrize(
    ("operations", "kind"),
    [
        ([_SHOW], EventKind.DOCUMENT_VISIBILITY_CHANGED),
        ([_SHOW, _HIDE], EventKind.DOCUMENT_HIDDEN),
    ],
)
def test_nobody_opens_a_document_that_waits_no_more(world: World, clock, operations, kind):
    """Its mark can still be removed, but the patient has seen the document since the end of its time (E11)."""
    document = world.publish(marks=("INVISIBLE_PATIENT",))
    clock.advance(days=40)
    journal = Journal(world)
    assert patch(world, "camille", document, operations).status_code == 200
    assert [kind_of_event(event) for event in journal.new()] == [kind]


def test_a_patch_that_changes_nothing_hides_nothing(world: World):
    document = world.publish()
    patch(world, "camille", document, [_HIDE])
    count = kinds(world, "camille").count(EventKind.DOCUMENT_HIDDEN)
    assert patch(world, "camille", document, [_HIDE]).status_code == 200
    assert kinds(world, "camille").count(EventKind.DOCUMENT_HIDDEN) == count


def test_a_refused_entry_of_a_batch_is_told_like_the_same_request_alone(world: World):
    """What somebody wanted to do, and to which document: the journal reads both from the event."""
    document = world.publish()
    wrong = [{"op": "replace", "path": "/description", "value": "another"}]
    journal = Journal(world)
    assert patch(world, "camille", document, wrong).status_code == 422
    (alone,) = journal.new()
    content = b64encode(json.dumps(wrong).encode()).decode()
    resource = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": content}
    entry = {"resource": resource, "request": {"method": "PATCH", "url": f"DocumentReference/{document}"}}
    world.send("camille", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    (in_batch,) = journal.new()
    assert kind_of_event(in_batch) is kind_of_event(alone) is EventKind.DOCUMENT_CHANGED
    assert journal_lines.documents_of(in_batch) == journal_lines.documents_of(alone) == (document,)


def test_a_withdrawal_and_a_replacement_are_events_of_their_own(world: World):
    first = world.publish()
    world.publish(replaces=first)
    assert EventKind.DOCUMENT_REPLACED in kinds(world, "camille")
    assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{world.publish()}").status_code == 204
    assert EventKind.DOCUMENT_WITHDRAWN in kinds(world, "camille")


def test_an_agreement_a_block_and_their_ends_are_events_of_their_own(world: World):
    journal = Journal(world)
    for type_, begun, ended in (
        ("permit", EventKind.CONSENT_GIVEN, EventKind.CONSENT_REVOKED),
        ("deny", EventKind.PROFESSIONAL_BLOCKED, EventKind.PROFESSIONAL_UNBLOCKED),
    ):
        id_ = choose(world, world.consent("martin", type_))
        assert [kind_of_event(event) for event in journal.new()] == [begun]
        assert patch_consent(world, id_).status_code == 200
        assert [kind_of_event(event) for event in journal.new()] == [ended]


def test_a_draft_that_is_changed_or_dropped_lifts_no_block(world: World):
    """Nobody was blocked, and the journal must not say so."""
    consent = world.consent("martin", "deny")
    id_ = choose(world, consent | {"status": "draft"})
    journal = Journal(world)
    for status in ("proposed", "inactive"):
        body = consent | {"id": id_, "status": status}
        assert world.send("camille", "PUT", f"/Consent/{id_}", body).status_code == 200
        assert [kind_of_event(event) for event in journal.new()] == [EventKind.CHOICE_CHANGED]


def patch_consent(world: World, id_):
    return world.send("camille", "PATCH", f"/Consent/{id_}", INACTIVE, "application/json-patch+json")


def test_a_professional_reads_of_no_choice_and_of_no_kind_of_one(world: World):
    """The depositor neither, nor the declared physician who reads the accesses of others."""
    document = world.publish()
    world.agree("camille", "martin")
    patch(world, "camille", document, [_HIDE])
    patch(world, "camille", document, [_SHOW])
    for who in ("martin", "nour"):
        answer = world.get(who, f"/AuditEvent?patient={world.ids['camille']}")
        assert EVENT_KIND not in answer.get_data(as_text=True)


def test_no_search_finds_an_event_by_its_kind(world: World):
    document = world.publish()
    patch(world, "camille", document, [_HIDE])
    for code in ("document-hidden", f"{EVENT_KIND}|document-hidden"):
        assert world.found("camille", f"/AuditEvent?patient={world.ids['camille']}&subtype={code}") == []
