"""Commands about a document: what a PATCH names, and what several commands in one commit make."""

import orjson
import pytest

from consent_rules.vocabulary import Mark
from fhir_server.application.documents import hiding_and_withdrawal as documents
from fhir_server.application.documents.document_requests import commands_of
from fhir_server.application.documents.hiding_and_withdrawal import (
    ARCHIVED,
    Archive,
    ChangeConfidentiality,
    Hide,
    SeenDocument,
    Show,
    Supersede,
    Unarchive,
    Withdraw,
)
from fhir_server.domain.caller import Origin
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY
from fhir_server.domain.problem import Problem
from fhir_server.oauth.resource.bearer import caller_of
from tests.factories import a_document, all_of
from tests.world import World

NORMAL, RESTRICTED = ({"coding": [{"system": CONFIDENTIALITY, "code": code}]} for code in "NR")
SET, CLEAR = ({"url": ARCHIVED, "valueBoolean": value} for value in (True, False))
PLAIN = {"resourceType": "DocumentReference", "status": "current", "securityLabel": [NORMAL]}


def named(wanted, before=None, *, marks=Mark.NONE, wanted_marks=Mark.NONE):
    """The commands that lead from a document to another one."""
    stored = a_document("p", marks=marks)
    return list(commands_of(SeenDocument(stored, all_of("p"), PLAIN | (before or {})), PLAIN | wanted, wanted_marks))


@pytest.mark.parametrize(
    ("wanted", "commands"),
    [
        ({}, []),
        ({"status": "superseded"}, [Supersede()]),
        ({"status": "entered-in-error"}, [Withdraw()]),
        ({"extension": [SET]}, [Archive(SET)]),
        ({"extension": [CLEAR]}, [Unarchive(CLEAR)]),
        ({"securityLabel": [RESTRICTED]}, [ChangeConfidentiality((RESTRICTED,))]),
        ({"status": "superseded", "extension": [SET]}, [Supersede(), Archive(SET)]),
        ({"status": "entered-in-error", "extension": [SET]}, [Withdraw()]),
    ],
)
def test_a_difference_names_its_command(wanted, commands):
    assert named(wanted) == commands


def test_a_removed_flag_names_the_command_that_clears_it():
    assert named({}, {"extension": [SET]}) == [Unarchive()]


@pytest.mark.parametrize(
    ("before", "after", "commands"),
    [
        (Mark.NONE, Mark.MASQUE_PS, [Hide(Mark.MASQUE_PS)]),
        (Mark.MASQUE_PS, Mark.NONE, [Show(Mark.MASQUE_PS)]),
        (Mark.MASQUE_PS, Mark.MASQUE_PSOCIAL, [Hide(Mark.MASQUE_PSOCIAL), Show(Mark.MASQUE_PS)]),
    ],
)
def test_marks_that_differ_name_hiding_and_showing(before, after, commands):
    assert named({}, marks=before, wanted_marks=after) == commands


@pytest.mark.parametrize("wanted", [{"status": "preliminary"}, {"extension": [SET, CLEAR]}, {"securityLabel": []}])
def test_a_difference_that_no_command_makes_is_refused(wanted):
    with pytest.raises(Problem):
        named(wanted)


@pytest.fixture
def document(world: World):
    return world.publish()


def by(world, who):
    return caller_of(world.runtime, f"Bearer {world.tokens[who]}", Origin("127.0.0.1", "request-1"))


def changes_of(world, document):
    """The stored AuditEvents of changes of a document, and the notices about it."""
    events = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()["entry"]
    texts = [orjson.dumps(one["resource"]) for one in events if one["resource"]["action"] in "UD"]
    return [text for text in texts if document.encode() in text]


def test_several_commands_make_one_version_and_one_audit_event(world: World, document):
    written = documents.change_document(
        world.runtime, by(world, "camille"), document, Archive(), Hide(Mark.MASQUE_PS | Mark.MASQUE_PSOCIAL),
        Show(Mark.MASQUE_PSOCIAL),
    )  # fmt: skip
    stored = written.shown.stored
    assert (stored.version, stored.mark, stored.facts.access.marks) == (2, 1, Mark.MASQUE_PS)
    assert SET in orjson.loads(stored.body)["extension"]
    assert len(changes_of(world, document)) == 1
    assert world.get("camille", f"/DocumentReference/{document}").headers["ETag"] == 'W/"2-1"'


def test_a_command_is_refused_as_the_same_patch_is(world: World, document):
    with pytest.raises(Problem) as refused:
        documents.change_document(world.runtime, by(world, "camille"), document, Archive(), Supersede())
    assert refused.value.issues[0].code == "not-depositor"
    assert world.get("camille", f"/DocumentReference/{document}").headers["ETag"] == 'W/"1-0"'


def test_an_unknown_document_is_not_found(world: World):
    with pytest.raises(Problem) as refused:
        documents.change_document(world.runtime, by(world, "camille"), world.ids["camille"], Hide(Mark.MASQUE_PS))
    assert refused.value.category.value == "not-found"


def test_the_depositor_withdraws_and_the_answer_says_so(world: World, document):
    written = documents.change_document(world.runtime, by(world, "chu-ehr"), document, Withdraw())
    assert orjson.loads(written.shown.stored.body)["status"] == "entered-in-error"
    assert world.get("chu-ehr", f"/DocumentReference/{document}").status_code == 410
