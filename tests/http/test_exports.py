"""`$export`: who exports what, how a client follows it, and what a file holds at the moment when it is fetched.

Source: https://hl7.org/fhir/uv/bulkdata/export.html; docs/adr/0120-exports-are-plans.md.
"""

from datetime import timedelta

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.settings import limits
from tests.holds import holds
from tests.http.exports import ask, exported, files, lines, place_of, planned, work
from tests.http.spaces import UNKNOWN
from tests.http.stores import BOTH, another, runtime, store  # noqa: F401 - fixtures
from tests.http.test_admissions import admission_system, admit, end
from tests.world import World

DOCUMENTS = "/$export?_type=DocumentReference"


def documents(world: World, who: str, path: str = DOCUMENTS, body=None) -> set[str]:
    """Return the ids of the documents of an export that is asked for, planned and fetched now."""
    found = exported(world, who, path, body)
    assert len(set(found)) == len(found)
    return {reference.partition("/")[2] for reference in found}


def patients(world, *names):
    """Return Parameters that name patients."""
    named = [f"Patient/{world.ids.get(name, name)}" for name in names]
    said = [{"name": "patient", "valueReference": {"reference": reference}} for reference in named]
    return {"resourceType": "Parameters", "parameter": said}


class TestWhoExports:
    @holds("BULK-5")
    @BOTH
    def test_a_patient_exports_what_a_search_of_the_own_space_shows(self, world):
        mine = {world.publish() for _ in range(3)}
        world.patient("leo", "171027599900196")
        world.publish(patient="leo")
        assert documents(world, "camille") == mine == set(world.found("camille", "/DocumentReference"))
        assert documents(world, "camille", "/Patient/$export?_type=DocumentReference") == mine

    @BOTH
    def test_software_exports_what_it_or_its_establishment_filed(self, world):
        mine = {world.publish() for _ in range(2)}
        world.patient("leo", "171027599900196")
        mine.add(world.publish(patient="leo"))
        assert documents(world, "chu-ehr") == mine
        assert documents(world, "other-ehr") == set()

    @BOTH
    def test_a_professional_exports_from_spaces_that_they_have_entered_before(self, world):
        document = world.publish()
        assert world.agree("camille", "martin").status_code == 201
        assert documents(world, "martin") == set()
        assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]
        assert documents(world, "martin") == {document}
        assert documents(world, "nour") == set()

    def test_an_export_is_never_the_first_access_and_tells_no_notice_of_one(self, world):
        world.publish()
        assert world.agree("camille", "martin").status_code == 201
        place = planned(world, "martin", DOCUMENTS, patients(world, "camille"))
        assert files(world, "martin", place) == {}
        assert world.found("camille", "/Communication?category=first-access") == []

    def test_a_space_whose_declared_agreement_must_be_counted_anew_is_not_entered(self, world, clock):
        document = world.publish()
        assert world.agree("martin", "martin").status_code == 201
        assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]
        clock.advance(hours=23)
        assert world.agree("martin", "martin", dateTime="2026-03-03T08:00:00Z").status_code == 201
        place = planned(world, "martin", DOCUMENTS)
        (file,) = files(world, "martin", place)["DocumentReference"]
        assert len(lines(world.get("martin", file))) == 1
        clock.advance(minutes=61)
        assert lines(world.get("martin", file)) == []
        assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]
        assert len(lines(world.get("martin", file))) == 1

    def test_another_post_of_the_same_person_exports_what_was_entered_from_there(self, world):
        document = world.publish()
        assert world.agree("camille", "martin").status_code == 201
        assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [document]
        world.in_mode("martin-chu", "martin", ("10", "chu", Capacity.NONE))
        assert documents(world, "martin-chu") == set()

    @pytest.mark.parametrize("purpose", [Purpose.BREAK_GLASS, Purpose.EMERGENCY])
    def test_nobody_exports_in_an_emergency(self, world, purpose):
        world.in_mode("mode", "martin", ("10", "other", Capacity.NONE), purpose)
        assert ask(world, "mode").status_code == 403

    def test_a_patient_named_who_is_not_exported_changes_nothing(self, world):
        mine = {world.publish()}
        world.patient("leo", "171027599900196")
        world.publish(patient="leo")
        assert documents(world, "camille", DOCUMENTS, patients(world, "leo")) == set()
        assert documents(world, "camille", DOCUMENTS, patients(world, "leo", "camille", UNKNOWN)) == mine
        assert documents(world, "chu-ehr", DOCUMENTS, patients(world, "camille", UNKNOWN)) == mine

    def test_a_token_exports_the_types_of_its_scopes(self, world):
        world.publish()
        world.in_mode("few", "martin", ("10", "other", Capacity.NONE), scopes="user/DocumentReference.rs")
        assert ask(world, "few", "/$export?_type=List").status_code == 403
        assert world.agree("camille", "martin").status_code == 201
        world.found("few", f"/DocumentReference?patient={world.ids['camille']}")
        assert {one.partition("/")[0] for one in exported(world, "few")} == {"DocumentReference"}
        world.in_mode("none", "martin", ("10", "other", Capacity.NONE), scopes="user/Practitioner.rs")
        assert ask(world, "none").status_code == 403

    def test_everything_of_a_space_is_what_its_searches_show(self, world):
        world.publish()
        found = exported(world, "camille")
        assert len(set(found)) == len(found)
        for type_ in ("Patient", "DocumentReference", "List", "Provenance", "Consent", "Communication"):
            shown = {f"{type_}/{id_}" for id_ in world.found("camille", f"/{type_}?_count=200")}
            assert shown == {one for one in found if one.startswith(f"{type_}/")}


