"""`Patient/$merge` and `$unmerge` over HTTP on both stores: nothing moves, nothing opens, what closes holds in both.

Source: https://hl7.org/fhir/R5/patient-operation-merge.html; docs/adr/0125-a-merge-joins-what-closes.md.
"""

import pytest

from tests.holds import holds
from tests.http.merges import agreed, documents, done, merge, named, twice, unmerge
from tests.http.spaces import call, parent, refusal
from tests.http.stores import BOTH, another, runtime, store
from tests.world import INS, World, client_of

__all__ = ["another", "runtime", "store"]


@pytest.fixture
def world(runtime, client):
    made = World(runtime, client).open()
    twice(made)
    return made


@pytest.fixture
def client(runtime, settings):
    return client_of(settings, runtime)


def patient(world, name, who="keeper"):
    answer = world.get(who, f"/Patient/{world.ids[name]}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def journal(world, name):
    events = world.get(name, f"/AuditEvent?patient={world.ids[name]}&_sort=date").get_json()["entry"]
    return [event["resource"]["text"]["div"] for event in events]


def notices(world, name):
    found = world.get(name, f"/Communication?patient={world.ids[name]}").get_json()["entry"]
    return [entry["resource"]["category"][0]["coding"][0]["code"] for entry in found]


@BOTH
class TestMerging:
    @holds("MERGE-2")
    def test_the_two_patients_point_to_each_other(self, world):
        parts, text = done(merge(world))
        assert "are merged" in text
        old, new = patient(world, "double"), patient(world, "camille")
        assert old["link"] == [{"other": {"reference": f"Patient/{world.ids['camille']}"}, "type": "replaced-by"}]
        assert old["active"] is False
        assert new["link"] == [{"other": {"reference": f"Patient/{world.ids['double']}"}, "type": "replaces"}]
        assert parts["result"] == new
        assert parts["input"] == named(world)
        assert old["meta"]["versionId"] == new["meta"]["versionId"] == "2"

    @holds("MERGE-3")
    def test_a_preview_changes_nothing_and_is_told(self, world):
        before = patient(world, "double"), patient(world, "camille")
        parts, text = done(merge(world, preview=True))
        assert text == "The identities can be merged. Nothing was changed."
        assert parts["result"]["link"][0]["type"] == "replaces"
        assert (patient(world, "double"), patient(world, "camille")) == before
        assert any("peut être rattachée" in text for text in journal(world, "double"))

    def test_merging_again_changes_nothing(self, world):
        first = done(merge(world))[0]["result"]
        parts, text = done(merge(world))
        assert text == "The identities are merged already. Nothing was changed."
        assert parts["result"] == first

    @holds("MERGE-1")
    def test_each_is_named_by_an_identifier_too(self, world):
        said = named(world)
        said["parameter"][0] = {
            "name": "source-patient-identifier",
            "valueIdentifier": {"system": INS, "value": "284039999900249"},
        }
        assert "are merged" in done(world.send("keeper", "POST", "/Patient/$merge", said))[1]

    @holds("AC51")
    def test_nobody_reads_the_other_space_by_it(self, world):
        own, others = world.publish(), world.publish(patient="double")
        agreed(world, "double", "martin")
        merge(world)
        assert documents(world, "camille", "camille") == (200, [own])
        assert documents(world, "camille", "double")[0] == 403
        assert documents(world, "double", "double") == (200, [others])
        assert documents(world, "double", "camille")[0] == 403
        assert documents(world, "martin", "double") == (200, [others])
        assert documents(world, "martin", "camille")[0] == 403

    def test_a_parent_of_the_one_reads_nothing_of_the_other(self, world):
        for name, ins in (("child", "214039999900311"), ("child-twice", "214039999900412")):
            world.patient(name, ins, "2020-01-05")
            world.publish(patient=name)
        parent(world, "marc", "child")
        merge(world, "child-twice", "child")
        assert documents(world, "marc", "child")[0] == 200
        assert documents(world, "marc", "child-twice")[0] == 403

    @holds("AC51")
    def test_a_block_in_either_space_holds_in_both(self, world):
        world.publish()
        agreed(world, "camille", "martin")
        agreed(world, "double", "martin", "deny")
        assert documents(world, "martin", "camille")[0] == 200
        refused = world.get("martin", f"/DocumentReference?patient={world.ids['double']}").data
        merge(world)
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").data == refused
        unmerge(world)
        assert documents(world, "martin", "camille")[0] == 200

    def test_a_block_said_after_the_merge_holds_in_both_at_once(self, world):
        world.publish(patient="double")
        agreed(world, "double", "martin")
        merge(world)
        assert documents(world, "martin", "double")[0] == 200
        agreed(world, "camille", "martin", "deny")
        assert documents(world, "martin", "double")[0] == 403

    def test_a_closed_space_closes_the_other(self, world):
        world.publish(patient="double")
        merge(world)
        call(world, "camille", "close-space", "camille")
        assert documents(world, "double", "double")[0] == 403
        call(world, "camille", "open-space", "camille")
        assert documents(world, "double", "double")[0] == 200

    def test_both_journals_and_both_patients_are_told(self, world):
        merge(world)
        for name in ("camille", "double"):
            assert any("rattaché cette identité" in text for text in journal(world, name))
            assert "identity-merged" in notices(world, name)
        unmerge(world)
        for name in ("camille", "double"):
            assert "identity-unmerged" in notices(world, name)


@BOTH
class TestUndoing:
    def test_gives_back_the_patients_as_they_were(self, world):
        def settled(name):
            return {name: value for name, value in patient(world, name).items() if name != "meta"}

        before = settled("double"), settled("camille")
        merge(world)
        assert "is undone" in done(unmerge(world))[1]
        assert (settled("double"), settled("camille")) == before

    def test_what_was_filed_meanwhile_stays_where_it_was_filed(self, world):
        merge(world)
        new, old = world.publish(), world.publish(patient="double")
        unmerge(world)
        assert documents(world, "camille", "camille") == (200, [new])
        assert documents(world, "double", "double") == (200, [old])

    def test_undoing_what_is_not_merged_changes_nothing(self, world):
        assert done(unmerge(world))[1] == "The identities are not merged. Nothing was changed."

    def test_they_can_be_merged_again(self, world):
        merge(world)
        unmerge(world)
        assert "are merged" in done(merge(world, "camille", "double"))[1]


class TestRefusals:
    @pytest.mark.parametrize("who", ["camille", "double", "nour", "chu-ehr"])
    @pytest.mark.parametrize("act", [merge, unmerge])
    def test_no_person_and_no_establishment_may(self, world, who, act):
        known = act(world, who=who)
        unknown = act(world, "00000000-0000-4000-8000-000000000009", who=who)
        assert known.status_code == 403
        assert known.data == unknown.data

    def test_nor_software_without_the_scope(self, world):
        world.software("reader", "system/Patient.rs")
        assert merge(world, who="reader").status_code == 403

    def test_nor_software_that_recorded_neither(self, world):
        world.software("second-keeper", "system/*.cruds")
        known = merge(world, who="second-keeper")
        assert known.status_code == 404
        assert known.data == merge(world, "00000000-0000-4000-8000-000000000009", who="second-keeper").data

    def test_a_patient_is_not_merged_with_themself(self, world):
        assert refusal(merge(world, "camille", "camille"))[:2] == (422, "same-patient")

    def test_different_birth_dates_are_corrected_first(self, world):
        world.patient("older", "254039999900310", "1954-03-17")
        assert refusal(merge(world, "older"))[:2] == (422, "birth-dates-differ")

    @pytest.mark.parametrize("name", ["camille", "double"])
    def test_a_space_that_is_not_open(self, world, name):
        call(world, name, "close-space", name)
        assert refusal(merge(world))[:2] == (422, "space-not-open")

    def test_one_that_is_merged_already(self, world):
        world.patient("third", "284039999900350")
        merge(world)
        for source, target in (("third", "camille"), ("third", "double"), ("camille", "double"), ("camille", "third")):
            assert refusal(merge(world, source, target))[:2] == (422, "merged")
        assert refusal(unmerge(world, "camille", "double"))[:2] == (422, "merged")

    def test_nothing_named(self, world):
        answer = world.send("keeper", "POST", "/Patient/$merge", {"resourceType": "Parameters"})
        assert answer.status_code == 400
        assert "source-patient" in answer.get_data(as_text=True)

    @pytest.mark.parametrize(
        "value",
        [
            {"valueReference": {"reference": "Practitioner/1"}},
            {"valueReference": {"reference": "Patient/"}},
            {"valueReference": {"identifier": {"value": "1"}}},
            {"valueString": "Patient/1"},
            {"valueReference": {"reference": 1}},
            {"valueReference": []},
        ],
    )
    def test_a_bad_reference_is_named(self, world, value):
        said = named(world)
        said["parameter"][0] = {"name": "source-patient", **value}
        answer = world.send("keeper", "POST", "/Patient/$merge", said)
        assert answer.status_code == 400, answer.get_data(as_text=True)
        assert "source-patient" in answer.get_data(as_text=True) or "parameter[0]" in answer.get_data(as_text=True)

    def test_an_id_and_an_identifier_of_two_people(self, world):
        said = named(world)
        number = {"system": INS, "value": "284039999900148"}
        said["parameter"].append({"name": "source-patient-identifier", "valueIdentifier": number})
        assert world.send("keeper", "POST", "/Patient/$merge", said).status_code == 404

    def test_too_many_identifiers(self, world):
        said = named(world)
        number = {"name": "source-patient-identifier", "valueIdentifier": {"system": INS, "value": "284039999900249"}}
        said["parameter"] += [number] * 6
        assert world.send("keeper", "POST", "/Patient/$merge", said).status_code == 400

    def test_a_result_is_not_taken(self, world):
        said = named(world)
        said["parameter"].append({"name": "result-patient", "resource": patient(world, "camille")})
        answer = world.send("keeper", "POST", "/Patient/$merge", said)
        assert answer.status_code == 400
        assert "`result-patient` is no parameter" in answer.get_data(as_text=True)


class TestMeanwhile:
    def test_the_links_change_by_no_other_way(self, world):
        merge(world)
        for name in ("double", "camille"):
            body = patient(world, name)
            del body["link"]
            answer = world.send("keeper", "PUT", f"/Patient/{world.ids[name]}", body)
            assert refusal(answer)[:2] == (422, "merged")
        body = patient(world, "double") | {"active": True}
        assert refusal(world.send("keeper", "PUT", f"/Patient/{world.ids['double']}", body))[:2] == (422, "merged")

    def test_an_identity_is_corrected_as_before(self, world):
        merge(world)
        body = patient(world, "camille") | {"name": [{"family": "Laurent-Petit"}]}
        assert world.send("keeper", "PUT", f"/Patient/{world.ids['camille']}", body).status_code == 200

    def test_a_merged_space_is_not_erased(self, world):
        merge(world)
        call(world, "camille", "close-space", "camille")
        call(world, "camille", "request-erasure", "camille")
        assert refusal(call(world, "keeper", "erase-space", "camille"))[:2] == (422, "merged")
        unmerge(world)
        assert call(world, "keeper", "erase-space", "camille").status_code == 200
