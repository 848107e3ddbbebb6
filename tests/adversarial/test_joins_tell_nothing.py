"""Fear: that a join tells what a search does not; a leak is planted in each way of joining, and is found."""

import pytest

from fhir_server.application.core.access import KnownFilters
from fhir_server.application.core.shown import Shown
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import search
from fhir_server.application.reading.joining import includes, joins
from fhir_server.registry import REGISTRY
from tests.adversarial.asked.joins import BY_ID, BY_LOT, BY_RECORD
from tests.adversarial.test_two_worlds import MINORS, on_mongodb, told_apart
from tests.adversarial.two_worlds import KINDS, Side, sides
from tests.engines import ENGINES
from tests.http.spaces import UNKNOWN
from tests.world import World

__all__ = ["on_mongodb"]
HIDDEN, TOGETHER = KINDS[-1], KINDS[1]
SECRET = {"": BY_ID, "-lot": BY_LOT, "-record": BY_RECORD}
WAYS = {
    "chain": "/List?patient={space}&item:DocumentReference._id={secret}",
    "_has": "/Patient?_id={space}&_has:DocumentReference:subject:_id={secret}",
    "_list": "/DocumentReference?patient={space}&_id={secret}&_list={secret-lot}",
    "_include": "/List?patient={space}&_include=List:item",
    "_revinclude": "/Patient?_id={space}&_revinclude=DocumentReference:subject",
    "compartment": "/Patient/{space}/DocumentReference?_id={secret}",
}


def everything(access):
    """Return filters that show the whole space, whoever asks: the fault that is planted."""
    view = whole_space(ReadingReason.REGISTERED, access.entered.patient)
    return KnownFilters(dict.fromkeys(REGISTRY, view))


def unfiltered(method):
    def asked(self, *args):
        self.filters = everything(self.access)
        return method(self, *args)

    return asked


def as_stored(_access, rows, _filters):
    return tuple(Shown(row, knows_marks=False) for row in rows)


def planted(way, monkeypatch):
    """Let one way of joining read without the filter of the permit."""
    enter = search._enter
    for reads in (search, joins):  # what a body refers to is shown as it is stored
        monkeypatch.setattr(reads, "present", as_stored)
    if way in {"_list", "compartment"}:
        monkeypatch.setattr(search, "_enter", lambda access, *asked: enter(access, *asked) and everything(access))
    if way in {"chain", "_has", "_list"}:
        monkeypatch.setattr(joins.Joins, "resolved", unfiltered(joins.Joins.resolved))
    else:
        monkeypatch.setattr(includes.Includes, "_shown", unfiltered(includes.Includes._shown))


def answer(side: Side, who: str, way: str):
    """Return how much a search shows that joins by one way, where the secret is and where it is not."""
    ids = {"secret": UNKNOWN, "secret-lot": UNKNOWN} | side.ids
    told = side.get(who, WAYS[way].format(space=side.ids[side.space], **ids)).get_json()
    return told["total"], len(told.get("entry", ()))


@pytest.mark.parametrize("way", WAYS)
def test_a_leak_that_is_planted_in_a_way_of_joining_is_found(tmp_path, monkeypatch, way):
    with sides(tmp_path, TOGETHER) as pair:
        first, second = (answer(side, "marc", way) for side in pair)
        assert first == second
        planted(way, monkeypatch)
        first, second = (answer(side, "marc", way) for side in pair)
    assert first != second


@pytest.mark.parametrize("store", ENGINES)
@pytest.mark.parametrize("kind", [MINORS, HIDDEN], ids=lambda kind: kind.name)
def test_a_search_that_names_the_secret_in_a_join_is_told_as_one_of_an_unknown(tmp_path, kind, store, request):
    opened = request.getfixturevalue("on_mongodb") if store != "sqlite" else None

    def deed(side):
        for end, paths in SECRET.items():
            name = f"secret{end}" if side.has_secret else "unknown"
            for path in paths:
                for who in kind.knowing[:2]:
                    shown = side.get(who, (path % name).format(space=side.ids[side.space], **side.ids))
                    assert shown.status_code == 200, shown.get_data(as_text=True)

    with sides(tmp_path, kind, opened) as pair:
        assert told_apart(pair, kind, deed) == {}


class TestOfAnAppWithAToken:
    """What somebody learns who may read something, and asks about what they may not."""

    @pytest.fixture
    def asked(self, world: World) -> World:
        world.agree("camille", "martin")
        world.agree("camille", "nour")
        world.ids["hidden"], world.ids["plain"] = world.publish_all("chu-ehr", world.filing(), world.filing())
        assert world.hide(world.ids["hidden"]).status_code == 200
        assert world.agree("camille", "zoe", "deny").status_code == 201
        return world

    def test_whom_a_patient_excludes_is_no_answer_to_a_join(self, asked: World):
        zoe, nour = (f"Practitioner/{asked.ids[name]}" for name in ("zoe", "nour"))
        for actor in (zoe, nour):
            path = f"/Patient?_id={asked.ids['camille']}&_has:Consent:patient:actor={actor}"
            assert asked.found("martin", path) == []
        assert asked.found("camille", path) == [asked.ids["camille"]]
        brought = asked.get("martin", f"/Patient?_id={asked.ids['camille']}&_revinclude=Consent:patient").text
        assert zoe not in brought
        assert nour not in brought

    def test_who_read_what_is_no_answer_to_a_join(self, asked: World):
        asked.get("nour", f"/DocumentReference/{asked.ids['plain']}")
        space = asked.ids["camille"]
        for query in ("_has:AuditEvent:entity:action=R", "_has:AuditEvent:entity:agent=Practitioner/x"):
            for who in ("martin", "camille"):
                assert asked.get(who, f"/DocumentReference?patient={space}&{query}").status_code == 400
        brought = asked.get("martin", f"/DocumentReference?patient={space}&_revinclude=AuditEvent:entity").get_json()
        assert "include" not in {entry["search"]["mode"] for entry in brought["entry"]}

    def test_a_space_that_was_not_entered_is_not_joined(self, asked: World):
        asked.patient("paul", "184039999900186")
        other = asked.publish(patient="paul")
        for query in (f"_id={other}&_revinclude=*", f"_list={other}", f"relatesto:DocumentReference._id={other}"):
            assert asked.found("martin", f"/DocumentReference?patient={asked.ids['camille']}&{query}") == []

    def test_naming_a_sealed_document_hides_no_other_access_from_the_patient(self, asked: World):
        sealed = asked.filing(marks=("INVISIBLE_PATIENT",))
        waiting, beside = asked.publish_all("chu-ehr", sealed, asked.filing())
        iterated = "_revinclude=List:item&_include:iterate=List:item"
        shown = asked.found("martin", f"/DocumentReference?_id={waiting}&{iterated}")
        assert beside in shown
        journal = f"/AuditEvent?patient={asked.ids['camille']}&entity=DocumentReference/{beside}"
        events = asked.get("camille", f"{journal}&agent=Practitioner/{asked.ids['martin']}").get_json()
        assert events["total"] == 1
        assert waiting not in str(events)
