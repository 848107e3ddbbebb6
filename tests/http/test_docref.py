"""`DocumentReference/$docref` over HTTP: the documents of a search, by date of care and type.

Source: https://hl7.org/fhir/uv/ipa/OperationDefinition-docref.html; rest-checklist OP-4.
"""

import pytest

from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import docref
from tests.adversarial.two_worlds import BATCH, KINDS, differences, sides
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_everything import entries, following
from tests.world import LABORATORY, World

SUMMARY = ("http://loinc.org", "60591-5", "Synthèse médicale")
DOOR = "/DocumentReference/$docref"


@pytest.fixture
def filed(world: World) -> World:
    """File a report, two summaries and a laboratory result; hide a second result."""
    world.ids["report"] = world.publish()
    world.ids["old"] = world.publish(type_=SUMMARY, date="2025-02-01T10:00:00+01:00")
    world.ids["new"] = world.publish(type_=SUMMARY)
    world.ids["result"] = world.publish(type_=LABORATORY)
    world.ids["hidden"] = world.publish("other-ehr", place="other", type_=LABORATORY)
    assert world.hide(world.ids["hidden"]).status_code == 200
    assert world.agree("camille", "nour").status_code == 201
    return world


def asked(world: World, who: str, query: str = "", patient: str = "camille"):
    return world.get(who, f"{DOOR}?patient={world.ids.get(patient, patient)}{query}")


def found(world: World, who: str, query: str = "") -> set[str]:
    names = {id_: name for name, id_ in world.ids.items()}
    return {names[one["id"]] for one in entries(asked(world, who, query))}


@BOTH
def test_without_more_it_is_the_latest_summary(filed):
    assert found(filed, "nour") == {"new"}
    assert asked(filed, "nour").get_json()["total"] == 1


@holds("IPA-1")
@BOTH
def test_types_dates_and_formats_narrow(filed):
    everything = {"report", "old", "new", "result"}
    assert found(filed, "nour", "&start=2000-01-01") == everything
    assert found(filed, "camille", "&start=2000-01-01") == everything | {"hidden"}
    assert found(filed, "nour", "&type=http://loinc.org|11502-2") == {"result"}
    assert found(filed, "nour", "&type=http://loinc.org|11502-2&type=34112-3") == {"report", "result"}
    assert found(filed, "nour", "&end=2000-01-01") == set()
    assert found(filed, "nour", "&profile=urn:x") == set()


def test_it_is_what_a_search_shows_whoever_asks(filed):
    for who in ("camille", "nour", "chu-ehr", "other-ehr"):
        wanted = f"/DocumentReference?patient={filed.ids['camille']}&status=current"
        names = {one["id"] for one in entries(filed.get(who, wanted))}
        assert {one["id"] for one in entries(asked(filed, who, "&start=2000-01-01"))} == names


def test_pages_and_their_total(filed):
    first = asked(filed, "nour", "&start=2000-01-01&_count=3")
    second = filed.get("nour", following(first))
    assert (first.get_json()["total"], second.get_json()["total"]) == (4, 4)
    assert [len(entries(first)), len(entries(second))] == [3, 1]
    assert following(second) == ""
    assert filed.get("camille", following(first)).status_code == 400


def test_post_is_the_same_as_get(filed):
    coding = {"system": "http://loinc.org", "code": "11502-2"}
    given = [{"name": "patient", "valueId": filed.ids["camille"]}, {"name": "type", "valueCoding": coding}]
    answer = filed.send("nour", "POST", DOOR, {"resourceType": "Parameters", "parameter": given})
    assert [one["id"] for one in entries(answer)] == [filed.ids["result"]]


def test_nothing_is_made_on_demand_and_the_answer_says_so(filed):
    answer = asked(filed, "nour", "&start=2000-01-01&on-demand=true")
    assert entries(answer) == []
    (note,) = entries(answer, "outcome")
    assert "on demand" in note["issue"][0]["details"]["text"]
    assert len(found(filed, "nour", "&start=2000-01-01&on-demand=false")) == 4


def test_superseded_documents_are_left_out(filed):
    filed.publish_all("chu-ehr", filed.filing(replaces=filed.ids["report"]))
    assert filed.ids["report"] not in {one["id"] for one in entries(asked(filed, "nour", "&start=2000-01-01"))}


@BOTH
@pytest.mark.parametrize("who", ["martin", "zora"])
def test_a_patient_who_may_not_be_read_and_an_unknown_one_are_alike(filed, who):
    filed.patient("zora", "284039999900999")
    refused, unknown = (asked(filed, who, "&start=2000", patient) for patient in ("camille", UNKNOWN))
    assert refused.status_code == unknown.status_code == 403
    assert refused.get_data() == unknown.get_data()
    searched = filed.get(who, f"/DocumentReference?patient={filed.ids['camille']}")
    assert refused.get_data() == searched.get_data()


def test_a_blocked_professional_is_refused_from_the_next_request_on(filed):
    assert asked(filed, "nour").status_code == 200
    assert filed.agree("camille", "nour", "deny").status_code == 201
    assert asked(filed, "nour").status_code == 403


def test_a_closed_space_is_closed(filed):
    assert call(filed, "camille", "close-space").status_code == 200
    assert asked(filed, "nour").status_code == 403


def test_the_event_is_a_search_that_names_the_operation(filed):
    asked(filed, "nour", "&start=2000-01-01")
    wanted = f"/AuditEvent?patient={filed.ids['camille']}&subtype=urn:habilis:operation|docref"
    (event,) = entries(filed.get("camille", wanted))
    assert {one["code"] for one in event["subtype"]} == {"search", "docref"}
    assert filed.ids["result"] in str(event["entity"])


WRONG = ("start=x", "type=|", "on-demand=perhaps", "_count=-1", "_page=x", "encounter=1")


@pytest.mark.parametrize("query", WRONG)
def test_what_cannot_be_read_is_refused_by_name(filed, query):
    answer = asked(filed, "nour", f"&{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.get_data(as_text=True)


def test_the_patient_is_required_and_values_are_bounded(filed):
    assert filed.get("nour", DOOR).status_code == 400
    many = "&type=x" * 500
    assert 400 <= asked(filed, "nour", many).status_code < 500
    assert filed.send("nour", "POST", DOOR, {"resourceType": "Parameters"}).status_code == 400


def test_the_leak_of_a_filter_that_shows_everything_is_found(tmp_path, monkeypatch):
    """The fault is planted: the operation reads as the server itself does."""
    found_in = docref._found

    def everything(access, _filters, wanted):
        return found_in(access, whole_space(ReadingReason.REGISTERED, access.entered.patient), wanted)

    monkeypatch.setattr(docref, "_found", everything)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = next(differences(pair, KINDS[-1], BATCH, seed=8), None)
    assert found is not None
    assert found.what == "documents by docref"
