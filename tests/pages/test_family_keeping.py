"""What a minor keeps from a parent on the page of a document: marked from their own sign-in, gone without a trace."""

import pytest

from consent_rules.vocabulary import RequesterKind
from tests.http.spaces import parent
from tests.pages.visitors import Visitor, an_account

MARK = "INVISIBLE_REPRESENTANTS_LEGAUX"


@pytest.fixture
def family(world):
    """Ines is fifteen; Marc represents her."""
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    an_account(world, "ines", "ines")
    an_account(world, "marc", "ines", kind=RequesterKind.RELATED)
    return world


def people(world):
    return Visitor(world, "ines", world.ids["ines"]), Visitor(world, "marc", world.ids["ines"])


def test_a_minor_keeps_a_document_and_the_parent_finds_no_trace(family):
    shown, kept = family.publish(patient="ines"), family.publish(patient="ines")
    ines, marc = people(family)
    assert kept in marc.get("/documents").text
    assert f"/documents/{kept}/for-me" in ines.get(f"/documents/{kept}").text
    assert "cannot be undone" in ines.get(f"/documents/{kept}/for-me").text
    assert ines.send(f"/documents/{kept}/for-me").status_code == 303
    assert "do not see this document" in ines.get(f"/documents/{kept}").text
    page = marc.get("/documents").text
    assert shown in page
    assert kept not in page
    unknown = "00000000-0000-4000-8000-000000000009"
    answers = [marc.get(f"/documents/{one}") for one in (kept, unknown)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(kept, unknown) == answers[1].text
    assert kept not in marc.get(f"//journal?person={marc.patient}&own=1").text


def test_nobody_but_the_minor_keeps_a_document_there(family):
    document = family.publish(patient="ines")
    _, marc = people(family)
    assert "/for-me" not in marc.get(f"/documents/{document}").text
    assert marc.get(f"/documents/{document}/for-me").status_code == 404
    assert 400 <= marc.send(f"/documents/{document}/for-me").status_code < 500
    assert marc.get(f"/documents/{document}").status_code == 200


def test_an_adult_is_offered_nothing_to_keep(world):
    an_account(world, "camille", "camille")
    camille, document = Visitor(world, "camille", world.ids["camille"]), world.publish()
    assert "/for-me" not in camille.get(f"/documents/{document}").text
    assert camille.get(f"/documents/{document}/for-me").status_code == 404
    assert 400 <= camille.send(f"/documents/{document}/for-me").status_code < 500


def test_the_form_leaves_the_event_of_the_same_patch_of_an_app(family):
    one, other = family.publish(patient="ines"), family.publish(patient="ines")
    ines, _ = people(family)
    ines.send(f"/documents/{one}/for-me")
    family.hide(other, "ines", MARK)
    found = family.get("ines", f"/AuditEvent?patient={family.ids['ines']}&date=ge2020&_count=100&action=U").get_json()
    told = [entry["resource"] for entry in found["entry"]]
    about = {id_: [e for e in told if any(id_ in str(x.get("what")) for x in e["entity"])] for id_ in (one, other)}
    kinds = [
        [(e["subtype"], e["action"], e["outcome"], e.get("extension")) for e in about[id_]] for id_ in (one, other)
    ]
    assert len(kinds[0]) == 1
    assert kinds[0] == kinds[1]
