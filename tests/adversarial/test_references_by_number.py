"""Fear: that a reference by an identifier alone shows a parent the number of a document that the minor hides (B10)."""

import pytest

from tests.adversarial.test_failures_tell_parents_nothing import family, number_of
from tests.world import JSON_PATCH, World

__all__ = ["family"]  # a fixture of another module


def recorded(world: World, name: str) -> str:
    """Record an agreement that was signed on a document, which it names by its number; return its address."""
    said = world.consent("zoe") | {"patient": {"reference": f"Patient/{world.ids['ines']}"}}
    said["performer"] = [{"reference": f"Patient/{world.ids['ines']}"}]
    said["sourceReference"] = {"identifier": number_of(world, name), "display": "signed form"}
    answer = world.send("ines", "POST", "/Consent", said)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return f"/Consent/{answer.get_json()['id']}"


def related(world: World, name: str) -> str:
    """File a document that names another one by its number; return its address."""
    document = world.simplified(patient="ines")
    document["context"] = document.get("context", {}) | {"related": [{"identifier": number_of(world, name)}]}
    answer = world.send("chu-ehr", "POST", "/DocumentReference", document)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return f"/DocumentReference/{answer.get_json()['id']}"


WAYS = {"Consent": (recorded, "source-reference"), "DocumentReference": (related, "related")}


@pytest.mark.parametrize("type_", WAYS)
@pytest.mark.parametrize("name", ["secret", "plain"])
def test_a_parent_reads_the_number_of_no_secret_that_is_named_by_it(family: World, type_, name):
    names, parameter = WAYS[type_]
    patient, number = family.ids["ines"], number_of(family, name)
    path = names(family, name)
    by_number = f"/{type_}?patient={patient}&{parameter}:identifier={number['system']}|{number['value']}"
    searched = (f"/{type_}?patient={patient}", f"/AuditEvent?patient={patient}", f"/Communication?patient={patient}")
    for who, reads in (("marc", name == "plain"), ("ines", True)):
        shown = [family.get(who, one).get_data(as_text=True) for one in (path, f"{path}/_history", searched[0])]
        assert [number["value"] in text for text in shown] == [reads] * 3, who
        assert (path.rpartition("/")[2] in family.found(who, by_number)) is reads, who
    told = [family.get("marc", one).get_data(as_text=True) for one in searched[1:]]
    assert not [text for text in told if number["value"] in text]


def test_a_parent_who_changes_the_document_reads_no_number_in_the_answer(family: World):
    path, number = related(family, "secret"), number_of(family, "secret")
    test = [{"op": "test", "path": "/status", "value": "current"}]
    answers = {who: family.send(who, "PATCH", path, test, JSON_PATCH) for who in ("marc", "ines")}
    assert [answer.status_code for answer in answers.values()] == [200, 200]
    assert number["value"] in answers["ines"].get_data(as_text=True)
    assert number["value"] not in answers["marc"].get_data(as_text=True)


def test_a_number_that_nobody_has_here_stays(family: World):
    document = family.simplified(patient="ines")
    elsewhere = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.4.5.6"}
    document["context"] = document.get("context", {}) | {"related": [{"identifier": elsewhere}]}
    filed = family.send("chu-ehr", "POST", "/DocumentReference", document).get_json()["id"]
    assert elsewhere["value"] in family.get("marc", f"/DocumentReference/{filed}").get_data(as_text=True)
