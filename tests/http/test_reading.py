"""read, vread, history, contents and search over HTTP (https://hl7.org/fhir/R4/http.html; RD, VR, HI, RS)."""

import base64
import hashlib

import pytest
from lxml import etree

from tests.holds import holds

UNKNOWN = "11111111-2222-4333-8444-555555555555"


def documents(demo, query="", who="camille"):
    return demo.get(f"DocumentReference?patient={demo.people.patients['camille']}{query}", who).json


def first(demo, who="camille"):
    return documents(demo, who=who)["entry"][0]["resource"]


def test_a_read_answers_the_resource_with_its_version_and_time(demo):
    document = first(demo)
    answer = demo.get(f"DocumentReference/{document['id']}")
    assert (answer.status_code, answer.json) == (200, document)
    assert answer.headers["ETag"] == f'W/"{document["meta"]["versionId"]}"'
    assert answer.headers["Last-Modified"].endswith("GMT")
    assert answer.content_type == "application/fhir+json; charset=utf-8"


def test_a_known_version_is_not_sent_again(demo):
    path = f"DocumentReference/{first(demo)['id']}"
    seen = demo.get(path)
    assert demo.get(path, If_None_Match=seen.headers["ETag"]).status_code == 304
    assert demo.get(path, If_Modified_Since=seen.headers["Last-Modified"]).status_code == 304
    assert demo.get(path, If_None_Match='W/"999"').status_code == 200


def test_a_version_is_read_by_the_id_that_was_given(demo):
    document = first(demo)
    path = f"DocumentReference/{document['id']}/_history"
    assert demo.get(f"{path}/{document['meta']['versionId']}").json == document
    for unknown in ("9999", "0", "one", "1-999999", "-1", "1-1-1"):
        assert demo.get(f"{path}/{unknown}").status_code == 404


def test_a_history_lists_the_versions_newest_first(demo):
    document = first(demo)
    bundle = demo.get(f"DocumentReference/{document['id']}/_history").json
    assert (bundle["type"], bundle["total"]) == ("history", len(bundle["entry"]))
    assert bundle["entry"][0]["resource"] == document
    assert {"request", "response", "fullUrl"} <= bundle["entry"][0].keys()


@holds("AC43", "AC44", "ITI-68")
def test_a_content_is_sent_raw_or_as_a_binary_resource(demo):
    attachment = first(demo)["content"][0]["attachment"]
    path = attachment["url"].split("/fhir/")[1]
    raw = demo.get(path, Accept="*/*")
    assert raw.content_type.split(";")[0] == attachment["contentType"].split(";")[0]
    assert base64.b64encode(hashlib.sha1(raw.data, usedforsecurity=False).digest()).decode() == attachment["hash"]
    wrapped = demo.get(path, Accept="application/fhir+json").json
    assert base64.b64decode(wrapped["data"]) == raw.data
    assert not [name for name in wrapped if name.startswith("_")]
    assert raw.headers["Content-Security-Policy"].startswith("sandbox")
    assert raw.headers["X-Content-Type-Options"] == "nosniff"
    assert demo.get(path, Accept="image/png").status_code == 406


def test_an_unknown_a_foreign_and_a_malformed_id_answer_the_same_bytes(demo):
    foreign = demo.get(f"DocumentReference/{first(demo)['id']}", "zoe")
    unknown = demo.get(f"DocumentReference/{UNKNOWN}", "zoe")
    malformed = demo.get("DocumentReference/no_id_at_all!", "zoe")
    assert foreign.status_code in {200, 404}
    assert unknown.data == malformed.data
    assert demo.get(f"Consent/{UNKNOWN}", "zoe").data == unknown.data


@pytest.mark.parametrize("path", ["Unicorn/1", "Unicorn", "AuditEvent/x/y/z"])
def test_an_unknown_type_or_path_is_an_outcome(demo, path):
    answer = demo.get(path)
    assert (answer.status_code, answer.json["resourceType"]) == (404, "OperationOutcome")


def test_an_unsupported_method_names_the_allowed_ones(demo):
    answer = demo.web.put("/fhir/AuditEvent", headers={"Authorization": f"Bearer {demo.people.tokens['camille']}"})
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (405, "not-supported")
    assert "GET" in answer.headers["Allow"]


def test_without_a_token_there_is_a_challenge(demo):
    answer = demo.web.get(f"/fhir/DocumentReference/{UNKNOWN}")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (401, "login")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_xml_is_served_on_request(demo):
    document = first(demo)
    for asked in ({"Accept": "application/fhir+xml"}, {}):
        suffix = "" if asked else "?_format=xml"
        answer = demo.get(f"DocumentReference/{document['id']}{suffix}", **asked)
        root = etree.fromstring(answer.data)
        assert root.tag == "{http://hl7.org/fhir}DocumentReference"
        assert root.find("{http://hl7.org/fhir}id").get("value") == document["id"]


