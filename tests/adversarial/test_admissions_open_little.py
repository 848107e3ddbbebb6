"""An admission system speaks for its own establishment and for now, and a stay kept from parents shows nowhere.

Source: statements V1, V7 and V10 of docs/rules.md; rules B5, B6 and B10; docs/adr/0099.
"""

import pytest

from tests.adversarial.households import MARK, SECRET, declare, household, notices, read, trail, trail_text
from tests.http.notices import kinds
from tests.http.spaces import UNKNOWN
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_admissions import admission_system, admit, encounter, end, facts
from tests.http.test_recipients import send
from tests.world import World

FEBRUARY = {"start": "2026-02-01T08:00:00Z", "end": "2026-02-03T08:00:00Z"}


@pytest.fixture
def home(world: World) -> World:
    return household(world)


def put(world: World, id_, **more):
    return world.send("chu-adt", "PUT", f"/Encounter/{id_}", encounter(world, **more) | {"id": id_})


@BOTH
def test_an_ended_stay_that_goes_on_is_a_beginning_that_is_told_and_counted(home: World):
    id_ = admit(home, status="finished", **FEBRUARY)
    assert (facts(home), notices(home, "camille", "camille")) == ([], [])
    assert put(home, id_).status_code == 200
    assert kinds(notices(home, "camille", "camille")) == ["care-stated"]
    end(home, id_)
    put(home, id_)
    assert kinds(notices(home, "camille", "camille")) == ["care-stated"] * 2


def test_no_system_admits_to_another_establishment(home: World):
    elsewhere = [home.practice("martin", "other"), home.ids["martin"]]
    for type_, id_ in zip(("PractitionerRole", "Practitioner"), elsewhere, strict=True):
        named = [{"individual": {"reference": f"{type_}/{id_}"}}]
        answer = home.send("chu-adt", "POST", "/Encounter", encounter(home, participant=named))
        assert answer.status_code == 422
        assert "participant[0].individual" in answer.text
    assert facts(home) == []
    here = home.practice("awa", "chu")
    named = [
        {"individual": {"reference": one}} for one in (f"PractitionerRole/{here}", f"Practitioner/{home.ids['awa']}")
    ]
    admit(home, participant=named)
    assert len(facts(home)) == 1


def test_an_establishment_that_fills_a_space_keeps_no_other_out(home: World):
    most = home.runtime.profile.facts_of_care
    admission_system(home, "other-adt", "other")
    for _ in range(most):
        admit(home)
    for _ in range(most // 2):
        admit(home, "other-adt")
    assert home.send("other-adt", "POST", "/Encounter", encounter(home)).status_code == 422
    shares = [one.recorder for one in facts(home)]
    assert (shares.count("Device/chu-adt"), shares.count("Device/other-adt")) == (most // 2, most // 2)


class TestKeptFromParents:
    """A stay, or a document's recipient, that a minor keeps from parents changes nothing of what they read."""

    @pytest.mark.parametrize("kept", [False, True])
    def test_the_grade_of_an_access_tells_of_no_stay(self, home: World, kept):
        if kept:
            admit(home, patient="lea", **SECRET)
        home.publish(patient="lea")
        declare(home, "awa")
        assert read(home, "awa") == 200
        text = trail_text(home, "marc", "awa")
        assert "déclaré" in text or "declared" in text
        assert not [word for word in ("third_party", "tiers", "V1") if word in text]

    @pytest.mark.parametrize("mark", [MARK, "INVISIBLE_PATIENT"])
    def test_the_grade_of_an_access_tells_of_no_document(self, home: World, mark):
        """Nor does it tell the patient of a result that waits."""
        send(home, f"Practitioner/{home.ids['martin']}", patient="lea", marks=(mark,))
        assert facts(home, "lea")
        home.publish(patient="lea")
        declare(home, "martin")
        assert read(home, "martin") == 200
        for who in ("marc", "lea") if mark != MARK else ("marc",):
            assert "third_party" not in trail_text(home, who, "martin")

    def test_an_open_stay_beside_it_is_told_to_them(self, home: World):
        admit(home, patient="lea", **SECRET)
        admit(home, patient="lea")
        assert kinds(notices(home, "marc")) == ["care-stated"]

    def test_its_end_and_its_reads_are_kept_from_them_too(self, home: World):
        id_ = admit(home, patient="lea", **SECRET)
        before = len(trail(home, "marc"))
        assert end(home, id_, patient="lea").status_code == 200
        assert home.get("lea", f"/Encounter/{id_}").status_code == 200
        after = trail(home, "marc")
        assert len(after) == before + 1  # the search before
        assert home.get("marc", f"/Encounter/{id_}").status_code == 404
        assert id_ not in trail_text(home, "marc")

    @pytest.mark.parametrize(
        "path", ["AuditEvent?entity=Encounter/{}", "DocumentReference?encounter=Encounter/{}", "Encounter?_id={}"]
    )
    def test_a_search_by_it_finds_what_an_unknown_id_finds(self, home: World, path):
        id_ = admit(home, patient="lea", **SECRET)
        of = f"&patient={home.ids['lea']}"
        found = [home.get("marc", f"/{path.format(one)}{of}").get_json() for one in (id_, UNKNOWN)]
        assert [one["total"] for one in found] == [0, 0]
