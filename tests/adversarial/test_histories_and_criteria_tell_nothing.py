"""Planted leaks in histories and in writes by criteria are found, so the comparisons of these doors are sharp."""

import pytest

from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.documents import document_requests
from fhir_server.application.reading import conditional
from fhir_server.application.reading.versions import histories
from tests.adversarial.doors import UNKNOWN
from tests.adversarial.test_every_door import told
from tests.adversarial.test_two_worlds import told_apart
from tests.adversarial.two_worlds import KINDS, differences, sides
from tests.http.stores import BOTH, another, runtime, store
from tests.world import JSON_PATCH, World

__all__ = ["another", "runtime", "store"]
TEST = [{"op": "test", "path": "/status", "value": "current"}]


@pytest.mark.parametrize("what", ["number of versions", "number in the space"])
def test_the_leak_of_a_history_that_is_not_filtered_is_found(tmp_path, monkeypatch, what):
    """The fault is planted: the history reads the whole space, once it is entered."""
    entered = histories._enter

    def unfiltered(access, rows, named):
        filters = entered(access, rows, named)
        is_asked = (len(rows) == 1) == (what == "number of versions")
        return whole_space(ReadingReason.REGISTERED, access.entered.patient) if is_asked else filters

    monkeypatch.setattr(histories, "_enter", unfiltered)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = {one.what for one in differences(pair, KINDS[-1], 40, seed=8)}
    assert what in found


@pytest.mark.parametrize("type_", ["List", "DocumentReference", "Provenance"])
def test_the_event_of_a_history_marks_no_resource_as_the_first(tmp_path, type_):
    """A mark on the first one that a reader sees would tell whether a hidden one comes before it."""
    kind = KINDS[5]
    assert kind.name == "withheld by name"

    def looks(side):
        assert side.get("camille", f"/{type_}/_history?patient={side.ids[side.space]}").status_code == 200

    with sides(tmp_path, kind) as pair:
        assert told_apart(pair, kind, looks) == {}


@BOTH
@pytest.mark.parametrize(("method", "body"), [("PATCH", TEST), ("DELETE", None)])
@pytest.mark.parametrize("is_planted", [False, True])
def test_the_leak_of_a_document_that_criteria_find_unseen_is_found(world: World, monkeypatch, method, body, is_planted):
    """The fault is planted: criteria are met by whatever is in the space that the caller has entered."""
    world.agree("camille", "martin")
    hidden = [world.publish(), world.publish()]
    for one in hidden:
        assert world.hide(one).status_code == 200
    if is_planted:
        enter = document_requests._enter_to_write

        def unfiltered(work, patient, letter):
            return enter(work, patient, letter)[0], whole_space(ReadingReason.REGISTERED, patient)

        monkeypatch.setattr(document_requests, "_enter_to_write", unfiltered)
        monkeypatch.setattr(conditional, "judged", lambda _snapshot, search, _filters: search)
    patient = world.ids["camille"]
    answers = [
        told(world.send("martin", method, f"/DocumentReference?patient={patient}&_id={ids}", body, JSON_PATCH))
        for ids in (",".join(hidden), UNKNOWN)
    ]
    assert (answers[0] != answers[1]) is is_planted