def test_an_unacceptable_format_is_refused(demo):
    assert demo.get(f"DocumentReference/{UNKNOWN}", Accept="text/turtle").status_code == 406
    assert demo.get(f"DocumentReference/{UNKNOWN}?_format=ttl").status_code == 406
    assert demo.get(f"DocumentReference/{UNKNOWN}", Accept="application/fhir+json; fhirVersion=3.0").status_code == 406


def test_pages_show_every_document_once_in_order_and_the_total_on_each(demo):
    whole = documents(demo, "&_count=200")
    ids, url = [], f"DocumentReference?patient={demo.people.patients['camille']}&_count=2"
    while url:
        page = demo.get(url).json
        assert page["total"] == whole["total"]
        assert len(page["entry"]) <= 2
        ids += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((x["url"].split("/fhir/")[1] for x in page["link"] if x["relation"] == "next"), "")
    assert ids == [entry["resource"]["id"] for entry in whole["entry"]]


def test_a_cursor_of_another_caller_is_refused(demo):
    page = documents(demo, "&_count=1")
    following = next(link["url"] for link in page["link"] if link["relation"] == "next").split("/fhir/")[1]
    assert demo.get(following).status_code == 200
    assert demo.get(following, "martin").status_code == 400


def test_a_count_alone_has_a_total_and_no_entry(demo):
    total = documents(demo)["total"]
    for query in ("&_summary=count", "&_count=0"):
        bundle = documents(demo, query)
        assert (bundle["total"], "entry" in bundle) == (total, False)
    assert "total" not in documents(demo, "&_total=none")


def test_sorting_by_date_works_both_ways(demo):
    newest = [entry["resource"]["date"] for entry in documents(demo, "&_sort=-date&_count=200")["entry"]]
    oldest = [entry["resource"]["date"] for entry in documents(demo, "&_sort=date&_count=200")["entry"]]
    assert newest == oldest[::-1]


def test_a_search_by_form_equals_a_search_by_url(demo):
    headers = {"Authorization": f"Bearer {demo.people.tokens['camille']}"}
    patient = demo.people.patients["camille"]
    form = demo.web.post("/fhir/DocumentReference/_search", data={"patient": patient}, headers=headers).json
    assert [e["resource"] for e in form["entry"]] == [e["resource"] for e in documents(demo)["entry"]]
    assert demo.web.post("/fhir/DocumentReference/_search", json={}, headers=headers).status_code == 415


def test_an_ignored_parameter_is_reported_and_refused_when_strict(demo):
    bundle = documents(demo, "&colour=blue")
    assert bundle["entry"][-1]["search"]["mode"] == "outcome"
    assert "colour" not in bundle["link"][0]["url"]
    url = f"DocumentReference?patient={demo.people.patients['camille']}&colour=blue"
    assert demo.get(url, Prefer="handling=strict").status_code == 400


def test_the_links_of_a_search_by_identifier_name_the_patient_by_id(demo):
    patient = demo.get(f"Patient/{demo.people.patients['camille']}").json
    identifier = patient["identifier"][0]
    url = f"DocumentReference?patient.identifier={identifier['system']}|{identifier['value']}"
    bundle = demo.get(url).json
    assert bundle["total"] == documents(demo)["total"]
    assert identifier["value"] not in bundle["link"][0]["url"]


def test_the_request_id_is_echoed_or_replaced(demo):
    assert demo.get("metadata", X_Request_Id="abc-1").headers["X-Request-Id"] == "abc-1"
    assert demo.get("metadata", X_Request_Id="bad id\t").headers["X-Request-Id"] != "bad id\t"


def test_the_capability_statement_needs_no_token_and_has_a_tag(demo):
    answer = demo.web.get("/fhir/metadata")
    assert (answer.status_code, answer.json["fhirVersion"]) == (200, "4.0.1")
    again = demo.web.get("/fhir/metadata", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_named_elements_come_with_the_mandatory_ones_and_a_tag(demo):
    document = first(demo)
    found = documents(demo, "&_elements=type,date&_count=1")["entry"][0]["resource"]
    assert {"type", "date", "content", "status", "id", "meta"} <= found.keys()
    assert not {"context", "description", "author", "subject"} & found.keys()
    assert found["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert demo.get(f"DocumentReference/{document['id']}?_elements=date").json["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert "tag" not in demo.get(f"DocumentReference/{document['id']}").json["meta"]
