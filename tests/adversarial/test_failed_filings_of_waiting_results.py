"""E9: a failed filing of a result that was to wait reads, for the patient, like any failed filing: it names nothing."""

import json
import re

import pytest

from tests.holds import holds
from tests.http.spaces import UNKNOWN
from tests.world import World

WAITS = ("INVISIBLE_PATIENT",)
CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z?|\d\d/\d\d/\d{4}|\d\dh\d\d")
"""Ids and instants: they differ between any two events."""


def dangling(world: World, marks, who):
    document = world.simplified(patient="camille", marks=marks)
    document["context"] = document.get("context", {}) | {"related": [{"reference": f"DocumentReference/{UNKNOWN}"}]}
    return world.send(who, "POST", "/DocumentReference", document)


def by_bundle(world: World, marks, who):
    bundle = world.bundle(world.filing(patient="camille", marks=marks))
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "DocumentReference":
            related = [{"reference": f"DocumentReference/{UNKNOWN}"}]
            entry["resource"].setdefault("context", {})["related"] = related
    return world.send(who, "POST", "", bundle)


def told_of(world: World, fails):
    """Return what the patient newly reads in the journal after a failed filing."""

    def journal():
        path = f"/AuditEvent?patient={world.ids['camille']}&_count=200&action=C"
        found = world.get("camille", path).get_json().get("entry", [])
        return {one["resource"]["id"]: one["resource"] for one in found}

    before = journal()
    assert fails().status_code == 422
    return [event for id_, event in journal().items() if id_ not in before]


@holds("E9")
@pytest.mark.parametrize("way", [dangling, by_bundle])
def test_the_patient_cannot_tell_it_from_the_failure_of_an_ordinary_filing(world: World, way):
    waiting = told_of(world, lambda: way(world, WAITS, "chu-ehr"))
    ordinary = told_of(world, lambda: way(world, (), "chu-ehr"))
    assert [CHANGING.sub("*", json.dumps(event)) for event in waiting] == [
        CHANGING.sub("*", json.dumps(event)) for event in ordinary
    ]
    assert len(waiting) == 1
    assert "DocumentReference/" not in json.dumps(waiting[0])
