"""FHIR documents: filed as a Bundle or as bytes, and returned as the Bundle that they are (MHD 4.2.4).

Source: https://profiles.ihe.net/ITI/MHD/ITI-65.html, FHIR Documents Publish Option; https://hl7.org/fhir/R4/documents.html.
"""

import json

import pytest

from consent_rules.vocabulary import Capacity
from fhir_server.r4.checking import check
from fhir_server.r4.xml import from_xml, to_xml
from tests.holds import holds
from tests.http.fhir_documents import as_bundle, as_simplified, fhir_document, filed
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import BASE, World

UNKNOWN = "00000000-0000-4000-8000-000000000009"


def own(document, id_):
    return document | {"id": id_}


def told(answer, id_=UNKNOWN):
    return answer.status_code, answer.get_data(as_text=True).replace(id_, UNKNOWN)


def attachment_of(world, id_):
    return world.get("camille", f"/DocumentReference/{id_}").get_json()["content"][0]["attachment"]


@BOTH
@holds("MHD-65-5")
def test_a_document_is_filed_as_a_bundle_and_returned_as_it_is(world: World):
    document = fhir_document(world)
    answer = world.send("chu-ehr", "POST", "", as_bundle(world, document))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    places = [entry["response"]["location"] for entry in answer.get_json()["entry"]]
    kinds = [place.removeprefix(f"{BASE}/").split("/")[0] for place in places]
    assert kinds == ["List", "DocumentReference", "Bundle"]
    id_ = answer.get_json()["entry"][2]["response"]["location"].rpartition("/")[2]
    found = world.found("camille", "/DocumentReference?contenttype=application/fhir%2Bjson")
    assert attachment_of(world, found[0])["url"] == f"{BASE}/Bundle/{id_}"
    read = world.get("camille", f"/Bundle/{id_}")
    assert read.get_json() == own(document, id_)
    assert check(read.get_json()) == []


@holds("EU-3")
def test_a_document_is_no_binary_when_it_is_asked_for_in_either_format(world: World):
    document = fhir_document(world)
    _, id_ = filed(world, document)
    for accept in ("application/fhir+json", "*/*"):
        assert world.get("camille", f"/Bundle/{id_}", Accept=accept).get_json() == own(document, id_)
    xml = world.get("camille", f"/Bundle/{id_}", Accept="application/fhir+xml")
    assert xml.headers["Content-Type"].startswith("application/fhir+xml")
    assert json.loads(json.dumps(from_xml(xml.get_data()), default=float)) == own(document, id_)
    assert world.get("camille", f"/Bundle/{id_}", Accept="text/plain").status_code == 406


def test_its_digits_stay_as_they_were_sent(world: World):
    bundle = json.dumps(as_bundle(world, fhir_document(world))).replace("70.0", "70.00").encode()
    answer = world.send("chu-ehr", "POST", "", bundle)
    place = answer.get_json()["entry"][2]["response"]["location"]
    assert b'"value":70.00' in world.get("camille", place.removeprefix(BASE)).get_data()


def test_it_has_a_tag_and_no_second_answer_for_who_has_it(world: World):
    _, id_ = filed(world)
    first = world.get("camille", f"/Bundle/{id_}")
    assert world.get("camille", f"/Bundle/{id_}", If_None_Match=first.headers["ETag"]).status_code == 304
    assert "sandbox" in first.headers["Content-Security-Policy"]
    assert first.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["application/fhir+json", "application/fhir+xml"])
def test_a_simplified_publication_carries_one_too(world: World, kind):
    document = fhir_document(world)
    content = to_xml(document) if kind.endswith("xml") else json.dumps(document).encode()
    answer = world.send("chu-ehr", "POST", "/DocumentReference", as_simplified(world, content, kind))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    url = answer.get_json()["content"][0]["attachment"]["url"]
    assert url.startswith(f"{BASE}/Bundle/")
    read = world.get("camille", url.removeprefix(BASE)).get_json()
    assert read == own(document, read["id"])
    raw = world.get("camille", f"/Binary/{read['id']}", Accept="text/html, */*;q=0.1")
    assert raw.status_code in (200, 406)


@pytest.mark.parametrize(
    "content", [b"{}", b"not json", b'{"resourceType":"Bundle","type":"collection"}', b'{"resourceType":"Patient"}']
)
def test_what_is_no_fhir_document_stays_bytes(world: World, content):
    answer = world.send("chu-ehr", "POST", "/DocumentReference", as_simplified(world, content))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    url = answer.get_json()["content"][0]["attachment"]["url"]
    assert url.startswith(f"{BASE}/Binary/")
    id_ = url.rpartition("/")[2]
    assert told(world.get("camille", f"/Bundle/{id_}"), id_) == told(world.get("camille", f"/Bundle/{UNKNOWN}"))