class TestAGroup:
    @holds("BULK-7")
    @BOTH
    def test_the_group_of_an_establishment_is_who_is_admitted_there_now(self, world):
        admission_system(world)
        mine = world.publish()
        path = f"/Group/{world.ids['chu']}/$export?_type=DocumentReference"
        assert documents(world, "chu-ehr", path) == set()
        stay = admit(world)
        assert documents(world, "chu-ehr", path) == {mine}
        assert end(world, stay).status_code == 200
        assert documents(world, "chu-ehr", path) == set()

    def test_the_group_of_another_establishment_is_unknown(self, world):
        answers = [ask(world, "other-ehr", f"/Group/{id_}/$export") for id_ in (world.ids["chu"], UNKNOWN)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data
        assert ask(world, "camille", f"/Group/{world.ids['chu']}/$export").data == answers[0].data


class TestTheRequest:
    @holds("BULK-1")
    def test_it_must_prefer_an_answer_later(self, world):
        answer = world.get("camille", "/$export")
        assert answer.status_code == 400
        assert "respond-async" in answer.text
        assert ask(world, "camille", Prefer="return=minimal, respond-async").status_code == 202

    @holds("BULK-3")
    @pytest.mark.parametrize(
        "query",
        [
            "includeAssociatedData=LatestProvenanceResources", "organizeOutputBy=Patient", "allowPartialManifests=true",
            "_outputFormat=text/csv", "_since=yesterday", "_since=2026-01-01", "_until=x", "_type=Observation",
            "_type=Practitioner", "_typeFilter=Observation?code=1", "_typeFilter=DocumentReference?_count=1",
            "_typeFilter=DocumentReference?patient=1", "_typeFilter=DocumentReference?patient.identifier=1|2",
            "_typeFilter=DocumentReference?nothing=1", "patient=a,b",
        ],
    )  # fmt: skip
    def test_what_the_server_does_not_do_is_refused_by_name(self, world, query):
        answer = ask(world, "camille", f"/$export?{query}")
        assert answer.status_code == 400
        named = query.partition("=")[0]
        assert named in answer.text or query.rpartition("?")[2].partition("=")[0] in answer.text

    @holds("BULK-3")
    def test_a_lenient_client_has_it_ignored(self, world):
        mine = world.publish()
        path = f"{DOCUMENTS},Observation&includeAssociatedData=x&organizeOutputBy=Patient"
        place = place_of(ask(world, "camille", path, Prefer="respond-async, handling=lenient"))
        work(world)
        (file,) = files(world, "camille", place)["DocumentReference"]
        assert [one["id"] for one in lines(world.get("camille", file))] == [mine]

    @pytest.mark.parametrize(
        "format_", ["application/fhir%2Bndjson", "application/fhir+ndjson", "application/ndjson", "ndjson"]
    )
    def test_the_three_names_of_the_format_are_known(self, world, format_):
        assert ask(world, "camille", f"/$export?_outputFormat={format_}").status_code == 202

    @holds("BULK-2")
    def test_post_takes_the_same_as_parameters(self, world):
        mine = world.publish()
        said = [
            {"name": "_outputFormat", "valueString": "ndjson"},
            {"name": "_since", "valueInstant": "2026-01-01T00:00:00+01:00"},
            {"name": "_type", "valueString": "DocumentReference"},
            {"name": "_type", "valueString": "List"},
            {"name": "_typeFilter", "valueString": "List?code=folder"},
            {"name": "patient", "valueReference": {"reference": f"Patient/{world.ids['camille']}"}},
        ]
        body = {"resourceType": "Parameters", "parameter": said}
        assert exported(world, "camille", "/Patient/$export", body) == [f"DocumentReference/{mine}"]
        wrong = {"resourceType": "Parameters", "parameter": [{"name": "_since", "valueInteger": 1}]}
        assert ask(world, "camille", "/$export", wrong).status_code == 400
        assert ask(world, "camille", "/$export", {"resourceType": "Patient"}).status_code == 400

    @holds("BULK-2")
    def test_since_and_until_narrow_by_the_time_of_the_last_change(self, world, clock):
        first = world.publish()
        clock.advance(hours=2)
        second = world.publish()
        middle = (clock.at - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        assert documents(world, "camille", f"{DOCUMENTS}&_since={middle}") == {second}
        assert documents(world, "camille", f"{DOCUMENTS}&_until={middle}") == {first}

    @holds("BULK-2")
    def test_the_results_of_several_filters_are_joined_without_repeating(self, world):
        mine = [world.publish() for _ in range(3)]
        by_id = [f"_typeFilter=DocumentReference%3F_id%3D{id_}" for id_ in mine[:2]]
        path = f"{DOCUMENTS}&{'&'.join(by_id)}&{by_id[0]}"
        assert documents(world, "camille", path) == set(mine[:2])

    def test_a_file_of_a_person_takes_from_fewer_spaces_when_more_filters_are_joined(self, world):
        world.publish()
        filters = "&".join(f"_typeFilter=DocumentReference%3F_id%3D{number}" for number in range(60))
        place = planned(world, "camille", f"{DOCUMENTS}&{filters}")
        assert len(files(world, "camille", place)["DocumentReference"]) == 1

    def test_elements_shorten_what_is_sent(self, world):
        world.publish()
        place = planned(world, "camille", f"{DOCUMENTS}&_elements=type,DocumentReference.category,List.subject")
        (file,) = files(world, "camille", place)["DocumentReference"]
        (sent,) = lines(world.get("camille", file))
        assert {"type", "category", "status", "content", "id"} <= set(sent)
        assert not {"subject", "author", "identifier"} & set(sent)
        assert sent["meta"]["tag"][0]["code"] == "SUBSETTED"

    def test_one_caller_has_few_exports_at_once(self, world):
        places = [place_of(ask(world, "camille")) for _ in range(limits.in_force().exports)]
        refused = ask(world, "camille")
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        assert ask(world, "chu-ehr").status_code == 202
        assert world.send("camille", "DELETE", places[0]).status_code == 202
        assert ask(world, "camille").status_code == 202
