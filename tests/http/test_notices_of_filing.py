"""H2: a holder who wishes it is told of what professionals and software file or change, by the same commit."""

from dataclasses import replace

import pytest

from fhir_server.ports.store import StoreUnavailable
from tests.holds import holds
from tests.http.choices import INACTIVE, choose, setting
from tests.http.notices import PCP, kinds, told
from tests.http.spaces import parent
from tests.http.test_patch_documents import ARCHIVED, CONFIDENTIALITY, label
from tests.world import JSON_PATCH, OF_PATIENT, World

SEALED, SECRET = ("INVISIBLE_PATIENT",), ("INVISIBLE_REPRESENTANTS_LEGAUX",)


def patch(world: World, who, document, *operations):
    answer = world.send(who, "PATCH", f"/DocumentReference/{document}", list(operations), JSON_PATCH)
    assert answer.status_code == 200, answer.get_data(as_text=True)


@pytest.fixture
def wished(world: World):
    """Return a world in which Camille wishes to be told."""
    world.wish = choose(world, setting(world, "told-of-filing"))
    return world


class TestFiling:
    """H2: what is added."""

    def test_nothing_is_told_unless_it_is_wished(self, world: World):
        world.publish()
        world.publish("nour")
        assert told(world) == []

    @holds("H2")
    def test_one_notice_for_a_lot_names_who_where_and_which_documents(self, wished: World):
        lot = wished.publish_all("nour", wished.filing(), wished.filing())
        (notice,) = told(wished)
        assert kinds([notice]) == ["document-filed"]
        assert notice["recipient"] == [{"reference": f"Patient/{wished.ids['camille']}"}]
        assert notice["about"] == [
            {"reference": f"Practitioner/{wished.ids['nour']}", "display": "nour"},
            {"reference": f"Organization/{wished.ids['chu']}", "display": "chu"},
            *({"reference": f"DocumentReference/{document}"} for document in lot),
        ]
        assert "nour (chu) a déposé des documents" in notice["payload"][0]["contentString"]

    def test_software_and_the_simplified_way_are_told_of_too(self, wished: World):
        created = wished.send("chu-ehr", "POST", "/DocumentReference", wished.simplified()).get_json()["id"]
        (notice,) = told(wished)
        assert [about["reference"].split("/")[0] for about in notice["about"]] == ["Organization", "DocumentReference"]
        assert created in str(notice["about"])
        assert "Un logiciel" in notice["payload"][0]["contentString"]

    def test_the_holders_own_filing_is_not(self, wished: World):
        wished.publish("camille", type_=OF_PATIENT, mime="application/pdf")
        assert told(wished) == []

    def test_a_wish_that_is_taken_back_ends_it(self, wished: World):
        answer = wished.send("camille", "PATCH", f"/Consent/{wished.wish}", INACTIVE, JSON_PATCH)
        assert answer.status_code == 200
        wished.publish()
        assert told(wished) == []

    def test_no_professional_reads_the_notice(self, wished: World):
        wished.agree("camille", "nour")
        assert wished.send("camille", "POST", "/Consent", wished.consent("martin", role=PCP)).status_code == 201
        wished.publish("nour")
        path = f"/Communication?patient={wished.ids['camille']}&category=document-filed"
        assert [wished.get(who, path).get_json().get("total", 0) for who in ("camille", "nour", "martin")] == [1, 0, 0]

    def test_the_answer_to_the_depositor_does_not_show_the_wish(self, world: World):
        def file():
            answer = world.send("nour", "POST", "", world.bundle())
            return answer.status_code, sorted(answer.headers.keys()), len(answer.get_data())

        before = file()
        choose(world, setting(world, "told-of-filing"))
        assert file() == before

    def test_without_the_notice_nothing_is_filed(self, wished: World, monkeypatch):
        store = wished.runtime.ports.store
        commit = store.commit

        def failing(change):
            if any(write.after.type == "Communication" for write in change.writes):
                raise StoreUnavailable("no room")
            commit(change)

        monkeypatch.setattr(store, "commit", failing)
        assert wished.send("nour", "POST", "", wished.bundle()).status_code == 503
        monkeypatch.undo()
        assert wished.found("camille", f"/DocumentReference?patient={wished.ids['camille']}") == []


class TestWhatIsKept:
    """H2 tells nothing before an announcement (E9), and nothing of a minor's secret to a representative (B10)."""

    def test_what_waits_is_told_of_when_it_is_announced(self, wished: World):
        wished.agree("camille", "nour")
        document = wished.publish("nour", marks=SEALED)
        assert told(wished) == []

        patch(wished, "nour", document, {"op": "remove", "path": "/securityLabel/1"})

        (notice,) = told(wished)
        assert kinds([notice]) == ["document-changed"]
        assert f"DocumentReference/{document}" in str(notice["about"])

    def test_a_lot_is_told_of_without_what_waits_in_it(self, wished: World):
        sealed, plain = wished.publish_all("nour", wished.filing(marks=SEALED), wished.filing())
        (notice,) = told(wished)
        assert plain in str(notice)
        assert sealed not in str(notice)

    def test_a_secret_is_told_to_the_minor_alone(self, world: World):
        world.patient("lea", "284039999900255", "2010-06-01")
        parent(world, "marc", "lea")
        of_lea = replace(world, ids=world.ids | {"camille": world.ids["lea"]})
        choose(of_lea, setting(of_lea, "told-of-filing"), "lea")
        secret = world.publish("nour", patient="lea", marks=SECRET)
        assert (kinds(told(of_lea, "lea")), told(of_lea, "marc")) == (["document-filed"], [])

        both = world.publish_all("nour", world.filing(patient="lea", marks=SECRET), world.filing(patient="lea"))

        assert kinds(told(of_lea, "lea")) == ["document-filed"] * 3
        (open_,) = told(of_lea, "marc")
        assert both[1] in str(open_)
        assert not {secret, both[0]} & set(str(open_).replace("'", "/").split("/"))


class TestChanging:
    """H2: what is changed by others."""

    @holds("H2")
    @pytest.mark.parametrize("change", ["archive", "confidentiality", "supersede", "withdraw", "delete"])
    def test_a_change_by_the_depositor(self, wished: World, change):
        document = wished.publish("chu-ehr")
        operation = {
            "archive": {"op": "add", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": True}]},
            "confidentiality": {"op": "replace", "path": "/securityLabel/0", "value": label("R", CONFIDENTIALITY)},
            "supersede": {"op": "replace", "path": "/status", "value": "superseded"},
            "withdraw": {"op": "replace", "path": "/status", "value": "entered-in-error"},
        }
        if change == "delete":
            assert wished.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code == 204
        else:
            patch(wished, "chu-ehr", document, operation[change])
        assert sorted(kinds(told(wished))) == ["document-changed", "document-filed"]

    def test_a_change_by_the_holder_and_one_of_nothing_are_not_told(self, wished: World):
        document = wished.publish("chu-ehr")
        assert wished.hide(document).status_code == 200
        patch(wished, "chu-ehr", document, {"op": "replace", "path": "/status", "value": "current"})
        assert kinds(told(wished)) == ["document-filed"]