def _without(name):
    def change(bundle):
        del bundle["entry"][2]["resource"][name]
        return bundle

    return change


def _with(place, **more):
    def change(bundle):
        attachment = bundle["entry"][1]["resource"]["content"][0]["attachment"]
        (bundle["entry"][2]["resource"] if place == "document" else attachment).update(more)
        return bundle

    return change


ATTACHMENT = "Bundle.entry[1].resource.content[0].attachment"


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        (_with("document", type="collection"), 400, "Bundle.entry[2].resource.type"),
        (_without("identifier"), 400, "Bundle.entry[2].resource.identifier"),
        (_without("timestamp"), 400, "Bundle.entry[2].resource.timestamp"),
        (_with("document", entry=[]), 400, "Bundle.entry[2].resource"),
        (_with("attachment", contentType="application/pdf"), 422, f"{ATTACHMENT}.contentType"),
        (_with("attachment", hash="AAAA"), 422, f"{ATTACHMENT}.hash"),
        (_with("attachment", size=1), 422, f"{ATTACHMENT}.size"),
    ],
)
def test_what_is_wrong_is_named(world: World, change, status, where):
    answer = world.send("chu-ehr", "POST", "", change(as_bundle(world, fhir_document(world))))
    assert answer.status_code == status, answer.get_data(as_text=True)
    places = [place for one in answer.get_json()["issue"] for place in one.get("expression", [])]
    assert any(place.startswith(where) for place in places), places
    assert world.found("camille", "/DocumentReference") == []


@BOTH
def test_whoever_does_not_see_the_document_gets_the_answer_for_an_unknown_id(world: World):
    for name in ("nour", "martin"):
        assert world.agree("camille", name).status_code == 201
    document, id_ = filed(world)
    assert world.get("martin", f"/Bundle/{id_}").status_code == 200
    assert world.hide(document).status_code == 200
    unknown = told(world.get("martin", f"/Bundle/{UNKNOWN}"))
    assert told(world.get("martin", f"/Bundle/{id_}"), id_) == unknown
    assert told(world.get("martin", f"/Binary/{id_}"), id_) == unknown
    assert world.get("camille", f"/Bundle/{id_}").status_code == 200
    assert world.web.get(f"/fhir/Bundle/{id_}").status_code == 401


def test_the_scope_of_a_binary_is_what_it_needs(world: World):
    _, id_ = filed(world)
    assert world.agree("camille", "nour").status_code == 201
    for scopes, status in (("user/Binary.r", 200), ("user/DocumentReference.rs", 403)):
        world.in_mode("app", "nour", ("10", "chu", Capacity.NONE), scopes=scopes)
        assert world.get("app", f"/Bundle/{id_}").status_code == status


def _events(world, path):
    before = {entry["fullUrl"] for entry in world.get("camille", "/AuditEvent?_count=200").get_json()["entry"]}
    assert world.get("camille", path).status_code == 200
    after = world.get("camille", "/AuditEvent?_count=200&action=R").get_json()["entry"]
    (event,) = [entry["resource"] for entry in after if entry["fullUrl"] not in before]
    entities = [entity for entity in event["entity"] if entity["type"]["code"] != "XrequestId"]
    return {name: event[name] for name in ("type", "subtype", "action", "outcome")} | {"entity": entities}


def test_it_leaves_the_trace_of_the_content(world: World):
    document, id_ = filed(world)
    event = _events(world, f"/Bundle/{id_}")
    assert event == _events(world, f"/Binary/{id_}")
    named = [entity["what"]["reference"] for entity in event["entity"]]
    assert {f"Binary/{id_}", f"DocumentReference/{document}"} <= set(named)
    assert "ITI-68" in str(event["subtype"])


def test_it_is_gone_with_its_document(world: World):
    document, id_ = filed(world)
    assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code == 204
    answers = [told(world.get("camille", f"/{type_}/{id_}"), id_) for type_ in ("Bundle", "Binary")]
    assert answers[0] == answers[1]
    assert answers[0][0] in (404, 410)


def test_no_other_interaction_is_offered(world: World):
    _, id_ = filed(world)
    one = f"/Bundle/{id_}"
    for method, path in (("PUT", one), ("DELETE", one), ("POST", "/Bundle"), ("GET", "/Bundle")):
        assert world.send("camille", method, path, {"resourceType": "Bundle", "type": "document"}).status_code == 405
    assert world.get("camille", f"/Bundle/{id_}/_history").status_code == 405
