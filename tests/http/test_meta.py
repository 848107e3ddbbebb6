"""`[type]/[id]/$meta` over HTTP: labels as whoever reads the resource sees them, of one resource only."""

import pytest

from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import read
from tests.adversarial.two_worlds import KINDS, sides
from tests.holds import holds
from tests.http.spaces import UNKNOWN
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import World


@pytest.fixture
def marked(world: World) -> World:
    world.ids["plain"], world.ids["hidden"] = world.publish(), world.publish("other-ehr", place="other")
    assert world.hide(world.ids["hidden"]).status_code == 200
    assert world.agree("camille", "nour").status_code == 201
    return world


def asked(world: World, who: str, name: str, type_: str = "DocumentReference"):
    return world.get(who, f"/{type_}/{world.ids.get(name, name)}/$meta")


@holds("REST-20")
@BOTH
@pytest.mark.parametrize("who", ["camille", "nour", "chu-ehr"])
def test_it_is_the_meta_of_the_resource_as_it_is_read(marked, who):
    for path in (f"/DocumentReference/{marked.ids['plain']}", f"/Patient/{marked.ids['camille']}"):
        whole = marked.get(who, path)
        answer = marked.get(who, f"{path}/$meta")
        assert answer.status_code == whole.status_code
        if whole.status_code == 200:
            (part,) = answer.get_json()["parameter"]
            assert part == {"name": "return", "valueMeta": whole.get_json()["meta"]}


def test_versions_of_marks_are_told_to_those_alone_who_know_marks(marked):
    own = asked(marked, "camille", "plain").get_json()["parameter"][0]["valueMeta"]["versionId"]
    assert marked.agree("camille", "martin").status_code == 201
    read_by = asked(marked, "martin", "plain").get_json()["parameter"][0]["valueMeta"]["versionId"]
    assert (own, read_by) == ("1-0", "1")


@BOTH
@pytest.mark.parametrize("who", ["nour", "martin", "other-ehr", "zoe"])
def test_a_hidden_id_and_an_unknown_one_are_alike(marked, who):
    name = "plain" if who == "other-ehr" else "hidden"
    hidden, unknown = asked(marked, who, name), asked(marked, who, UNKNOWN)
    assert (hidden.status_code, hidden.get_data()) == (404, unknown.get_data())


@pytest.mark.parametrize(
    "path", ["/$meta", "/DocumentReference/$meta", "/DocumentReference/1/$meta-add", "/$meta-delete"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_a_type_of_the_server_and_to_change_labels_it_is_refused_by_name(marked, path, method):
    answer = marked.send("camille", method, path, {"resourceType": "Parameters"} if method == "POST" else None)
    assert answer.status_code == 400
    assert "$meta" in answer.get_json()["issue"][0]["details"]["text"]


def test_asking_is_a_read_in_the_journal(marked):
    asked(marked, "nour", "plain")
    wanted = f"/AuditEvent?patient={marked.ids['camille']}&entity=DocumentReference/{marked.ids['plain']}&action=R"
    (entry,) = marked.get("camille", wanted).get_json()["entry"]
    assert entry["resource"]["agent"]


def test_the_leak_of_a_meta_that_anybody_sees_is_found(tmp_path, monkeypatch):
    """The fault is planted: a read by id shows whatever is there."""
    entered = read.enter_by_id

    def everything(access, row):
        filters = entered(access, row)
        return whole_space(ReadingReason.REGISTERED, access.opened.patient) if access.opened else filters

    monkeypatch.setattr(read, "enter_by_id", everything)
    with sides(tmp_path, KINDS[-1]) as pair:
        pair[1].ids["open"] = pair[1].ids["secret"]
        pair[0].ids["open"] = UNKNOWN
        answers = [side.get("martin", f"/DocumentReference/{side.ids['open']}/$meta").status_code for side in pair]
    assert answers == [404, 200]
