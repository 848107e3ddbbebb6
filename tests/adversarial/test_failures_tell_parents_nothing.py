"""B10: that somebody failed to reach a minor's secret is told to the minor, and to no parent, who failed or not."""

from base64 import b64decode

import pytest

from consent_rules.vocabulary import RequesterKind
from tests.http.spaces import UNKNOWN, parent, sign_in
from tests.world import JSON_PATCH, World

SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"
PATCH = [{"op": "replace", "path": "/status", "value": "superseded"}]


@pytest.fixture
def family(world: World):
    """Return a world in which Inès, 15, has two parents, a secret document, and one that is none."""
    world.patient("ines", "210039999900255", "2010-06-01")
    for name in ("marc", "anne"):
        parent(world, name, "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    world.professional("blocked", "70", "other")
    world.ids["secret"] = world.publish(patient="ines", marks=(SECRET,))
    world.ids["plain"] = world.publish(patient="ines")
    return world


def content(world: World, document):
    body = world.get("ines", f"/DocumentReference/{document}").get_json()
    return body["content"][0]["attachment"]["url"].rpartition("/fhir")[2]


def entries(world: World, who):
    """Return the ids of the journal of the space that somebody reads, the looks at the journal itself left out."""

    def is_a_look(event):
        queries = (b64decode(entity.get("query", "")).decode() for entity in event["entity"])
        return any("/fhir/AuditEvent?" in query for query in queries)

    answer = world.get(who, f"/AuditEvent?patient={world.ids['ines']}&_count=200")
    assert answer.status_code == 200
    events = [entry["resource"] for entry in answer.get_json().get("entry", [])]
    return {event["id"] for event in events if not is_a_look(event)}


DOORS = {
    "read": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}"),
    "head": lambda world, who, id_: world.send(who, "HEAD", f"/DocumentReference/{id_}"),
    "vread": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/_history/1"),
    "history": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/_history"),
    "patch": lambda world, who, id_: world.send(who, "PATCH", f"/DocumentReference/{id_}", PATCH, JSON_PATCH),
    "delete": lambda world, who, id_: world.send(who, "DELETE", f"/DocumentReference/{id_}"),
    "audience": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/$audience"),
    "explain": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/$explain"),
    "search by id": lambda world, who, id_: world.get(who, f"/DocumentReference?_id={id_}"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_parent_who_fails_finds_no_trace_and_nor_does_the_other(family: World, door):
    before = {who: entries(family, who) for who in ("marc", "anne")}
    answers = [DOORS[door](family, "marc", id_) for id_ in (family.ids["secret"], UNKNOWN)]
    assert answers[0].status_code == answers[1].status_code
    assert {who: entries(family, who) for who in ("marc", "anne")} == before


def test_a_parent_who_fails_to_retrieve_finds_none_either(family: World):
    url = content(family, family.ids["secret"])
    before = entries(family, "marc")
    assert family.get("marc", url).status_code == 404
    assert entries(family, "marc") == before


@pytest.mark.parametrize("door", ["read", "history", "patch", "audience", "explain", "search by id"])
def test_a_professional_who_is_refused_it_is_told_to_the_minor_alone(family: World, door):
    before = {who: entries(family, who) for who in ("ines", "marc")}
    DOORS[door](family, "blocked", family.ids["secret"])
    assert entries(family, "marc") == before["marc"]
    assert len(entries(family, "ines") - before["ines"]) == 1


def test_what_is_no_secret_is_told_to_parents_as_before(family: World):
    before = entries(family, "marc")
    assert family.get("blocked", f"/DocumentReference/{family.ids['plain']}").status_code == 404
    assert len(entries(family, "marc") - before) == 1


def test_the_minor_learns_who_tried(family: World):
    before = entries(family, "ines")
    family.get("marc", f"/DocumentReference/{family.ids['secret']}")
    (new,) = entries(family, "ines") - before
    event = family.get("ines", f"/AuditEvent/{new}").get_json()
    assert event["outcome"] == "4"
    assert f"RelatedPerson/{family.ids['marc']}" in str(event["agent"])
    assert family.get("marc", f"/AuditEvent/{new}").status_code == 404
