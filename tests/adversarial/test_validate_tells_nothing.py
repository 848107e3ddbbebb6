"""`$validate` on one resource, asked by whom it is hidden from: a leak that is planted there is found."""

from fhir_server.application.core.shown import Shown
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading.conformance import validation
from tests.adversarial.asked import asked, validate
from tests.adversarial.two_worlds import KINDS, sides

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
HIDDEN = next(kind for kind in KINDS if kind.name == "hidden")


def knocked(pair, who):
    """Return what tells a hidden id from an unknown one at this door, for whom it is hidden from."""
    _, side = pair
    ends = {validate.BY_ID: "", validate.BY_LOT: "-lot", validate.BY_RECORD: "-record"}
    found = []
    for paths, end in ends.items():
        for path in paths:
            secret = side.get(who, path.replace("{%s}", side.ids[f"secret{end}"]))
            unknown = side.get(who, path.replace("{%s}", UNKNOWN))
            found += [path] if (secret.status_code, secret.data) != (unknown.status_code, unknown.data) else []
    return found


def test_the_door_is_asked_in_two_worlds():
    assert set(validate.BY_ID) <= set(asked("BY_ID"))


def test_a_hidden_resource_is_an_unknown_one(tmp_path):
    with sides(tmp_path, HIDDEN) as pair:
        assert knocked(pair, "martin") == []
        assert knocked(pair, "camille") != []


def test_the_leak_of_a_check_that_reads_past_the_decision_is_found(tmp_path, monkeypatch):
    """The fault is planted: the stored resource is read whoever asks."""

    def read_whole(runtime, _caller, row, id_):
        with runtime.ports.store.snapshot() as snapshot:
            place = snapshot.locate(row.name, id_)
            if place is None:
                raise validation.read.not_found()
            everything = whole_space(ReadingReason.REGISTERED, place.compartment)
            return Shown(snapshot.read(row.name, id_, everything), knows_marks=False)

    with sides(tmp_path, HIDDEN) as pair:
        monkeypatch.setattr(validation.read, "read", read_whole)
        assert set(knocked(pair, "martin")) == {*validate.BY_ID, *validate.BY_LOT, *validate.BY_RECORD}
